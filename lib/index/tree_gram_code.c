#include "index/tree_gram_code.h"

#include "sync/once.h"
#include "text/codepoint.h"

#define SYMBOL_REST 51u /* of ASCII, and bytes that are no UTF-8 */
#define SYMBOL_WIDE 52u /* and above: what is not ASCII, by a hash of its folding */
#define N_SYMBOLS 64u
/* No letter with case is past the first two planes. */
#define CASED_END 0x20000u

/* a-z with A-Z 1.., digits 27.., _ - . space + @ , ~ : = () % # [] 37.., others 51. */
const uint8_t gram_ascii[128] = {
	0,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	51,
	40,
	51,
	51,
	49,
	51,
	48,
	51,
	51,
	47,
	47,
	51,
	41,
	43,
	38,
	39,
	51,
	27,
	28,
	29,
	30,
	31,
	32,
	33,
	34,
	35,
	36,
	45,
	51,
	51,
	46,
	51,
	51,
	42,
	1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16,
	17,
	18,
	19,
	20,
	21,
	22,
	23,
	24,
	25,
	26,
	50,
	51,
	50,
	51,
	37,
	51,
	1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16,
	17,
	18,
	19,
	20,
	21,
	22,
	23,
	24,
	25,
	26,
	51,
	51,
	51,
	44,
	51,
};

static uint8_t
hash_symbol(uint32_t cp)
{
	return (uint8_t)(SYMBOL_WIDE + (cp * 0x9e3779b1u >> 16) % (N_SYMBOLS - SYMBOL_WIDE));
}

/* Fixed by symbols_make(), which once_run() orders before every reader: folding costs more than
 * all the rest. Kelvin sign and long s fold to ASCII and are k and s. */
static uint8_t wide_symbols[CASED_END];
static struct once symbols_once;

static int
symbols_make(void *unused)
{
	(void)unused;
	for (uint32_t cp = 0; cp < CASED_END; cp++) {
		uint32_t folded = fold_codepoint(cp);

		wide_symbols[cp] = folded < 0x80 ? gram_ascii[folded] : hash_symbol(folded);
	}
	return 0;
}

uint8_t
gram_wide_symbol(struct span text, size_t *at)
{
	uint32_t cp;

	*at += codepoint_decode(text.data + *at, text.len - *at, &cp);
	if (cp & CODEPOINT_BYTE)
		return SYMBOL_REST;
	(void)once_run(&symbols_once, symbols_make, NULL); /* cannot fail */
	return cp < CASED_END ? wide_symbols[cp] : hash_symbol(cp);
}

size_t
gram_head_put(uint8_t *out, uint32_t head)
{
	size_t n = 0;

	for (; head >= 0x80; head >>= 7)
		out[n++] = (uint8_t)(head | 0x80);
	out[n++] = (uint8_t)head;
	return n;
}

/* False: it does not end before `end`, or is greater than any. */
static bool
get_head(const uint8_t **at, const uint8_t *end, uint32_t *ret)
{
	const uint8_t *p = *at;
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 7 * GRAM_HEAD_MAX_BYTES; shift += 7) {
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (*p++ < 0x80) {
			*ret = (uint32_t)v;
			*at = p;
			return v <= UINT32_MAX;
		}
	}
	return false;
}

static uint32_t
bitmap_bytes(uint32_t n_groups)
{
	return (n_groups + 7) / 8;
}

size_t
gram_list_max_bytes(uint32_t n_groups)
{
	return bitmap_bytes(n_groups);
}

/* ---- Rice code: Robert F. Rice, Some Practical Universal Noiseless Coding Techniques, 1979 ----
 */

#define RICE_MAX_LOW 31u

/* Of a difference so many low bits stand as they are: as many as make the rest about one. */
static unsigned
rice_low(const uint32_t *groups, uint32_t n)
{
	uint64_t mean = (groups[n - 1] + 1ull - n) * 11 / 16 / n;

	return mean ? 63 - (unsigned)__builtin_clzll(mean) : 0;
}

static uint32_t
gap_at(const uint32_t *groups, uint32_t i)
{
	return i ? groups[i] - groups[i - 1] - 1 : groups[0];
}

static size_t
rice_bytes(const uint32_t *groups, uint32_t n, unsigned low)
{
	uint64_t bits = (uint64_t)n * (low + 1);

	for (uint32_t i = 0; i < n; i++)
		bits += gap_at(groups, i) >> low;
	return (size_t)((bits + 7) / 8) + 1;
}

/* The low bits of a number go behind the one; both fit in 32 bits. */
static void
put_bits(uint8_t *out, uint64_t at, uint64_t bits, unsigned n)
{
	for (bits <<= at % 8, n += at % 8, at /= 8; n > 0; at++, bits >>= 8, n -= MIN(n, 8u))
		out[at] |= (uint8_t)bits;
}

/* Into zeros. */
static void
rice_put(const uint32_t *groups, uint32_t n, unsigned low, uint8_t *out)
{
	uint64_t at = 8;

	out[0] = (uint8_t)low;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t gap = gap_at(groups, i), rest = gap & (((uint64_t)1 << low) - 1);

		at += gap >> low;
		put_bits(out, at, rest << 1 | 1, low + 1);
		at += low + 1;
	}
}

struct rice {
	const uint8_t *at, *end;
	uint64_t bits; /* the next n_bits, lowest first; above them zeros */
	unsigned n_bits, low;
};

static bool
rice_open(const struct gram_list *l, struct rice *ret)
{
	*ret = (struct rice){.at = l->at, .end = l->end};
	if (l->at == l->end || *l->at > RICE_MAX_LOW)
		return false;
	ret->low = *ret->at++;
	return true;
}

/* At least 32 bits, or all that are left. */
static inline void
rice_fill(struct rice *r)
{
	uint64_t word = 0;

	if (r->n_bits >= 32)
		return;
	if (r->end - r->at >= 8) {
		unsigned n = (64 - r->n_bits) / 8;

		memcpy(&word, r->at, sizeof(word));
		if (n < 8)
			word &= ((uint64_t)1 << 8 * n) - 1;
		r->bits |= n ? word << r->n_bits : 0;
		r->at += n;
		r->n_bits += 8 * n;
		return;
	}
	for (; r->n_bits <= 56 && r->at < r->end; r->n_bits += 8)
		r->bits |= (uint64_t)*r->at++ << r->n_bits;
}

/* The next group of a list: false at its end. `*group` starts at -1. A code is mostly within what
 * one fill gives. */
static inline bool
rice_next(struct rice *r, uint64_t *group)
{
	uint64_t high = 0;
	unsigned zeros;

	for (rice_fill(r); r->bits == 0; rice_fill(r)) {
		if (r->at == r->end)
			return false;
		high += r->n_bits;
		r->n_bits = 0;
	}
	zeros = (unsigned)__builtin_ctzll(r->bits);
	high += zeros;
	r->bits = r->bits >> zeros >> 1;
	r->n_bits -= zeros + 1;
	if (r->n_bits < r->low) {
		rice_fill(r);
		if (r->n_bits < r->low)
			return false;
	}
	*group += (high << r->low | (r->bits & (((uint64_t)1 << r->low) - 1))) + 1;
	r->bits >>= r->low;
	r->n_bits -= r->low;
	return true;
}

/* ---- lists and rows ---- */

#define RICE_MAX_PART \
	3u /* of a bitmap's bytes, so much is worth a list that takes longer to read */

size_t
gram_list_put(
	const uint32_t *groups, uint32_t n, uint32_t n_groups, uint8_t *out, uint32_t *ret_head)
{
	unsigned low = rice_low(groups, n);
	size_t rice = rice_bytes(groups, n, low), map = bitmap_bytes(n_groups);

	if (rice <= map / RICE_MAX_PART) {
		memset(out, 0, rice);
		rice_put(groups, n, low, out);
		*ret_head = (uint32_t)(2 * rice);
		return rice;
	}
	memset(out, 0, map);
	for (uint32_t i = 0; i < n; i++)
		out[groups[i] / 8] |= (uint8_t)(1u << groups[i] % 8);
	*ret_head = (uint32_t)(2 * map + 1);
	return map;
}

/* What a row holds: its grams, and where its lists are. */
struct row {
	uint64_t present;
	const uint8_t *lists;
	uint64_t n_bytes; /* of the lists */
	struct gram_list found;
};

/* Goes through all heads; `which` is the gram looked for. False: they do not end in the row. */
static bool
read_heads(const uint8_t *at, const uint8_t *end, unsigned which, struct row *ret)
{
	uint64_t before = 0, here = 0;
	bool bitmap = false;

	if ((size_t)(end - at) < sizeof(ret->present))
		return false;
	memcpy(&ret->present, at, sizeof(ret->present));
	at += sizeof(ret->present);
	ret->n_bytes = 0;
	for (uint64_t left = ret->present; left; left &= left - 1) {
		uint32_t head;

		if (!get_head(&at, end, &head))
			return false;
		if ((unsigned)__builtin_ctzll(left) == which) {
			before = ret->n_bytes;
			here = head / 2;
			bitmap = head & 1;
		}
		ret->n_bytes += head / 2;
	}
	if (ret->n_bytes > (uint64_t)(end - at))
		return false;
	ret->lists = at;
	ret->found = (struct gram_list){at + before, at + before + here, bitmap};
	return true;
}

bool
gram_row_find(const uint8_t *at, const uint8_t *end, unsigned which, struct gram_list *ret)
{
	struct row row;

	if (!read_heads(at, end, which, &row) || !(row.present >> which & 1))
		return false;
	*ret = row.found;
	return true;
}

bool
gram_row_check(const uint8_t *at, const uint8_t *end)
{
	struct row row;

	return read_heads(at, end, 0, &row) && row.present &&
	       row.n_bytes == (uint64_t)(end - row.lists);
}

struct bitmap {
	const uint8_t *at;
	uint32_t n_whole; /* words of 8 bytes */
	uint64_t rest;    /* behind them: one word, and nothing behind that */
};

static struct bitmap
bitmap_open(const struct gram_list *l, uint32_t n_groups)
{
	size_t bytes = MIN((size_t)(l->end - l->at), bitmap_bytes(n_groups));
	struct bitmap b = {.at = l->at, .n_whole = (uint32_t)(bytes / 8)};

	memcpy(&b.rest, l->at + (size_t)8 * b.n_whole, bytes % 8);
	return b;
}

static void
filter_bitmap(const struct gram_list *l, uint32_t n_groups, uint64_t *groups)
{
	const struct bitmap b = bitmap_open(l, n_groups);

	for (uint32_t i = 0; i < b.n_whole; i++) {
		uint64_t word;

		memcpy(&word, b.at + (size_t)8 * i, sizeof(word));
		groups[i] &= word;
	}
	for (uint32_t i = b.n_whole; i < (n_groups + 63) / 64; i++)
		groups[i] &= i == b.n_whole ? b.rest : 0;
}

static void
add_bitmap(const struct gram_list *l, uint32_t n_groups, uint64_t *groups)
{
	const struct bitmap b = bitmap_open(l, n_groups);

	for (uint32_t i = 0; i < b.n_whole; i++) {
		uint64_t word;

		memcpy(&word, b.at + (size_t)8 * i, sizeof(word));
		groups[i] |= word;
	}
	if (b.rest)
		groups[b.n_whole] |= b.rest;
}

void
gram_list_filter(const struct gram_list *l, uint32_t n_groups, uint64_t *groups)
{
	const uint32_t n_words = (n_groups + 63) / 64;
	uint64_t group = UINT64_MAX, word = 0;
	struct rice r;
	uint32_t i = 0;

	if (l->bitmap) {
		filter_bitmap(l, n_groups, groups);
		return;
	}
	/* A word of the bitmap is complete when the list has gone past it. */
	for (bool any = rice_open(l, &r); any && rice_next(&r, &group) && group < n_groups;) {
		for (; i < group / 64; i++, word = 0)
			groups[i] &= word;
		word |= (uint64_t)1 << group % 64;
	}
	for (; i < n_words; i++, word = 0)
		groups[i] &= word;
}

void
gram_list_add(const struct gram_list *l, uint32_t n_groups, uint64_t *groups)
{
	uint64_t group = UINT64_MAX;
	struct rice r;

	if (l->bitmap) {
		add_bitmap(l, n_groups, groups);
		return;
	}
	for (bool any = rice_open(l, &r); any && rice_next(&r, &group) && group < n_groups;)
		groups[group / 64] |= (uint64_t)1 << group % 64;
}
