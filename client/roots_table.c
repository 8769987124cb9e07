#include "roots_table.h"

#include <stdio.h>

#include "base/clock.h"

static uint64_t
number(const struct msg_val *object, const char *key)
{
	uint64_t n = 0;

	return msg_u64(object, key, &n) > 0 ? n : 0;
}

static void
put_member(struct out *o, const struct msg_val *object, const char *key)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	const struct msg_val *v = msg_get(object, key);
	struct span s;

	if (v && msg_text(v, &scratch, &s) > 0)
		out_name(o, s);
}

/* Pads to `width` columns counted from `start`, at least one blank. */
static void
pad(struct out *o, size_t start, size_t width)
{
	do
		out_putc(o, ' ');
	while (o->buf.len - start < width);
}

static void
put_state(struct out *o, const struct msg_val *root)
{
	struct span state = {"", 0};
	const char *color = "33";
	size_t start;

	(void)msg_str(root, "state", &state);
	if (span_eq(state, SPAN_LIT("ready")))
		color = "32";
	else if (span_eq(state, SPAN_LIT("failed")))
		color = "31";
	out_color(o, color);
	start = o->buf.len;
	out_name(o, state);
	pad(o, start, 10);
	out_plain(o);
}

static void
put_figures(struct out *o, const struct msg_val *root)
{
	uint64_t walked = number(root, "walked_us"), now = clock_real();
	uint64_t walking = number(root, "walk_entries");
	struct span state = {"", 0};
	char count[32], age[32];

	(void)strbuf_printf(&o->buf, "%13s entries  ", count_text(number(root, "entries"), count));
	if (walked)
		(void)strbuf_printf(
			&o->buf, "%9s ago  ", duration_text(now > walked ? now - walked : 0, age));
	else
		out_puts(o, "        never  ");
	put_member(o, root, "path");
	if (number(root, "layers") > 1)
		(void)strbuf_printf(&o->buf, "  (%u segments)", (unsigned)number(root, "layers"));
	(void)msg_str(root, "state", &state);
	if (span_eq(state, SPAN_LIT("indexing")))
		(void)strbuf_printf(&o->buf, "  (%s so far)", count_text(walking, count));
}

/* ", 3 WHAT", nothing when there are none. */
static void
put_count(struct out *o, const struct msg_val *object, const char *key, const char *what)
{
	uint64_t n = number(object, key);
	char text[32];

	if (n > 0)
		(void)strbuf_printf(&o->buf, ", %s %s", count_text(n, text), what);
}

/* While contents are being read. */
static void
put_reading(struct out *o, const struct msg_val *content)
{
	char a[32], b[32];

	(void)strbuf_printf(&o->buf, "reading, %s of %s files, ",
		count_text(number(content, "files_done"), a),
		count_text(number(content, "files"), b));
	(void)strbuf_printf(&o->buf, "%s of %s", bytes_text(number(content, "bytes_done"), a),
		bytes_text(number(content, "bytes"), b));
	if (number(content, "bytes_per_s"))
		(void)strbuf_printf(&o->buf, ", %s/s, %s left",
			bytes_text(number(content, "bytes_per_s"), a),
			duration_text(number(content, "left_us"), b));
}

static void
put_indexed(struct out *o, const struct msg_val *content)
{
	uint64_t n = number(content, "segments");
	char a[32], b[32], c[32];

	(void)strbuf_printf(&o->buf, "%s files, %s, in %s (gram %u, %u segment%s)",
		count_text(number(content, "files_done"), a),
		bytes_text(number(content, "bytes_done"), b),
		bytes_text(number(content, "segment_bytes"), c), (unsigned)number(content, "gram"),
		(unsigned)n, n == 1 ? "" : "s");
}

/* What is known of contents, where they are indexed. */
static void
put_contents(struct out *o, const struct msg_val *root)
{
	const struct msg_val *content = msg_get(root, "content");
	struct span mode = {"", 0}, state = {"", 0};

	(void)msg_str(content, "mode", &mode);
	(void)msg_str(content, "state", &state);
	if (!span_eq(mode, SPAN_LIT("yes")))
		return;
	out_puts(o, "    contents: ");
	if (span_eq(state, SPAN_LIT("reading")))
		put_reading(o, content);
	else
		put_indexed(o, content);
	put_count(o, content, "binary", "binary");
	put_count(o, content, "too_large", "too large");
	put_count(o, content, "unreadable", "could not be read");
	out_putc(o, '\n');
	if (msg_get(content, "error")) {
		out_puts(o, "    ");
		put_member(o, content, "error");
		out_putc(o, '\n');
	}
}

/* What the walk left out, by reason. */
static void
put_skipped(struct out *o, const struct msg_val *root)
{
	const struct msg_val *skipped = msg_get(root, "skipped"), *v;
	const char *word = NULL;
	int64_t n = 0;
	bool any = false;
	char text[32];

	for (size_t i = 0; (v = msg_member(skipped, i, &word)); i++) {
		if (msg_number(v, &n) <= 0 || n <= 0)
			continue;
		(void)strbuf_printf(&o->buf, "%s%s %s",
			any ? ", " : "    left out: ", count_text((uint64_t)n, text), word);
		any = true;
	}
	if (any)
		out_putc(o, '\n');
}

static void
put_root(struct out *o, const struct msg_val *root)
{
	size_t start = o->buf.len;

	out_puts(o, "  ");
	put_member(o, root, "name");
	pad(o, start, 14);
	put_state(o, root);
	put_figures(o, root);
	out_putc(o, '\n');
	put_contents(o, root);
	if (msg_get(root, "paused")) {
		out_puts(o, "    paused: others wait for ");
		put_member(o, root, "paused");
		out_putc(o, '\n');
	}
	put_skipped(o, root);
	if (msg_get(root, "error")) {
		out_puts(o, "    ");
		put_member(o, root, "error");
		out_putc(o, '\n');
	}
}

void
roots_print(struct out *o, const struct msg_val *roots)
{
	if (msg_len(roots) == 0)
		out_puts(o, "  no roots: add a [root NAME] section to the configuration\n");
	for (size_t i = 0; i < msg_len(roots); i++)
		put_root(o, msg_at(roots, i));
}
