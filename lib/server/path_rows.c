#include "server/path_rows.h"

#include <errno.h>

#define COPY_BYTES ((size_t)32) /* a directory is copied in pieces of */
#define ROW_EXTRA (COPY_BYTES + JSON_SLACK + 8)

void
path_rows_fini(struct path_rows *p)
{
	path_maker_fini(&p->plain);
	path_maker_fini(&p->escaped);
	strbuf_fini(&p->base64);
}

/* What is not UTF-8 is odd (query/names.h). */
static int
put_escaped_part(struct strbuf *out, struct span part)
{
	bool odd = !json_escape(out, part);

	return out->failed ? -ENOMEM : odd;
}

/* Makes the directory of an entry the one at hand. */
static int
enter_directory(struct path_rows *p, const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	uint32_t dir = tree_parent(c, entry);
	int r;

	p->hi = p->lo;
	p->escaped.put = put_escaped_part;
	r = path_make_dir(&p->escaped, s, layer, dir, &p->text);
	if (r < 0 || strbuf_reserve(&p->escaped.path, COPY_BYTES) < 0)
		return -ENOMEM;
	p->text = strbuf_view(&p->escaped.path);
	p->lossy = r > 0;
	p->has_base64 = false;
	p->layer = layer;
	p->dir = dir;
	p->lo = c->dir_first[dir];
	p->hi = c->dir_first[dir + 1];
	return 0;
}

/* Of bytes that are followed by COPY_BYTES more, to a place that has as much room behind. */
static char *
copy_text(char *to, struct span text)
{
	for (size_t i = 0; i < text.len; i += COPY_BYTES)
		memcpy(to + i, text.data + i, COPY_BYTES);
	return to + text.len;
}

static bool
is_at_hand(const struct path_rows *p, uint32_t layer, uint32_t entry)
{
	return p->layer == layer && entry - p->lo < p->hi - p->lo;
}

/* Room for the longest path of the directory at hand, and what it may be written beyond. */
static size_t
longest_row(const struct path_rows *p)
{
	return p->text.len + TREE_NAME_MAX_BYTES + ROW_EXTRA;
}

/* The inside of a string: where it ends, or NULL when the name needs escapes. */
static inline char *
copy_path(const struct path_rows *p, struct span name, char *to)
{
	to = copy_text(to, p->text);
	return json_copy_plain(to, name) ? to + name.len : NULL;
}

/* A part begins at a slash, so it is UTF-8, or not, by itself. */
static void
put_inside(const struct path_rows *p, struct strbuf *b, struct span name)
{
	(void)strbuf_span(b, p->text);
	(void)json_escape(b, name);
}

/* The digits of the directory before, as far as both paths are one. */
static int
encode_directory(struct path_rows *p, const struct snapshot *s)
{
	struct span dir;
	size_t whole, kept;

	if (path_make_dir(&p->plain, s, p->layer, p->dir, &dir) < 0)
		return -ENOMEM;
	kept = MIN(p->plain.kept_len / 3, p->base64.len / 4);
	strbuf_truncate(&p->base64, kept * 4);
	whole = dir.len - dir.len % 3;
	p->rest = (struct span){dir.data + whole, dir.len - whole};
	if (base64_encode(&p->base64, (struct span){dir.data + kept * 3, whole - kept * 3}) < 0)
		return -ENOMEM;
	p->has_base64 = true;
	return 0;
}

/* Both writings of a path that is not UTF-8. */
static int
put_lossy(struct path_rows *p, struct json *out, const struct snapshot *s, struct span name)
{
	char rest[2 + TREE_NAME_MAX_BYTES];

	if (!p->has_base64 && encode_directory(p, s) < 0)
		return -ENOMEM;
	json_raw(out, SPAN_LIT("{\"s\":\""));
	put_inside(p, out->out, name);
	(void)strbuf_add(out->out, "\",\"b64\":\"", 9);
	(void)strbuf_span(out->out, strbuf_view(&p->base64));
	memcpy(rest, p->rest.data, p->rest.len);
	memcpy(rest + p->rest.len, name.data, name.len);
	(void)base64_encode(out->out, (struct span){rest, p->rest.len + name.len});
	(void)strbuf_add(out->out, "\"}", 2);
	return out->out->failed ? -ENOMEM : 0;
}

/* Of the directory at hand, with a name that does not stand in JSON as it is. */
static int
put_joined(struct path_rows *p, struct json *out, const struct snapshot *s, struct span name)
{
	if (p->lossy || !utf8_valid(name.data, name.len))
		return put_lossy(p, out, s, name);
	json_raw(out, SPAN_LIT("\""));
	put_inside(p, out->out, name);
	(void)strbuf_putc(out->out, '"');
	return out->out->failed ? -ENOMEM : 0;
}

/* The root itself is below nothing. */
static int
put_root(struct json *out, const struct snapshot *s, uint32_t layer)
{
	json_cstr(out, snapshot_root(s, layer)->path);
	return out->out->failed ? -ENOMEM : 0;
}

int
path_rows_put(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	uint32_t entry)
{
	struct span name = tree_name(snapshot_cols(s, layer), entry);
	struct strbuf *b = out->out;
	char *to, *end;

	if (entry == 0)
		return put_root(out, s, layer);
	if (!is_at_hand(p, layer, entry) && enter_directory(p, s, layer, entry) < 0)
		return -ENOMEM;
	if (p->lossy)
		return put_lossy(p, out, s, name);
	if (strbuf_reserve(b, longest_row(p)) < 0)
		return -ENOMEM;
	to = b->data + b->len;
	*to = ',';
	to += out->comma;
	*to++ = '"';
	end = copy_path(p, name, to);
	if (!end)
		return put_joined(p, out, s, name);
	*end++ = '"';
	*end = '\0';
	b->len = (size_t)(end - b->data);
	out->comma = true;
	return 0;
}

/* Rows of the directory at hand, one after the other, up to a name that does not stand in JSON as
 * it is, or as long as there is room for the longest. */
static uint32_t
add_run(const struct path_rows *p, struct json *out, const struct tree_cols *c,
	const uint32_t *entry, uint32_t n, size_t max_bytes)
{
	struct strbuf *b = out->out;
	size_t room = b->cap - MIN(b->cap, longest_row(p));
	const char *end = b->data + MIN(max_bytes, room);
	char *at = b->data + b->len;
	uint32_t i = 0;

	for (; i < n && entry[i] - p->lo < p->hi - p->lo && at < end; i++) {
		char *to = at;

		*to = ',';
		to += out->comma;
		*to++ = '[';
		*to++ = '"';
		to = copy_path(p, tree_name(c, entry[i]), to);
		if (!to)
			break;
		*to++ = '"';
		*to++ = ']';
		at = to;
		out->comma = true;
	}
	*at = '\0';
	b->len = (size_t)(at - b->data);
	return i;
}

/* A row by itself, which may be of another directory than that at hand. */
static int
add_one(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	uint32_t entry)
{
	int r;

	json_open(out, '[');
	r = path_rows_put(p, out, s, layer, entry);
	json_close(out, ']');
	return r;
}

int
path_rows_add(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	const uint32_t *entry, uint32_t n, size_t max_bytes)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	struct strbuf *b = out->out;
	uint32_t i = 0;
	int r = 0;

	while (i < n && b->len < max_bytes && r == 0) {
		uint32_t run = 0;

		/* All of it at once: what grows by and by is copied several times. */
		if (b->cap - b->len < longest_row(p))
			r = strbuf_reserve(b, max_bytes - b->len + longest_row(p));
		if (r == 0 && !p->lossy && is_at_hand(p, layer, entry[i]))
			run = add_run(p, out, c, entry + i, n - i, max_bytes);
		i += run;
		if (r == 0 && run == 0)
			r = add_one(p, out, s, layer, entry[i++]);
	}
	return r < 0 ? r : (int)i;
}
