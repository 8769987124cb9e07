#include "lscolors.h"

#include <stdio.h>
#include <strings.h>

/* What ls and fd use when the variable does not say. */
static const struct {
	char type;
	char key[3];
	const char *sgr;
} defaults[] = {
	{'d', "di", "01;34"}, /* directory     */
	{'l', "ln", "01;36"}, /* symbolic link */
	{'p', "pi", "33"},    /* named pipe    */
	{'s', "so", "01;35"}, /* socket        */
	{'b', "bd", "01;33"}, /* block device  */
	{'c', "cd", "01;33"}, /* character dev */
	{'x', "ex", "01;32"}, /* may be run    */
	{'f', "fi", ""},      /* regular file  */
};

struct lscolors
lscolors_load(void)
{
	return (struct lscolors){span_of(getenv("LS_COLORS"))};
}

/* The next "key=value" of the colon separated list. */
static bool
next_pair(struct span *rest, struct span *key, struct span *value)
{
	while (rest->len) {
		const char *colon = memchr(rest->data, ':', rest->len);
		size_t len = colon ? (size_t)(colon - rest->data) : rest->len;
		const char *equals = memchr(rest->data, '=', len);
		const char *at = rest->data;

		rest->data += len + (colon != NULL);
		rest->len -= len + (colon != NULL);
		if (!equals)
			continue;
		*key = (struct span){at, (size_t)(equals - at)};
		*value = (struct span){equals + 1, len - key->len - 1};
		return true;
	}
	return false;
}

/* "*.tar" or "*~" against the end of the name, ASCII case ignored as ls does. */
static bool
suffix_matches(struct span key, struct span name)
{
	if (key.len < 2 || key.data[0] != '*' || key.len - 1 > name.len)
		return false;
	return strncasecmp(name.data + name.len - (key.len - 1), key.data + 1, key.len - 1) == 0;
}

static const char *
keep(struct span value, char buf[64])
{
	/* "ln=target" means the colour of what it points at, which we do not look up. */
	if (value.len >= 64 || span_eq(value, SPAN_LIT("target")))
		return NULL;
	for (size_t i = 0; i < value.len; i++)
		if (!strchr("0123456789;:", value.data[i]))
			return "";
	(void)snprintf(buf, 64, "%.*s", (int)value.len, value.data);
	return strcmp(buf, "0") == 0 || strcmp(buf, "00") == 0 ? "" : buf;
}

static size_t
default_of(char type)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (defaults[i].type == type)
			return i;
	return sizeof(defaults) / sizeof(defaults[0]) - 1;
}

const char *
lscolors_of(const struct lscolors *l, char type, unsigned mode, struct span name, char buf[64])
{
	size_t i = default_of(type == 'f' && (mode & 0111u) ? 'x' : type);
	struct span rest = l->text, key, value, by_kind = {NULL, 0}, by_suffix = {NULL, 0};
	bool plain = defaults[i].type == 'f';
	const char *sgr = NULL;

	while (next_pair(&rest, &key, &value)) {
		if (span_eq(key, span_of(defaults[i].key)))
			by_kind = value;
		else if (plain && suffix_matches(key, name))
			by_suffix = value;
	}
	if (by_suffix.data)
		sgr = keep(by_suffix, buf);
	else if (by_kind.data)
		sgr = keep(by_kind, buf);
	return sgr ? sgr : defaults[i].sgr;
}
