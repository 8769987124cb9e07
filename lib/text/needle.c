#include "text/fold.h"

#include <errno.h>

#include "base/vec.h"
#include "text/codepoint.h"
#include "text/scan.h"

/* Windows in which a folded search looks for each form in turn: small first, so that a near match
 * costs little, and never larger than what stays in the cache between the scans. */
#define WINDOW_MIN_BYTES 1024u
#define WINDOW_MAX_BYTES (64u << 10)

/*
 * A folded needle matches texts in which each code point is any one that folds to the needle's.
 * Those of the needle's own encoded length stand at fixed offsets, and most texts hold no others:
 * one scan finds these. What has another length (U+212A for k, U+017F for s, U+1E9E for U+00DF) is
 * a special: an occurrence with one in it is found by looking for the special, then trying the
 * starts before it.
 */
struct special {
	char bytes[4];
	size_t len;
	struct scan scan;
};

struct needle_plan {
	struct scan scan;
	bool bytewise;    /* a byte matches itself or, in ASCII, its other case: see masks */
	size_t max_bytes; /* of the longest text that matches */
	char *masks;      /* one a byte: 0x20 where both cases of a letter match; in text's block */
	VEC(struct special) specials;
};

/* While the plan is made: the forms of one byte of the needle. */
struct forms {
	unsigned char form[2];
	unsigned n; /* 3: more than the scan can look for */
};

static void
forms_add(struct forms *f, unsigned char c)
{
	if (f->n > 2 || (f->n > 0 && f->form[0] == c) || (f->n > 1 && f->form[1] == c))
		return;
	if (f->n < 2)
		f->form[f->n] = c;
	if (f->n == 0)
		f->form[1] = c;
	f->n++;
}

static unsigned
forms_weight(const struct forms *f)
{
	return MAX(scan_byte_weight(f->form[0]), scan_byte_weight(f->form[1]));
}

/* The two rarest bytes. Every byte that can be looked for is, so at least the first one is. */
static void
scan_choose(struct scan *s, const struct forms *forms, size_t len)
{
	size_t best[2] = {0, 0};
	unsigned weight[2] = {UINT32_MAX, UINT32_MAX};

	for (size_t i = 0; i < len; i++) {
		unsigned w = forms_weight(&forms[i]);

		if (forms[i].n > 2 || w >= weight[1])
			continue;
		best[1] = i;
		weight[1] = w;
		if (w < weight[0]) {
			best[1] = best[0];
			weight[1] = weight[0];
			best[0] = i;
			weight[0] = w;
		}
	}
	if (weight[1] == UINT32_MAX)
		best[1] = best[0];
	for (size_t k = 0; k < 2; k++) {
		s->at[k] = best[k];
		memcpy(s->form[k], forms[best[k]].form, 2);
	}
}

static int
special_add(struct needle_plan *plan, const char *bytes, size_t len)
{
	struct special sp = {.len = len};
	struct forms forms[4] = {0};

	VEC_EACH (&plan->specials, have) {
		if (have->len == len && memcmp(have->bytes, bytes, len) == 0)
			return 0;
	}
	memcpy(sp.bytes, bytes, len);
	for (size_t i = 0; i < len; i++)
		forms_add(&forms[i], (unsigned char)bytes[i]);
	scan_choose(&sp.scan, forms, len);
	return VEC_PUSH(&plan->specials, sp);
}

/* The forms of a code point of the needle, whose own bytes are in `forms` already. The first byte
 * always stays one that the scan can look for. */
static int
plan_codepoint(struct needle_plan *plan, uint32_t cp, size_t len, struct forms *forms)
{
	uint32_t others[FOLD_MAX_OTHERS];
	size_t n = fold_others(cp, others), longest = len;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		char bytes[4];
		size_t other_len = codepoint_encode(others[i], bytes);
		struct forms first = forms[0];

		longest = MAX(longest, other_len);
		forms_add(&first, (unsigned char)bytes[0]);
		if (other_len != len || first.n > 2) {
			r = special_add(plan, bytes, other_len);
			continue;
		}
		for (size_t k = 0; k < len; k++)
			forms_add(&forms[k], (unsigned char)bytes[k]);
	}
	plan->max_bytes += longest;
	return r;
}

/* Masks and forms of a needle whose text is final. */
static int
plan_make(struct needle *n, struct forms *forms)
{
	struct needle_plan *plan = n->plan;
	size_t step;

	for (size_t i = 0; i < n->len; i++) {
		bool letter = n->fold && n->text[i] >= 'a' && n->text[i] <= 'z';

		plan->masks[i] = letter ? 0x20 : 0;
		forms_add(&forms[i], (unsigned char)n->text[i]);
		if (letter)
			forms_add(&forms[i], (unsigned char)(n->text[i] - 0x20));
	}
	if (!n->fold || !utf8_valid(n->text, n->len)) {
		plan->bytewise = n->exact_ascii = true;
		plan->max_bytes = n->len;
		return 0;
	}
	plan->bytewise = n->ascii;
	for (size_t i = 0; i < n->len; i += step) {
		uint32_t cp;
		int r;

		step = codepoint_decode(n->text + i, n->len - i, &cp);
		r = plan_codepoint(plan, cp, step, forms + i);
		if (r < 0)
			return r;
	}
	n->exact_ascii = plan->bytewise && plan->specials.len == 0;
	return 0;
}

static char
fold_ascii(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int
fold_by(bool utf8, struct span text, struct strbuf *out)
{
	if (utf8)
		return fold_append(out, text);
	for (size_t i = 0; i < text.len; i++)
		(void)strbuf_putc(out, fold_ascii(text.data[i]));
	return out->failed ? -ENOMEM : 0;
}

int
needle_fold(const struct needle *n, struct span text, struct strbuf *out)
{
	if (!n->fold)
		return strbuf_span(out, text);
	return fold_by(utf8_valid(n->text, n->len), text, out);
}

static int
needle_make(struct needle *n, struct span text)
{
	struct strbuf buf = {0};
	AUTO(freep) struct forms *forms = NULL;
	int r = n->fold ? fold_by(utf8_valid(text.data, text.len), text, &buf)
	                : strbuf_span(&buf, text);

	n->len = buf.len;
	if (r == 0)
		r = strbuf_reserve(&buf, buf.len); /* the masks stand behind the text */
	n->text = strbuf_take(&buf);
	n->plan = calloc(1, sizeof(*n->plan));
	forms = calloc(n->len ? n->len : 1, sizeof(*forms));
	if (r < 0 || !n->text || !n->plan || !forms)
		return -ENOMEM;
	n->plan->masks = n->text + n->len;
	n->ascii = true;
	for (size_t i = 0; i < n->len; i++)
		n->ascii = n->ascii && !(n->text[i] & 0x80);
	r = plan_make(n, forms);
	scan_choose(&n->plan->scan, forms, n->len);
	n->rare = n->plan->scan.at[0];
	return r;
}

int
needle_init(struct needle *n, struct span text, bool fold)
{
	struct needle made = {.fold = fold};
	int r;

	if (text.len == 0)
		return -EINVAL;
	r = needle_make(&made, text);
	if (r < 0)
		needle_fini(&made);
	else
		*n = made;
	return r;
}

void
needle_fini(struct needle *n)
{
	if (n->plan)
		VEC_FINI(&n->plan->specials);
	free(n->plan);
	free(n->text);
	*n = (struct needle){0};
}

/* Eight bytes at a time, the rest one by one. */
static bool
equal_masked(const struct needle *n, const char *at)
{
	const char *masks = n->plan->masks;
	size_t i = 0;

	for (; n->len - i >= 8; i += 8) {
		uint64_t word, mask, want;

		memcpy(&word, at + i, 8);
		memcpy(&mask, masks + i, 8);
		memcpy(&want, n->text + i, 8);
		if ((word | mask) != want)
			return false;
	}
	for (; i < n->len; i++) {
		if ((char)(at[i] | masks[i]) != n->text[i])
			return false;
	}
	return true;
}

/* Length of the text at `at` that folds to the needle, 0 when it does not. */
static size_t
match_folded(const struct needle *n, const char *at, size_t left)
{
	size_t used = 0;

	for (size_t i = 0; i < n->len;) {
		uint32_t want, cp;

		if (used == left)
			return 0;
		if (!((n->text[i] | at[used]) & 0x80)) {
			if ((char)(at[used] | n->plan->masks[i]) != n->text[i])
				return 0;
			i++;
			used++;
			continue;
		}
		i += codepoint_decode(n->text + i, n->len - i, &want);
		used += codepoint_decode(at + used, left - used, &cp);
		if (cp != want && fold_codepoint(cp) != want)
			return 0;
	}
	return used;
}

/* The first match that starts in [from, end) and has every byte at its fixed place, or SCAN_NONE.
 */
static size_t
find_fixed(const struct needle *n, struct span text, size_t from, size_t end, bool bytewise,
	size_t *ret_len)
{
	if (text.len < n->len)
		return SCAN_NONE;
	end = MIN(end, text.len - n->len + 1);
	for (;;) {
		size_t at = scan_next(&n->plan->scan, text.data, from, end), len;

		if (at == SCAN_NONE)
			return SCAN_NONE;
		if (!n->fold)
			len = memcmp(text.data + at, n->text, n->len) == 0 ? n->len : 0;
		else if (bytewise)
			len = equal_masked(n, text.data + at) ? n->len : 0;
		else
			len = match_folded(n, text.data + at, text.len - at);
		if (len > 0) {
			*ret_len = len;
			return at;
		}
		from = at + 1;
	}
}

/* The first match that starts in [from, end) and holds the special, or SCAN_NONE. No start is tried
 * twice, so a text full of specials costs no more than trying every start. */
static size_t
find_special(const struct needle *n, const struct special *sp, struct span text, size_t from,
	size_t end, size_t *ret_len)
{
	size_t reach = end - 1 + n->plan->max_bytes, tried = from, at = from;

	reach = MIN(reach, text.len - MIN(text.len, sp->len - 1));
	for (; tried < end; at++) {
		at = scan_next(&sp->scan, text.data, at, reach);
		if (at == SCAN_NONE)
			break;
		if (memcmp(text.data + at, sp->bytes, sp->len) != 0)
			continue;
		tried = MAX(tried, at - MIN(at, n->plan->max_bytes));
		for (; tried <= at && tried < end; tried++) {
			*ret_len = match_folded(n, text.data + tried, text.len - tried);
			if (*ret_len > 0)
				return tried;
		}
	}
	return SCAN_NONE;
}

static size_t
find_folded(const struct needle *n, struct span text, size_t from, size_t *ret_len)
{
	size_t window = WINDOW_MIN_BYTES;

	while (from < text.len) {
		size_t end = from + MIN(window, text.len - from), len = 0;
		size_t best = find_fixed(n, text, from, end, n->plan->bytewise, ret_len);

		/* A match found bounds where an earlier one can start. */
		VEC_EACH (&n->plan->specials, sp) {
			size_t limit = best == SCAN_NONE ? end : best;
			size_t at = limit > from ? find_special(n, sp, text, from, limit, &len)
			                         : SCAN_NONE;

			if (at != SCAN_NONE) {
				best = at;
				*ret_len = len;
			}
		}
		if (best != SCAN_NONE)
			return best;
		from = end;
		window = MIN(2 * window, WINDOW_MAX_BYTES);
	}
	return SCAN_NONE;
}

ssize_t
needle_find(const struct needle *n, struct span text, size_t from, size_t *ret_match_len)
{
	size_t at, len = 0;

	if (n->plan->specials.len > 0)
		at = find_folded(n, text, from, &len);
	else
		at = find_fixed(n, text, from, SIZE_MAX, n->plan->bytewise, &len);
	if (at == SCAN_NONE)
		return -1;
	if (ret_match_len)
		*ret_match_len = len;
	return (ssize_t)at;
}

ssize_t
needle_find_ascii(const struct needle *n, struct span text, size_t from)
{
	size_t len, at = find_fixed(n, text, from, SIZE_MAX, true, &len);

	return at == SCAN_NONE ? -1 : (ssize_t)at;
}
