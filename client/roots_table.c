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
	(void)msg_str(root, "state", &state);
	if (span_eq(state, SPAN_LIT("indexing")))
		(void)strbuf_printf(&o->buf, "  (%s so far)", count_text(walking, count));
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
