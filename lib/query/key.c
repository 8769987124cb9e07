#include "query/expr.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

/* The first row of a key is its own word, the others are aliases. */
static const struct {
	const char *word;
	enum key key;
} keys[] = {
	{"name", KEY_NAME},
	{"n", KEY_NAME},
	{"path", KEY_PATH},
	{"p", KEY_PATH},
	{"ext", KEY_EXT},
	{"e", KEY_EXT},
	{"extension", KEY_EXT},
	{"type", KEY_TYPE},
	{"t", KEY_TYPE},
	{"in", KEY_IN},
	{"under", KEY_IN},
	{"depth", KEY_DEPTH},
	{"size", KEY_SIZE},
	{"s", KEY_SIZE},
	{"mtime", KEY_MTIME},
	{"modified", KEY_MTIME},
	{"dm", KEY_MTIME},
	{"ctime", KEY_CTIME},
	{"changed", KEY_CTIME},
	{"user", KEY_USER},
	{"owner", KEY_USER},
	{"uid", KEY_USER},
	{"group", KEY_GROUP},
	{"gid", KEY_GROUP},
	{"perm", KEY_PERM},
	{"mode", KEY_PERM},
	{"links", KEY_LINKS},
	{"nlink", KEY_LINKS},
	{"inode", KEY_INODE},
	{"ino", KEY_INODE},
	{"empty", KEY_EMPTY},
	{"dupe", KEY_DUPE},
	{"dupes", KEY_DUPE},
	{"root", KEY_ROOT},
	{"lang", KEY_LANG},
	{"language", KEY_LANG},
	{"content", KEY_CONTENT},
	{"text", KEY_CONTENT},
	{"case", KEY_CASE},
};

int
key_find(struct span word, enum key *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].word) == word.len &&
			strncasecmp(keys[i].word, word.data, word.len) == 0) {
			*ret = keys[i].key;
			return 0;
		}
	}
	return -EINVAL;
}

const char *
key_word(enum key k)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].key == k)
			return keys[i].word;
	}
	return "";
}

/* Edit distance with neighbours swapped counted once; words of at most 16 bytes. */
#define NEAR_MAX_BYTES 16u

static unsigned
distance(struct span a, struct span b)
{
	unsigned d[NEAR_MAX_BYTES + 1][NEAR_MAX_BYTES + 1];

	if (a.len > NEAR_MAX_BYTES || b.len > NEAR_MAX_BYTES)
		return UINT32_MAX;
	for (unsigned i = 0; i <= a.len; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= b.len; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		for (unsigned j = 1; j <= b.len; j++) {
			char x = (char)(a.data[i - 1] | 0x20), y = (char)(b.data[j - 1] | 0x20);
			unsigned best = d[i - 1][j - 1] + (x != y);

			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && x == (b.data[j - 2] | 0x20) &&
				(a.data[i - 2] | 0x20) == y)
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[a.len][b.len];
}

int
nearest_word(struct span word, const char *const *words, size_t n)
{
	unsigned best = UINT32_MAX;
	int found = -1;

	for (size_t i = 0; i < n; i++) {
		struct span known = span_of(words[i]);
		unsigned d = distance(word, known);

		/* One or two slips, never so many that nothing of the word is left. */
		if (d <= 2 && d < known.len && d < word.len && d < best) {
			best = d;
			found = (int)i;
		}
	}
	return found;
}

const char *
key_nearest(struct span word)
{
	const char *words[ARRAY_LEN(keys)];
	size_t n = 0;
	int at;

	/* Short aliases are near to everything: leave them out. */
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].word) > 2)
			words[n++] = keys[i].word;
	}
	at = nearest_word(word, words, n);
	return at < 0 ? NULL : words[at];
}

int
query_fail(struct err *err, uint32_t pos, const char *fmt, ...)
{
	char what[sizeof(err->what)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)err_set(err, -EINVAL, "%s", what);
	if (err)
		err->pos = pos;
	return -EINVAL;
}

int
query_too_much(struct err *err)
{
	if (err)
		err->code = -EOVERFLOW;
	return -EOVERFLOW;
}
