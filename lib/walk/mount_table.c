#include "walk/mount_table.h"

/* What comes before `end`, which *rest loses with it. */
static struct span
next_until(struct span *rest, char end)
{
	const char *at = rest->len ? memchr(rest->data, end, rest->len) : NULL;
	struct span part = {rest->data, at ? (size_t)(at - rest->data) : rest->len};
	size_t step = MIN(part.len + 1, rest->len);

	rest->data += step;
	rest->len -= step;
	return part;
}

/* "36 35 98:0 /root /where options... - type source superoptions" */
static bool
parse_line(struct span line, struct mount_line *ret)
{
	if (parse_u64(next_until(&line, ' '), &ret->id) < 0)
		return false;
	for (unsigned i = 0; i < 3; i++)
		(void)next_until(&line, ' ');
	ret->where = next_until(&line, ' ');
	while (line.len > 0) {
		if (!span_eq(next_until(&line, ' '), SPAN_LIT("-")))
			continue;
		ret->type = next_until(&line, ' ');
		return true;
	}
	return false;
}

bool
mount_table_next(struct span *text, struct mount_line *ret)
{
	while (text->len > 0) {
		if (parse_line(next_until(text, '\n'), ret))
			return true;
	}
	return false;
}

/* "\040" is a space, and so on. */
char *
mount_table_path(struct span where)
{
	char *out = malloc(where.len + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < where.len; i++) {
		const char *p = where.data + i;
		bool octal = *p == '\\' && where.len - i > 3;

		out[n++] = octal ? (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0')) : *p;
		i += octal ? 3 : 0;
	}
	if (out)
		out[n] = '\0';
	return out;
}
