#include "index/record.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/hash.h"

#define RECORD_VERSION 1u
#define SUM_BYTES 8u
#define KIND_BITS 3u
#define SAME_CLASS 4u

/* Packing. */

static int
add_number(struct strbuf *out, uint64_t v)
{
	unsigned char buf[10];
	size_t n = 0;

	do {
		buf[n++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	return strbuf_add(out, buf, n);
}

static uint64_t
zigzag(uint64_t v, uint64_t before)
{
	uint64_t d = v - before;

	return d << 1 ^ (d >> 63 ? UINT64_MAX : 0);
}

/* The path, but for what it has in common with the one before. */
static int
add_path(struct strbuf *out, struct strbuf *before, struct span path)
{
	size_t same = 0, most = MIN(before->len, path.len);

	if (path.len > RECORD_PATH_MAX)
		return -ENAMETOOLONG;
	while (same < most && before->data[same] == path.data[same])
		same++;
	(void)add_number(out, same);
	(void)add_number(out, path.len - same);
	(void)strbuf_add(out, path.data + same, path.len - same);
	strbuf_truncate(before, same);
	(void)strbuf_add(before, path.data + same, path.len - same);
	return out->failed || before->failed ? -ENOMEM : 0;
}

static bool
same_class(const struct record *a, const struct record *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->dev == b->dev;
}

static void
add_class(struct strbuf *out, const struct record *r)
{
	(void)add_number(out, r->mode);
	(void)add_number(out, r->uid);
	(void)add_number(out, r->gid);
	(void)add_number(out, r->dev);
}

static void
add_row(struct strbuf *out, const struct record *r, const struct record *before)
{
	(void)add_number(out, zigzag(r->ino, before->ino));
	(void)add_number(out, r->nlink);
	(void)add_number(out, r->size);
	(void)add_number(out, r->blocks);
	(void)add_number(out, zigzag((uint64_t)r->mtime_ns, (uint64_t)before->mtime_ns));
	(void)add_number(out, zigzag((uint64_t)r->ctime_ns, (uint64_t)r->mtime_ns));
}

int
record_put(struct record_writer *w, const struct record *r)
{
	bool same = same_class(r, &w->last);
	int code;

	(void)strbuf_putc(&w->out, (char)(r->kind | (same ? SAME_CLASS : 0)));
	code = add_path(&w->out, &w->path, r->path);
	if (code == 0 && r->kind == RECORD_MOVE)
		code = add_path(&w->out, &w->from, r->from);
	if (code < 0)
		return code;
	if (!same)
		add_class(&w->out, r);
	add_row(&w->out, r, &w->last);
	w->last = *r;
	w->n++;
	return w->out.failed ? -ENOMEM : 0;
}

int
record_finish(struct record_writer *w, struct strbuf *ret)
{
	struct strbuf all = {0};
	bool failed = w->out.failed;
	uint64_t sum;

	(void)strbuf_putc(&all, RECORD_VERSION);
	(void)add_number(&all, w->n);
	(void)strbuf_span(&all, strbuf_view(&w->out));
	sum = all.failed ? 0 : hash64(all.data, all.len, 0);
	(void)strbuf_add(&all, &sum, SUM_BYTES);
	record_writer_fini(w);
	if (all.failed || failed) {
		strbuf_fini(&all);
		return -ENOMEM;
	}
	*ret = all;
	return 0;
}

void
record_writer_fini(struct record_writer *w)
{
	strbuf_fini(&w->out);
	strbuf_fini(&w->path);
	strbuf_fini(&w->from);
	*w = (struct record_writer){0};
}

/* Unpacking. */

/* No number has two forms: a last byte of nothing is refused, and more than 64 bits. */
static int
take_number(struct bytes *b, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		if (bytes_u8(b, &byte) < 0 || shift > 63 || (shift == 63 && byte > 1))
			return -EBADMSG;
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if ((byte == 0 && shift > 7) || v > max)
		return -EBADMSG;
	*ret = v;
	return 0;
}

static int
take_u32(struct bytes *b, uint32_t *ret)
{
	uint64_t v = 0;
	int r = take_number(b, UINT32_MAX, &v);

	*ret = (uint32_t)v;
	return r;
}

static int
take_difference(struct bytes *b, uint64_t before, uint64_t *ret)
{
	uint64_t v = 0;
	int r = take_number(b, UINT64_MAX, &v);

	*ret = before + (v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
	return r;
}

static int
take_time(struct bytes *b, int64_t before, int64_t *ret)
{
	uint64_t v = 0;
	int r = take_difference(b, (uint64_t)before, &v);

	*ret = (int64_t)v;
	return r;
}

/* Names between single slashes, none at the ends, no NUL: what a tree can have. */
static bool
is_path(struct span p)
{
	if (p.len == 0)
		return true;
	return p.data[0] != '/' && p.data[p.len - 1] != '/' && !memchr(p.data, '\0', p.len) &&
	       !memmem(p.data, p.len, "//", 2);
}

static int
take_path(struct bytes *b, struct strbuf *path, struct span *ret)
{
	uint64_t same, len;
	struct span rest;

	if (take_number(b, path->len, &same) < 0 ||
		take_number(b, RECORD_PATH_MAX - same, &len) < 0 ||
		bytes_slice(b, (size_t)len, &rest) < 0)
		return -EBADMSG;
	strbuf_truncate(path, (size_t)same);
	if (strbuf_span(path, rest) < 0)
		return -ENOMEM;
	*ret = strbuf_view(path);
	return is_path(*ret) ? 0 : -EBADMSG;
}

static int
take_paths(struct record_list *l, struct record *r)
{
	int code = take_path(&l->rest, &l->path, &r->path);

	r->from = SPAN_LIT("");
	if (code < 0 || r->kind != RECORD_MOVE)
		return code;
	code = take_path(&l->rest, &l->from, &r->from);
	return code == 0 && (r->from.len == 0 || r->path.len == 0) ? -EBADMSG : code;
}

static bool
is_type(uint32_t mode)
{
	static const uint32_t types[] = {
		S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if ((mode & ~07777u) == types[i])
			return true;
	}
	return false;
}

static int
take_class(struct bytes *b, struct record *r)
{
	if (take_u32(b, &r->mode) < 0 || take_u32(b, &r->uid) < 0 || take_u32(b, &r->gid) < 0 ||
		take_number(b, UINT64_MAX, &r->dev) < 0)
		return -EBADMSG;
	return 0;
}

/* *r has the class and the numbers of the record before. */
static int
take_row(struct bytes *b, struct record *r)
{
	if (take_difference(b, r->ino, &r->ino) < 0 || take_u32(b, &r->nlink) < 0 ||
		take_number(b, UINT64_MAX, &r->size) < 0 ||
		take_number(b, UINT64_MAX, &r->blocks) < 0 ||
		take_time(b, r->mtime_ns, &r->mtime_ns) < 0 ||
		take_time(b, r->mtime_ns, &r->ctime_ns) < 0)
		return -EBADMSG;
	return is_type(r->mode) ? 0 : -EBADMSG;
}

static int
take_record(struct record_list *l, struct record *r)
{
	uint8_t head = 0;
	int code = bytes_u8(&l->rest, &head);

	if (code < 0 || head & ~(KIND_BITS | SAME_CLASS))
		return -EBADMSG;
	*r = l->last;
	r->kind = head & KIND_BITS;
	code = take_paths(l, r);
	if (code == 0 && !(head & SAME_CLASS))
		code = take_class(&l->rest, r);
	return code < 0 ? code : take_row(&l->rest, r);
}

int
record_open(struct record_list *l, struct span packed)
{
	struct span body = {packed.data, packed.len - MIN(packed.len, SUM_BYTES)};
	uint8_t version = 0;
	uint64_t sum;

	*l = (struct record_list){0};
	if (packed.len < SUM_BYTES)
		return -EBADMSG;
	memcpy(&sum, packed.data + body.len, SUM_BYTES);
	if (sum != hash64(body.data, body.len, 0))
		return -EBADMSG;
	l->rest = bytes_of(body.data, body.len);
	if (bytes_u8(&l->rest, &version) < 0 || version != RECORD_VERSION)
		return -EBADMSG;
	return take_number(&l->rest, UINT64_MAX, &l->n_left);
}

int
record_next(struct record_list *l, struct record *ret)
{
	struct record r;
	int code;

	if (l->n_left == 0)
		return bytes_left(&l->rest) == 0 ? 0 : -EBADMSG;
	code = take_record(l, &r);
	if (code < 0) {
		/* Nothing behind it means anything: the same answer from now on. */
		l->rest = bytes_of("", 0);
		return code;
	}
	l->n_left--;
	*ret = l->last = r;
	return 1;
}

void
record_close(struct record_list *l)
{
	strbuf_fini(&l->path);
	strbuf_fini(&l->from);
	*l = (struct record_list){0};
}
