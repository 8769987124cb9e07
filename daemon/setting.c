#include "setting.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "ini.h"

static int
text_read(struct span text, void *at)
{
	char **to = at;
	char *copy = strndup(text.data, text.len);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static void
text_print(const void *at, struct strbuf *out)
{
	const char *const *text = at;

	(void)strbuf_puts(out, *text ? *text : "");
}

static int
path_read(struct span text, void *at)
{
	if (text.len == 0 || text.data[0] != '/')
		return -EINVAL;
	while (text.len > 1 && text.data[text.len - 1] == '/')
		text.len--;
	return text_read(text, at);
}

static int
words_read(struct span text, void *at)
{
	char ***to = at;
	char **words;
	int r = ini_words(text, &words);

	if (r < 0)
		return r;
	for (char **w = *to; w && *w; w++)
		free(*w);
	free(*to);
	*to = words;
	return 0;
}

static void
words_print(const void *at, struct strbuf *out)
{
	char *const *const *words = at;

	for (char *const *w = *words; w && *w; w++) {
		bool plain = **w && !strpbrk(*w, " \t\"\\");

		if (w != *words)
			(void)strbuf_putc(out, ' ');
		if (!plain)
			(void)strbuf_putc(out, '"');
		for (const char *c = *w; *c; c++) {
			if (!plain && (*c == '"' || *c == '\\'))
				(void)strbuf_putc(out, '\\');
			(void)strbuf_putc(out, *c);
		}
		if (!plain)
			(void)strbuf_putc(out, '"');
	}
}

static int
bool_read(struct span text, void *at)
{
	return parse_bool(text, at);
}

static void
bool_print(const void *at, struct strbuf *out)
{
	(void)strbuf_puts(out, *(const bool *)at ? "yes" : "no");
}

static int
u64_read(struct span text, void *at)
{
	return parse_u64(text, at);
}

static void
u64_print(const void *at, struct strbuf *out)
{
	(void)strbuf_u64(out, *(const uint64_t *)at);
}

static int
narrow(int r, uint64_t wide, uint32_t *to)
{
	if (r < 0)
		return r;
	if (wide > UINT32_MAX)
		return -ERANGE;
	*to = (uint32_t)wide;
	return 0;
}

static int
u32_read(struct span text, void *at)
{
	uint64_t wide = 0;
	int r = parse_u64(text, &wide);

	return narrow(r, wide, at);
}

static void
u32_print(const void *at, struct strbuf *out)
{
	(void)strbuf_u64(out, *(const uint32_t *)at);
}

static int
size_read(struct span text, void *at)
{
	return parse_size(text, at);
}

static int
size32_read(struct span text, void *at)
{
	uint64_t wide = 0;
	int r = parse_size(text, &wide);

	return narrow(r, wide, at);
}

static int
octal_read(struct span text, void *at)
{
	uint32_t mode = 0;

	if (text.len == 0 || text.len > 5)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			return -EINVAL;
		mode = mode * 8 + (uint32_t)(text.data[i] - '0');
	}
	if (mode > 0777)
		return -ERANGE;
	*(uint32_t *)at = mode;
	return 0;
}

static void
octal_print(const void *at, struct strbuf *out)
{
	(void)strbuf_printf(out, "0%" PRIo32, *(const uint32_t *)at);
}

static const struct {
	const char *suffix;
	usec_t usec;
} units[] = {
	{"", USEC_PER_SEC},
	{"s", USEC_PER_SEC},
	{"ms", USEC_PER_MSEC},
	{"us", 1}, /* */
	{"min", 60 * USEC_PER_SEC},
	{"h", 3600 * USEC_PER_SEC},
	{"d", 86400 * USEC_PER_SEC},
};

static int
duration_read(struct span text, void *at)
{
	size_t digits = 0;
	uint64_t n;
	int r;

	while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	r = parse_u64((struct span){text.data, digits}, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!span_eq(span_trim((struct span){text.data + digits, text.len - digits}),
			    span_of(units[i].suffix)))
			continue;
		return __builtin_mul_overflow(n, units[i].usec, (usec_t *)at) ? -ERANGE : 0;
	}
	return -EINVAL;
}

static void
duration_print(const void *at, struct strbuf *out)
{
	usec_t usec = *(const usec_t *)at;

	if (usec % USEC_PER_SEC == 0)
		(void)strbuf_printf(out, "%" PRIu64 "s", (uint64_t)(usec / USEC_PER_SEC));
	else
		(void)strbuf_printf(out, "%" PRIu64 "us", usec);
}

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static int
level_read(struct span text, void *at)
{
	char word[8];

	if (text.len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text.data, text.len);
	word[text.len] = '\0';
	return log_level_parse(word, at);
}

static void
level_print(const void *at, struct strbuf *out)
{
	(void)strbuf_puts(out, level_words[*(const enum log_level *)at]);
}

/* Also the words of yes and no. */
static int
content_read(struct span text, void *at)
{
	enum snap_content *to = at;
	bool indexed = false;
	int r = 0;

	if (span_eq(text, SPAN_LIT("scan")))
		*to = SNAP_CONTENT_SCAN;
	else if ((r = parse_bool(text, &indexed)) == 0)
		*to = indexed ? SNAP_CONTENT_INDEX : SNAP_CONTENT_OFF;
	return r;
}

static void
content_print(const void *at, struct strbuf *out)
{
	static const char *const words[] = {[SNAP_CONTENT_OFF] = "no",
		[SNAP_CONTENT_SCAN] = "scan",
		[SNAP_CONTENT_INDEX] = "yes"};

	(void)strbuf_puts(out, words[*(const enum snap_content *)at]);
}

static int
gram_read(struct span text, void *at)
{
	if (text.len != 1 || (text.data[0] != '3' && text.data[0] != '4'))
		return -EINVAL;
	*(unsigned *)at = (unsigned)(text.data[0] - '0');
	return 0;
}

static const char *const watch_words[] = {
	[ENGINE_WATCH_NO] = "no",
	[ENGINE_WATCH_AUTO] = "auto",
	[ENGINE_WATCH_DIRECTORIES] = "directories",
	[ENGINE_WATCH_POLL] = "poll",
};

static int
watch_read(struct span text, void *at)
{
	for (size_t i = 0; i < ARRAY_LEN(watch_words); i++) {
		if (!span_eq(text, span_of(watch_words[i])))
			continue;
		*(enum engine_watch *)at = (enum engine_watch)i;
		return 0;
	}
	return -EINVAL;
}

static void
watch_print(const void *at, struct strbuf *out)
{
	(void)strbuf_puts(out, watch_words[*(const enum engine_watch *)at]);
}

const struct setting_kind setting_text = {"text", text_read, text_print};
const struct setting_kind setting_path = {"an absolute path", path_read, text_print};
const struct setting_kind setting_words = {"words, with closed quotes", words_read, words_print};
const struct setting_kind setting_bool = {"yes or no", bool_read, bool_print};
const struct setting_kind setting_u32 = {"a number below 4294967296", u32_read, u32_print};
const struct setting_kind setting_u64 = {"a number", u64_read, u64_print};
const struct setting_kind setting_size32 = {"a size below 4G such as 64k", size32_read, u32_print};
const struct setting_kind setting_size = {"a size such as 64k or 2G", size_read, u64_print};
const struct setting_kind setting_octal = {
	"an octal file mode such as 0660", octal_read, octal_print};
const struct setting_kind setting_duration = {
	"a duration such as 5s or 500ms", duration_read, duration_print};
const struct setting_kind setting_level = {"error, warn, info or debug", level_read, level_print};
const struct setting_kind setting_content = {"yes, scan or no", content_read, content_print};
const struct setting_kind setting_gram = {"3 or 4", gram_read, u32_print};
const struct setting_kind setting_watch = {
	"auto, directories, poll or no", watch_read, watch_print};
