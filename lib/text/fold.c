#include "text/fold.h"

#include <errno.h>
#include <utf8proc.h>

#include "sync/once.h"
#include "text/codepoint.h"

#define MAX_CODEPOINT 0x10ffffu
/* No plane past the first two has letters with case. */
#define CASED_END 0x20000u
/* 1,500 code points have a folding in Unicode 15. */
#define MAX_FOLDED 4096u

size_t
codepoint_decode(const char *p, size_t len, uint32_t *ret)
{
	static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *s = (const unsigned char *)p;
	size_t n = utf8_step(p, len);
	uint32_t cp;

	if (n == 0) {
		*ret = CODEPOINT_BYTE | s[0];
		return 1;
	}
	cp = s[0] & lead_mask[n];
	for (size_t i = 1; i < n; i++)
		cp = cp << 6 | (s[i] & 0x3f);
	*ret = cp;
	return n;
}

size_t
codepoint_encode(uint32_t cp, char out[4])
{
	if (cp & CODEPOINT_BYTE) {
		out[0] = (char)(cp & 0xff);
		return 1;
	}
	return (size_t)utf8proc_encode_char((utf8proc_int32_t)cp, (utf8proc_uint8_t *)out);
}

/*
 * utf8proc has the full folding (C and F) as a sequence and the lower case of one code point. One
 * code point of full folding is status C. A longer sequence is status F, where the simple folding
 * (S), if there is one, is the lower case; where there is none, the lower case is the code point
 * itself, but for U+0130, whose lower case is i (status T, Turkish).
 */
uint32_t
fold_codepoint(uint32_t cp)
{
	utf8proc_int32_t seq[4];
	int boundary = 0;

	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z' ? cp | 0x20 : cp;
	if (cp > MAX_CODEPOINT || cp == 0x130)
		return cp;
	if (utf8proc_decompose_char((utf8proc_int32_t)cp, seq, (utf8proc_ssize_t)ARRAY_LEN(seq),
		    UTF8PROC_CASEFOLD, &boundary) == 1)
		return (uint32_t)seq[0];
	return (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
}

enum codepoint_kind
codepoint_kind(uint32_t cp)
{
	utf8proc_category_t category =
		cp > MAX_CODEPOINT ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)cp);

	if (category == UTF8PROC_CATEGORY_ND)
		return CODEPOINT_DIGIT;
	return category == UTF8PROC_CATEGORY_CN ? CODEPOINT_UNASSIGNED : CODEPOINT_OTHER;
}

struct folded {
	uint32_t to, from;
};

/* Fixed by folded_make(), which once_run() orders before every reader. Sorted by `to`. */
static struct folded folded_table[MAX_FOLDED];
static size_t n_folded;
static struct once folded_once;

static int
folded_cmp(const void *a, const void *b)
{
	const struct folded *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static int
folded_make(void *unused)
{
	(void)unused;
	for (uint32_t cp = 0; cp < CASED_END; cp++) {
		uint32_t to = fold_codepoint(cp);

		if (to == cp)
			continue;
		assert(n_folded < MAX_FOLDED);
		folded_table[n_folded++] = (struct folded){to, cp};
	}
	qsort(folded_table, n_folded, sizeof(folded_table[0]), folded_cmp);
	return 0;
}

size_t
fold_others(uint32_t folded, uint32_t ret[FOLD_MAX_OTHERS])
{
	size_t lo = 0, hi, n = 0;

	(void)once_run(&folded_once, folded_make, NULL); /* cannot fail */
	hi = n_folded;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (folded_table[mid].to < folded)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n_folded && folded_table[lo].to == folded && n < FOLD_MAX_OTHERS; lo++)
		ret[n++] = folded_table[lo].from;
	return n;
}

int
fold_append(struct strbuf *out, struct span text)
{
	size_t i = 0;

	/* Folded text is at most 3 bytes for 2 (U+023A), and most often of the same length. */
	if (strbuf_reserve(out, text.len) < 0)
		return -ENOMEM;
	while (i < text.len) {
		char bytes[4];
		uint32_t cp;
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x80) {
			(void)strbuf_putc(out, (char)fold_codepoint(c));
			i++;
			continue;
		}
		i += codepoint_decode(text.data + i, text.len - i, &cp);
		(void)strbuf_add(out, bytes, codepoint_encode(fold_codepoint(cp), bytes));
	}
	return out->failed ? -ENOMEM : 0;
}

bool
fold_has_upper(struct span text)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t cp;

		i += codepoint_decode(text.data + i, text.len - i, &cp);
		if (cp <= MAX_CODEPOINT &&
			(utf8proc_isupper((utf8proc_int32_t)cp) ||
				utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_LU))
			return true;
	}
	return false;
}
