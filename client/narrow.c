#include "narrow.h"

#include <ctype.h>
#include <errno.h>

static const struct {
	const char *name, *globs;
} types[] = {
#define FILE_TYPE(name, globs) {name, globs},
#include "file_types.def"
#undef FILE_TYPE
};

static bool
is_wild(struct span glob)
{
	for (size_t i = 0; i < glob.len; i++) {
		if (strchr("*?[", glob.data[i]))
			return true;
	}
	return false;
}

/* The glob as a term. Without a wildcard it would be a word: then one letter becomes a set. */
static void
put_plain_glob(struct strbuf *out, struct span glob, const char *tail)
{
	bool wild = is_wild(glob) || *tail;

	for (size_t i = 0; i < glob.len; i++) {
		char c = glob.data[i];

		if (!wild && isalnum((unsigned char)c)) {
			(void)strbuf_printf(out, "[%c]", c);
			wild = true;
			continue;
		}
		if (c == '\\' && i + 1 < glob.len)
			(void)strbuf_putc(out, glob.data[i++]);
		else if (strchr(" \t\"()|:", c) || (i == 0 && strchr("-!", c)))
			(void)strbuf_putc(out, '\\');
		(void)strbuf_putc(out, glob.data[i]);
	}
	(void)strbuf_puts(out, tail);
}

/* One glob without braces; to leave files out it is about directories above them, too. */
static void
put_glob(struct strbuf *out, struct span glob, bool leave_out)
{
	bool dir = glob.len > 1 && span_ends(glob, SPAN_LIT("/"));

	glob.len -= dir;
	if (!dir)
		put_plain_glob(out, glob, "");
	if (!dir && leave_out)
		(void)strbuf_puts(out, " | ");
	if (dir || leave_out)
		put_plain_glob(out, glob, "/**");
}

/* Every way to choose from its braces, joined with "|". They do not nest. */
static void
put_braces(struct strbuf *out, struct span glob, bool leave_out)
{
	const char *open = memchr(glob.data, '{', glob.len), *close = NULL;
	AUTO(strbuf_fini) struct strbuf one = {0};

	if (open)
		close = memchr(open, '}', (size_t)(glob.data + glob.len - open));
	if (!close) {
		put_glob(out, glob, leave_out);
		return;
	}
	for (const char *at = open + 1, *end; at <= close; at = end + 1) {
		end = memchr(at, ',', (size_t)(close - at));
		end = end ? end : close;
		strbuf_reset(&one);
		(void)strbuf_add(&one, glob.data, (size_t)(open - glob.data));
		(void)strbuf_add(&one, at, (size_t)(end - at));
		(void)strbuf_add(&one, close + 1, (size_t)(glob.data + glob.len - close - 1));
		(void)strbuf_puts(out, at > open + 1 ? " | " : "");
		put_braces(out, strbuf_view(&one), leave_out);
		out->failed = out->failed || one.failed;
	}
}

/* "((before) | glob)" or "((before) -(glob))": what comes later decides. */
static void
add_glob(struct strbuf *all, const char *text, bool first)
{
	AUTO(strbuf_fini) struct strbuf before = *all;
	bool leave_out = *text == '!';
	struct span glob = span_of(text + leave_out);

	*all = (struct strbuf){0};
	(void)strbuf_putc(all, '(');
	(void)strbuf_span(all, strbuf_view(&before));
	if (leave_out)
		(void)strbuf_puts(all, " -(");
	else if (!first)
		(void)strbuf_puts(all, " | ");
	put_braces(all, glob, leave_out);
	(void)strbuf_puts(all, leave_out ? "))" : ")");
	all->failed = all->failed || before.failed;
}

/* "*.c" is the extension c: the index has these by themselves. */
static bool
is_ext(struct span glob)
{
	struct span rest = {glob.data + 2, glob.len - 2};

	return span_starts(glob, SPAN_LIT("*.")) && glob.len > 2 && !is_wild(rest);
}

static void
put_globs_of_type(struct strbuf *out, const char *globs)
{
	AUTO(strbuf_fini) struct strbuf ext = {0};
	struct span left = span_of(globs);
	bool any = false;

	while (left.len > 0) {
		const char *blank = memchr(left.data, ' ', left.len);
		struct span glob = {left.data, blank ? (size_t)(blank - left.data) : left.len};

		left.data += MIN(glob.len + 1, left.len);
		left.len -= MIN(glob.len + 1, left.len);
		if (is_ext(glob)) {
			(void)strbuf_puts(&ext, ext.len ? "," : "ext:");
			(void)strbuf_add(&ext, glob.data + 2, glob.len - 2);
			continue;
		}
		(void)strbuf_puts(out, any ? " | " : "");
		put_glob(out, glob, false);
		any = true;
	}
	if (ext.len)
		(void)strbuf_puts(out, any ? " | " : "");
	(void)strbuf_span(out, strbuf_view(&ext));
	out->failed = out->failed || ext.failed;
}

static int
put_type(struct strbuf *out, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].name, name) == 0) {
			put_globs_of_type(out, types[i].globs);
			return 0;
		}
	}
	return -EINVAL;
}

/* "(... | ...)" of the types, -EINVAL at the first that is not known. */
static int
put_types(struct strbuf *out, const struct texts *names, const char **ret_unknown)
{
	(void)strbuf_putc(out, '(');
	for (size_t i = 0; i < names->len; i++) {
		(void)strbuf_puts(out, i ? " | " : "");
		if (put_type(out, names->data[i]) < 0) {
			*ret_unknown = names->data[i];
			return -EINVAL;
		}
	}
	(void)strbuf_puts(out, ") ");
	return 0;
}

int
narrow_query(const struct narrowing *n, struct strbuf *out, const char **ret_unknown)
{
	AUTO(strbuf_fini) struct strbuf globs = {0};
	int r = 0;

	for (size_t i = 0; i < n->globs.len; i++)
		add_glob(&globs, n->globs.data[i], i == 0);
	(void)strbuf_span(out, strbuf_view(&globs));
	if (globs.len)
		(void)strbuf_putc(out, ' ');
	if (n->types.len)
		r = put_types(out, &n->types, ret_unknown);
	if (r == 0 && n->types_not.len) {
		(void)strbuf_putc(out, '-');
		r = put_types(out, &n->types_not, ret_unknown);
	}
	return r < 0 ? r : out->failed || globs.failed ? -ENOMEM : 0;
}

void
narrow_list(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		(void)strbuf_printf(out, "%s: %s\n", types[i].name, types[i].globs);
}

void
narrow_fini(struct narrowing *n)
{
	VEC_FINI(&n->globs);
	VEC_FINI(&n->types);
	VEC_FINI(&n->types_not);
}
