#include "text_model.h"
#include "text_sums.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "text/text_need.h"

/* A merged segment: dropped documents, windows, files; long lists, a bitmap among them. */
static struct strbuf good;

#define N_DOCS 1500u

static void
make_image(void)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct text_merge_source s = {0};
	struct text_merge_opts opts = {0};
	struct text_written written;
	uint64_t dropped[N_DOCS / 64 + 1] = {[0] = 8};
	struct text_model m;
	struct text *t;

	CHECK_INT(mapfile_setup(), 0);
	model_init(&m, 40, 3, 7, N_DOCS);
	model_write(&m, dirfd, "t", 0, N_DOCS, 1, 0, NULL);
	t = model_open(dirfd, "t", NULL);
	s = (struct text_merge_source){t, dropped};
	CHECK_INT(text_merge(&s, 1, &opts, dirfd, "m", NULL, &written, NULL), 0);
	text_unref(t);
	CHECK_INT(fd_slurp(dirfd, "m", 1u << 24, &good), 0);
	model_fini(&m);
	test_dir_remove(dir);
}

static void
drop_image(void)
{
	strbuf_fini(&good);
}

TestSuite(text_open, .init = make_image, .fini = drop_image);

static char *
copy_image(void)
{
	char *im = malloc(good.len);

	CHECK(im);
	memcpy(im, good.data, good.len);
	return im;
}

static int
open_image(
	const char *im, size_t len, enum text_open_flags flags, struct text **ret, struct err *err)
{
	AUTO(closep) int fd = memfd_create("segment", MFD_CLOEXEC);

	*err = (struct err){0};
	CHECK_INT(fd_write_full(fd, im, len), 0);
	return text_open_fd(fd, "seg", &(struct text_open_opts){.flags = flags}, ret, err);
}

static uint64_t
get(const char *im, size_t at, size_t width)
{
	uint64_t v = 0;

	memcpy(&v, im + at, width);
	return v;
}

static size_t
section_at(unsigned id)
{
	return get(good.data, SEGMENT_HEADER_BYTES + (id - 1) * SEGMENT_ROW_BYTES + 8, 8);
}

static void
must_refuse(const char *im, size_t len, int code, const char *text)
{
	struct text *t = NULL;
	struct err err;
	int r = open_image(im, len, TEXT_OPEN_DEEP, &t, &err);

	CHECK_SAY(r == code, "%s: result %d, \"%s\"", text, r, err.what);
	CHECK_SAY(strstr(err.what, text) != NULL, "\"%s\" lacks \"%s\"", err.what, text);
	CHECK(strstr(err.what, "text segment \"seg\"") != NULL && err.hint[0] != '\0');
}

TEST(text_open, the_image_is_whole)
{
	struct text *t;
	struct err err;
	const struct text_cols *c;
	uint64_t n_long = 0, n_bitmaps = 0;
	static struct text_list l;

	CHECK_SAY(open_image(good.data, good.len, TEXT_OPEN_DEEP, &t, &err) == 0, "%s", err.what);
	c = text_cols(t);
	CHECK(c->n_windows > 10 && c->n_live == N_DOCS - 1 && c->n_files > 100);
	for (uint32_t g = 0; g < 1u << 18; g++) {
		if (text_list_find(c, g, &l) == 0)
			continue;
		n_bitmaps += l.bitmap;
		n_long += l.n_blocks > 1;
	}
	CHECK(n_long > 0);
	CHECK(n_bitmaps > 0);
	CHECK_INT(text_file_bytes(t), good.len);
	text_unref(t);
}

TEST(text_open, every_altered_byte_is_noticed)
{
	AUTO(freep) char *im = copy_image();
	unsigned long n = 2000 + test_scale(500000);

	for (uint64_t i = 0; i < n; i++) {
		size_t at = i < 500 ? i : hash64(&i, sizeof(i), 2) % good.len;
		struct text *t;
		struct err err;

		im[at] = (char)(im[at] ^ 1 << i % 8);
		CHECK_SAY(open_image(im, good.len, 0, &t, &err) < 0, "byte %zu", at);
		im[at] = (char)(im[at] ^ 1 << i % 8);
	}
}

TEST(text_open, every_length_is_noticed)
{
	for (size_t len = 0; len < good.len; len += len < 700 ? 1 : 977) {
		struct text *t;
		struct err err;

		CHECK_INT(open_image(good.data, len, 0, &t, &err), -EBADMSG);
	}
}

TEST(text_open, header_and_table_are_checked)
{
	static const struct {
		const char *text;
		size_t at, width;
		uint64_t value;
		int code;
	} cases[] = {
		{"a newer trawld (format 4)", 8, 4, 4, -EOPNOTSUPP},
		{"an older trawld (format 2)", 8, 4, 2, -EOPNOTSUPP},
		{"H3", 8, 4, 0, -EBADMSG},
		{"H4", 16, 8, 1, -EBADMSG},
		{"H3: no such kind", 28, 4, 5, -EBADMSG},
		{"H3: no such kind", 52, 4, 1, -EBADMSG},
		{"H7: wrong length", 28, 4, 4, -EBADMSG},
		{"H7: counts", 32, 4, UINT32_MAX, -EBADMSG},
		{"H7: counts", 36, 4, 0, -EBADMSG},
		{"H7: counts", 40, 4, UINT32_MAX, -EBADMSG},
		{"H7: counts", 44, 4, N_DOCS + 1, -EBADMSG},
		{"docs: H7", 36, 4, N_DOCS + 1, -EBADMSG},
		{"unit_doc: H7", 40, 4, 3, -EBADMSG},
		{"hash_order: H7", 44, 4, 3, -EBADMSG},
		{"H5: sections out of order", 64 + 32, 4, 1, -EBADMSG},
		{"H5: not where", 64 + 32 + 8, 8, 64, -EBADMSG},
		{"newer trawld (section 99)", 64 + 9 * 32, 4, 99, -EOPNOTSUPP},
		{"docs: H8: summed in another way", 64 + 4, 4, 2, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(freep) char *im = copy_image();
		uint64_t sum;

		memcpy(im + cases[i].at, &cases[i].value, cases[i].width);
		memset(im + SEGMENT_SUM_AT, 0, 8);
		sum = hash64(im, 64 + 10 * 32, 0);
		memcpy(im + SEGMENT_SUM_AT, &sum, 8);
		must_refuse(im, good.len, cases[i].code, cases[i].text);
	}
}

/* The first shelf or list that is as wanted. */
static struct text_list
find_list(const struct text_cols *c, bool bitmap, uint32_t *ret_gram)
{
	struct text_list l;

	for (*ret_gram = 0;; (*ret_gram)++) {
		CHECK(*ret_gram < 1u << 18);
		if (text_list_find(c, *ret_gram, &l) && l.bitmap == bitmap &&
			(bitmap || l.n_blocks > 1))
			return l;
	}
}

struct patch {
	const char *rule;
	unsigned section;
	size_t at, width;
	uint64_t value;
};

static void
must_find(const struct patch *p)
{
	AUTO(freep) char *im = copy_image();

	memcpy(im + section_at(p->section) + p->at, &p->value, p->width);
	CHECK_SAY(memcmp(im, good.data, good.len) != 0, "%s: nothing altered", p->rule);
	text_sums_put_right((uint8_t *)im, good.len);
	must_refuse(im, good.len, -EBADMSG, p->rule);
}

/* The first document in this encoding. */
static uint32_t
first_of(enum text_encoding encoding)
{
	uint32_t i = 0;

	while (i < N_DOCS &&
		get(good.data, section_at(TEXT_SECTION_DOCS) + i * 40 + 36, 4) != encoding)
		i++;
	CHECK(i < N_DOCS);
	return i;
}

TEST(text_open, each_rule_of_documents_and_files_is_checked)
{
	const uint64_t order = get(good.data, section_at(TEXT_SECTION_HASH_ORDER), 4);
	const uint64_t beyond = TEXT_MARKS_BEYOND;
	const struct patch cases[] = {
		{"docs: D1: flags", TEXT_SECTION_DOCS, 36, 4, 32},
		{"docs: D1: flags", TEXT_SECTION_DOCS, 36, 4, 6},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_UTF16LE) * 8, 8, beyond * 2},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_BINARY) * 8, 8, 1},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_ASCII) * 8, 8, beyond},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_UTF8) * 8, 8, 0},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_BYTES) * 8, 8, 1},
		{"docs: D1: flags", TEXT_SECTION_MARKS, first_of(TEXT_UTF16BE) * 8, 8, 1},
		{"docs: D1: a dropped", TEXT_SECTION_MARKS, 3 * 8, 8, 1},
		{"docs: D1: a dropped", TEXT_SECTION_DOCS, 3 * 40, 8, 1},
		{"docs: D1: a dropped", TEXT_SECTION_DOCS, 36, 4, TEXT_DROPPED},
		{"docs: D2", TEXT_SECTION_DOCS, 32, 4, 1},
		{"docs: D2", TEXT_SECTION_DOCS, 40 + 32, 4, 5000000},
		{"docs: D2", TEXT_SECTION_DOCS, 10 * 40 + 32, 4, 0},
		{"hash_order: D3: not the doc", TEXT_SECTION_DOCS, 3 * 40 + 36, 4, 0},
		{"hash_order: D3: hashes", TEXT_SECTION_HASH_ORDER, 4, 4, order},
		{"hash_order: D3: not the doc", TEXT_SECTION_HASH_ORDER, 4, 4, 3},
		{"hash_order: D3: not the doc", TEXT_SECTION_HASH_ORDER, 4, 4, N_DOCS},
		{"file_keys: F1", TEXT_SECTION_FILE_KEYS, 8, 8, 0},
		{"file_contents: F1", TEXT_SECTION_FILE_CONTENTS, 4, 4, 7 + N_DOCS},
		{"unit_doc: U1", TEXT_SECTION_UNIT_DOC, 4, 4, 3},
		{"windows: U2: not", TEXT_SECTION_WINDOWS, 0, 4, 0},
		{"windows: U2: not", TEXT_SECTION_WINDOWS, 4, 4, 2},
		{"windows: U2: windows", TEXT_SECTION_WINDOWS, 8, 8, 0},
		{"windows: U2: windows", TEXT_SECTION_WINDOWS, 24 + 16, 8, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_find(&cases[i]);
}

TEST(text_open, each_rule_of_postings_is_checked)
{
	uint64_t groups = get(good.data, section_at(TEXT_SECTION_SHELVES) + 8, 8);
	uint64_t bytes = get(good.data, section_at(TEXT_SECTION_SHELVES) + 512 * 32, 8);
	const struct patch cases[] = {
		{"shelves: P1: not where", TEXT_SECTION_SHELVES, 0, 8, 1},
		{"shelves: P1: not where", TEXT_SECTION_SHELVES, 32, 8, bytes + 1},
		{"shelves: P1: not where", TEXT_SECTION_SHELVES, 28, 4, 1},
		{"shelves: P1: not where", TEXT_SECTION_SHELVES, 512 * 32 + 16, 8, 1},
		{"shelves: P1: wrong count", TEXT_SECTION_SHELVES, 8, 8, groups ^ 1},
		{"shelves: P1: wrong count", TEXT_SECTION_SHELVES, 8, 8, groups | 256},
		{"shelves: P1: wrong count", TEXT_SECTION_SHELVES, 32 + 24, 4, 1},
		{"groups: P3", TEXT_SECTION_GROUPS, 0, 4, 1},
		{"groups: P3", TEXT_SECTION_GROUPS, 4, 4, 0},
		{"groups: P3", TEXT_SECTION_GROUPS, 4, 4, UINT32_MAX},
		{"postings: P2: no zeros", TEXT_SECTION_POSTINGS, bytes + 3, 1, 1},
		{"postings: P4: lists", TEXT_SECTION_POSTINGS, 0, 8, 0},
		{"postings: P4: lists", TEXT_SECTION_POSTINGS, 0, 8, UINT64_MAX / 2},
		{"postings: P4: lists", TEXT_SECTION_POSTINGS, 8, 4, 0xffffffff},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_find(&cases[i]);
}

TEST(text_open, each_rule_of_lists_is_checked)
{
	struct text *t;
	struct err err;
	const struct text_cols *c;
	struct text_list l;
	uint32_t gram;
	struct patch p = {.section = TEXT_SECTION_POSTINGS, .width = 1};

	CHECK_INT(open_image(good.data, good.len, 0, &t, &err), 0);
	c = text_cols(t);
	l = find_list(c, false, &gram);
	p.at = (size_t)(l.skips - c->postings); /* the last unit of the first block: too low */
	p.width = 2;
	p.rule = "postings: P4: blocks";
	must_find(&p);
	p.width = 1;
	p.at = (size_t)(l.body - c->postings) + 2;
	p.rule = "postings: P6";
	must_find(&p);
	l = find_list(c, true, &gram);
	p.at = (size_t)(l.body - c->postings) + 1;
	must_find(&p);
	p.at = (size_t)(l.body - c->postings) + c->n_units / 8;
	p.value = 0xff;
	p.rule = "postings: P5";
	CHECK(c->n_units % 8 != 0);
	must_find(&p);
	text_unref(t);
}

/* All that a reader may do, with whatever opened. */
static void
use_everything(const struct text_cols *c)
{
	static struct text_list l;
	uint32_t units[200], unit;

	for (uint32_t g = 0; g < 1u << 18; g += 1 + g % 5) {
		if (text_list_find(c, g, &l) == 0)
			continue;
		while (text_list_read(&l, units, 200) > 0) {
			for (uint32_t i = 0; i < 200 && units[i] == i; i++)
				;
		}
		(void)text_list_find(c, g, &l);
		while (text_list_leap(&l, units[0], &unit) > 0) {
			CHECK(unit < c->n_units && unit >= units[0]);
			units[0] = unit + 3;
		}
	}
	for (uint32_t u = 0; u < c->n_units; u++) {
		uint64_t offset, lines;

		CHECK(c->unit_doc[u] < c->n_docs);
		text_unit_place(c, u, &offset, &lines);
	}
}

TEST(text_open, a_hostile_file_with_right_sums_cannot_lead_an_accessor_astray)
{
	unsigned long rounds = 50 + test_scale(12500), n_opened = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		AUTO(freep) char *im = copy_image();
		uint64_t dice = hash64(&i, sizeof(i), 1);
		size_t at = 32 + dice % (good.len - 32);
		struct text *t;
		struct err err;
		int r;

		im[at] = dice >> 40 & 1 ? (char)(im[at] + 1) : (char)(dice >> 48);
		if (at >= SEGMENT_HEADER_BYTES && at < SEGMENT_HEADER_BYTES + 9 * SEGMENT_ROW_BYTES)
			continue;
		text_sums_put_right((uint8_t *)im, good.len);
		r = open_image(im, good.len, 0, &t, &err);
		if (r == 0) {
			use_everything(text_cols(t));
			text_unref(t);
			n_opened++;
		} else {
			CHECK(r == -EBADMSG || r == -EOPNOTSUPP);
		}
	}
	CHECK(n_opened > 0);
}

TEST(text_open, a_missing_file_is_said)
{
	struct text_open_opts opts = {0};
	struct text *t;
	struct err err;

	CHECK_INT(text_open(AT_FDCWD, "/nonexistent/x", &opts, &t, &err), -ENOENT);
	CHECK(strstr(err.what, "could not open text segment") != NULL);
}
