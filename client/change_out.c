#include "change_out.h"

#include <errno.h>

#include "cell.h"

/* Of --json, in the order of a row. */
static const char *const keys[] = {"kind", "from", "path", "type", "size", "mtime"};

enum { FIRST_FIELD = 2 }; /* of the row, and of the keys */

int
change_read(struct change_row *c, const struct msg_val *row)
{
	strbuf_reset(&c->path_scratch);
	strbuf_reset(&c->from_scratch);
	c->from = (struct span){"", 0};
	if (msg_text(msg_at(row, 0), &c->path_scratch, &c->kind) <= 0 ||
		msg_text(msg_at(row, FIRST_FIELD), &c->path_scratch, &c->path) <= 0)
		return -EPROTO;
	if (msg_kind(msg_at(row, 1)) != MSG_NULL &&
		msg_text(msg_at(row, 1), &c->from_scratch, &c->from) <= 0)
		return -EPROTO;
	return 0;
}

void
change_fini(struct change_row *c)
{
	strbuf_fini(&c->path_scratch);
	strbuf_fini(&c->from_scratch);
}

void
change_ask_fields(struct json *j, bool json)
{
	size_t n = json ? ARRAY_LEN(keys) : FIRST_FIELD + 1;

	json_key(j, "fields");
	json_open(j, '[');
	for (size_t i = FIRST_FIELD; i < n; i++)
		json_cstr(j, keys[i]);
	json_close(j, ']');
}

static const char *
mark_of(struct span kind)
{
	return span_eq(kind, SPAN_LIT("add"))      ? "+ "
	       : span_eq(kind, SPAN_LIT("modify")) ? "~ "
	       : span_eq(kind, SPAN_LIT("move"))   ? "> "
	       : span_eq(kind, SPAN_LIT("delete")) ? "- "
	                                           : "? ";
}

static void
print_marked(struct out *o, const char *mark, struct span path)
{
	out_puts(o, mark);
	out_name(o, path);
}

void
change_print(
	struct out *o, const struct change_row *c, const struct msg_val *row, bool json, bool null)
{
	bool moved = c->from.len > 0;

	if (json) {
		out_json_row(o, row, keys, ARRAY_LEN(keys));
	} else if (moved && null) {
		print_marked(o, "- ", c->from);
		out_putc(o, '\0');
		print_marked(o, "+ ", c->path);
	} else if (moved) {
		print_marked(o, mark_of(c->kind), c->from);
		print_marked(o, " -> ", c->path);
	} else {
		print_marked(o, mark_of(c->kind), c->path);
	}
	out_putc(o, null ? '\0' : '\n');
}

void
change_print_gap(struct out *o, const struct msg_val *event, bool json)
{
	struct span clock = {"", 0};
	struct json j;

	(void)msg_str(event, "clock", &clock);
	if (!json) {
		complain("what has changed since %.*s cannot be told: all that matches follows",
			(int)clock.len, clock.data);
		return;
	}
	j = json_to(&o->buf);
	json_open(&j, '{');
	json_kv_str(&j, "gap", clock);
	json_close(&j, '}');
	out_putc(o, '\n');
}
