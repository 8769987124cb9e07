#include "index/record.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/hash.h"

TestSuite(record, .timeout = 60);

static struct record
row(enum record_kind kind, const char *path, uint64_t ino)
{
	return (struct record){
		.kind = kind,
		.path = span_of(path),
		.from = SPAN_LIT(""),
		.mode = S_IFREG | 0644,
		.uid = 1000,
		.nlink = 1,
		.dev = 0x800001,
		.ino = ino,
		.size = 12,
		.blocks = 8,
		.mtime_ns = 1700000000000000000 + (int64_t)ino,
		.ctime_ns = 1700000000000000000,
	};
}

static void
check_same(const struct record *a, const struct record *b)
{
	CHECK_INT(a->kind, b->kind);
	CHECK(span_eq(a->path, b->path));
	CHECK(span_eq(a->from, b->from));
	CHECK_INT(a->mode, b->mode);
	CHECK_INT(a->uid, b->uid);
	CHECK_INT(a->gid, b->gid);
	CHECK_INT(a->nlink, b->nlink);
	CHECK(a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->blocks == b->blocks);
	CHECK(a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
}

#define N_ROWS 9u

/* Of every kind, and with numbers at their ends. */
static unsigned
fill(struct record *r)
{
	static char longest[RECORD_PATH_MAX];
	unsigned n = 0;

	memset(longest, 'x', sizeof(longest));
	for (size_t i = 200; i < sizeof(longest) - 1; i += 201)
		longest[i] = '/';
	r[n++] = row(RECORD_MODIFY, "", 2);
	r[n - 1].mode = S_IFDIR | 01777;
	r[n++] = row(RECORD_ADD, "src/main.c", 77);
	r[n++] = row(RECORD_ADD, "src/main.h", 78);
	r[n++] = row(RECORD_MOVE, "src/moved", UINT64_MAX);
	r[n - 1].from = SPAN_LIT("lib/was");
	r[n++] = row(RECORD_MOVE, "src", 0);
	r[n - 1].from = SPAN_LIT("lib/was/deep");
	r[n++] = row(RECORD_DELETE, "\xff\n", 5);
	r[n - 1].size = r[n - 1].blocks = r[n - 1].dev = UINT64_MAX;
	r[n - 1].uid = r[n - 1].gid = r[n - 1].nlink = UINT32_MAX;
	r[n++] = row(RECORD_DELETE, "z", 5);
	r[n - 1].mtime_ns = INT64_MIN;
	r[n - 1].ctime_ns = INT64_MAX;
	r[n++] = row(RECORD_ADD, "z2", 6);
	r[n++] = row(RECORD_ADD, "", 6);
	r[n - 1].path = (struct span){longest, sizeof(longest)};
	CHECK_INT(n, N_ROWS);
	return n;
}

static struct strbuf
packed(const struct record *r, unsigned n)
{
	struct record_writer w = {0};
	struct strbuf out;

	for (unsigned i = 0; i < n; i++)
		CHECK_INT(record_put(&w, &r[i]), 0);
	CHECK_INT(record_finish(&w, &out), 0);
	return out;
}

TEST(record, what_was_packed_is_what_is_unpacked)
{
	struct record rows[N_ROWS], got;
	unsigned n = fill(rows);
	struct record_list l;

	for (unsigned k = 0; k <= n; k++) {
		AUTO(strbuf_fini) struct strbuf out = packed(rows, k);

		CHECK_INT(record_open(&l, strbuf_view(&out)), 0);
		CHECK_INT(l.n_left, k);
		for (unsigned i = 0; i < k; i++) {
			CHECK_INT(record_next(&l, &got), 1);
			check_same(&got, &rows[i]);
		}
		CHECK_INT(record_next(&l, &got), 0);
		CHECK_INT(record_next(&l, &got), 0);
		record_close(&l);
	}
}

TEST(record, neighbours_share_what_they_have_in_common)
{
	struct record rows[100];
	char names[100][64];
	AUTO(strbuf_fini) struct strbuf out = {0};

	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "a/long/way/to/some/file%02u.c", i);
		rows[i] = row(RECORD_ADD, names[i], 1000 + i);
	}
	out = packed(rows, 100);
	CHECK(out.len < (size_t)100 * 22);
}

TEST(record, a_path_that_is_too_long_is_refused)
{
	AUTO(freep) char *path = malloc(RECORD_PATH_MAX + 2);
	struct record r = row(RECORD_ADD, "", 1);
	struct record_writer w = {0};

	memset(path, 'x', RECORD_PATH_MAX + 1);
	r.path = (struct span){path, RECORD_PATH_MAX + 1};
	CHECK_INT(record_put(&w, &r), -ENAMETOOLONG);
	record_writer_fini(&w);
}

/* Until the end of the list, or what is wrong. */
static int
read_all(struct span bytes)
{
	struct record_list l;
	struct record rec;
	int r = record_open(&l, bytes);

	while (r == 0 && (r = record_next(&l, &rec)) == 1)
		r = 0;
	if (r < 0 && l.n_left > 0)
		CHECK_INT(record_next(&l, &rec), -EBADMSG); /* and so it stays */
	record_close(&l);
	return r;
}

/* With a sum that is right, so that only the rest is looked at. */
static int
read_summed(const char *body, size_t n)
{
	AUTO(strbuf_fini) struct strbuf all = {0};
	uint64_t sum = hash64(body, n, 0);

	CHECK_INT(strbuf_add(&all, body, n), 0);
	CHECK_INT(strbuf_add(&all, &sum, sizeof(sum)), 0);
	return read_all(strbuf_view(&all));
}

TEST(record, any_other_byte_is_noticed_by_the_sum)
{
	struct record rows[N_ROWS];
	AUTO(strbuf_fini) struct strbuf out = packed(rows, fill(rows) - 1);

	CHECK_INT(read_all(strbuf_view(&out)), 0);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] = (char)(out.data[i] ^ 0x10);
		CHECK_INT(read_all(strbuf_view(&out)), -EBADMSG);
		out.data[i] = (char)(out.data[i] ^ 0x10);
	}
}

TEST(record, a_list_that_is_cut_or_goes_on_is_refused)
{
	struct record rows[N_ROWS];
	AUTO(strbuf_fini) struct strbuf out = packed(rows, fill(rows) - 1);
	size_t body = out.len - 8;

	CHECK_INT(read_all((struct span){out.data, 0}), -EBADMSG);
	CHECK_INT(read_all((struct span){out.data, 7}), -EBADMSG);
	CHECK_INT(read_summed(out.data, body), 0);
	for (size_t n = 0; n < body; n++)
		CHECK_INT(read_summed(out.data, n), -EBADMSG);
	CHECK_INT(read_summed(out.data, body + 1), -EBADMSG); /* a byte of the sum */
}

#define REFUSED(bytes) CHECK_INT(read_summed(bytes, sizeof(bytes) - 1), -EBADMSG)
/* Class: a regular file of 0:0 on device 1; then six numbers. */
#define CLASS "\x80\x80\x02\x00\x00\x01"
#define NUMBERS "\x02\x01\x00\x00\x00\x00"

TEST(record, what_no_writer_makes_is_refused)
{
	CHECK_INT(read_summed("\x01\x01\x00\x00\x01"
			      "a" CLASS NUMBERS,
			  18),
		0);
	REFUSED("\x02\x00");                                     /* another version */
	REFUSED("\x01\x80\x00");                                 /* a number with a useless byte */
	REFUSED("\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"); /* of 65 bits */
	REFUSED("\x01\x01\x08\x00\x01"
		"a" CLASS NUMBERS); /* no such bit */
	REFUSED("\x01\x01\x04\x00\x01"
		"a" NUMBERS); /* the class of none before */
	REFUSED("\x01\x01\x00\x01\x01"
		"a" CLASS NUMBERS); /* shared with none */
	REFUSED("\x01\x01\x00\x00\x02"
		"/a" CLASS NUMBERS);
	REFUSED("\x01\x01\x00\x00\x02"
		"a/" CLASS NUMBERS);
	REFUSED("\x01\x01\x00\x00\x04"
		"a//b" CLASS NUMBERS);
	REFUSED("\x01\x01\x00\x00\x03"
		"a\0b" CLASS NUMBERS);
	REFUSED("\x01\x01\x02\x00\x01"
		"a"
		"\x00\x00" CLASS NUMBERS); /* moved from the root */
	REFUSED("\x01\x01\x00\x00\x01"
		"a"
		"\x00\x00\x00\x01" NUMBERS); /* of no type */
	REFUSED("\x01\x01\x00\x00\x01"
		"a"
		"\x80\x80\x02\x80\x80\x80\x80\x10\x00\x01" NUMBERS); /* uid */
	REFUSED("\x01\x01\x00\x00\x81\x80\x04"
		"a" CLASS NUMBERS); /* longer than a path can be */
}
