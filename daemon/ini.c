#include "ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/vec.h"

int
ini_err(struct err *err, const struct ini_item *item, int code, const char *fmt, ...)
{
	char text[sizeof(err->what)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s:%u: %s", item->file, item->line, text);
}

static int
read_header(struct span line, struct ini_item *item, struct err *err)
{
	struct span inside;
	size_t n = 0;

	if (line.data[line.len - 1] != ']')
		return ini_err(err, item, -EINVAL, "the section's line has no closing ]");
	inside = span_trim((struct span){line.data + 1, line.len - 2});
	while (n < inside.len && inside.data[n] != ' ' && inside.data[n] != '\t')
		n++;
	item->section = (struct span){inside.data, n};
	item->label = span_trim((struct span){inside.data + n, inside.len - n});
	item->key = item->value = SPAN_LIT("");
	item->opens = true;
	if (item->section.len == 0)
		return ini_err(err, item, -EINVAL, "the section has no name");
	return 0;
}

static int
read_pair(struct span line, struct ini_item *item, struct err *err)
{
	const char *equals = memchr(line.data, '=', line.len);

	item->opens = false;
	if (!equals)
		return ini_err(err, item, -EINVAL,
			"expected \"key = value\" or \"[section]\", found \"%.*s\"",
			(int)MIN(line.len, 60u), line.data);
	item->key = span_trim((struct span){line.data, (size_t)(equals - line.data)});
	item->value =
		span_trim((struct span){equals + 1, (size_t)(line.data + line.len - (equals + 1))});
	if (item->key.len == 0)
		return ini_err(err, item, -EINVAL, "there is no key before the =");
	if (item->section.len == 0)
		return ini_err(err, item, -EINVAL, "\"%.*s\" stands before the first section",
			(int)item->key.len, item->key.data);
	return 0;
}

static int
read_line(struct span line, struct ini_item *item, ini_fn fn, void *ctx, struct err *err)
{
	int r;

	if (line.len > INI_LINE_BYTES)
		return ini_err(err, item, -EOVERFLOW,
			"the line has %zu bytes, at most %u are possible", line.len,
			INI_LINE_BYTES);
	if (memchr(line.data, '\0', line.len))
		return ini_err(err, item, -EINVAL, "the line holds a NUL byte");
	line = span_trim(line);
	if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
		return 0;
	r = line.data[0] == '[' ? read_header(line, item, err) : read_pair(line, item, err);
	return r < 0 ? r : fn(ctx, item, err);
}

int
ini_read(const char *file, ini_fn fn, void *ctx, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct ini_item item = {.file = file};
	size_t at = 0;
	int r = fd_slurp(AT_FDCWD, file, INI_FILE_BYTES, &text);

	if (r < 0)
		return err_set(
			err, r, "could not read the configuration \"%s\": %s", file, err_reason(r));
	while (at < text.len && r == 0) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		size_t n = end ? (size_t)(end - (text.data + at)) : text.len - at;

		item.line++;
		r = read_line((struct span){text.data + at, n}, &item, fn, ctx, err);
		at += n + 1;
	}
	return r;
}

/* The next word from *at on into `word`: 1, 0 at the end, -EINVAL. */
static int
next_word(struct span value, size_t *at, struct strbuf *word)
{
	bool quoted = false, any = false;

	while (*at < value.len && (value.data[*at] == ' ' || value.data[*at] == '\t'))
		(*at)++;
	for (; *at < value.len; (*at)++) {
		char c = value.data[*at];

		if (!quoted && (c == ' ' || c == '\t'))
			break;
		any = true;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && *at + 1 < value.len &&
			(value.data[*at + 1] == '"' || value.data[*at + 1] == '\\'))
			c = value.data[++*at];
		(void)strbuf_putc(word, c);
	}
	return quoted ? -EINVAL : any;
}

int
ini_words(struct span value, char ***ret)
{
	VEC(char *) words = {0};
	size_t at = 0;
	int r;

	for (;;) {
		struct strbuf word = {0};
		char *text;

		r = next_word(value, &at, &word);
		text = r > 0 ? strbuf_take(&word) : NULL;
		strbuf_fini(&word);
		if (r <= 0)
			break;
		if (!text || VEC_PUSH(&words, text) < 0) {
			free(text);
			r = -ENOMEM;
			break;
		}
	}
	if (r == 0)
		r = VEC_PUSH(&words, NULL);
	if (r < 0) {
		VEC_EACH (&words, w)
			free(*w);
		VEC_FINI(&words);
		return r;
	}
	*ret = words.data;
	return 0;
}
