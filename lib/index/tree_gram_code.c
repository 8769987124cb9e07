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

#define MAX_NUMBER_BYTES 5u

static size_t
put_number(uint8_t *out, uint32_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

/* False: it does not end before `end`, or is greater than any. */
static bool
get_number(const uint8_t **at, const uint8_t *end, uint32_t *ret)
{
	const uint8_t *p = *at;
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 7 * MAX_NUMBER_BYTES; shift += 7) {
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
bitmap_bytes(uint32_t n_chunks)
{
	return (n_chunks + 7) / 8;
}

size_t
gram_list_max_bytes(uint32_t n, uint32_t n_chunks)
{
	return MAX((size_t)n * MAX_NUMBER_BYTES, bitmap_bytes(n_chunks)) + MAX_NUMBER_BYTES;
}

static size_t
gap_bytes(const uint32_t *chunks, uint32_t n)
{
	uint8_t scratch[MAX_NUMBER_BYTES];
	size_t bytes = put_number(scratch, chunks[0]);

	for (uint32_t i = 1; i < n; i++)
		bytes += put_number(scratch, chunks[i] - chunks[i - 1] - 1);
	return bytes;
}

size_t
gram_list_put(const uint32_t *chunks, uint32_t n, uint32_t n_chunks, uint8_t *out)
{
	size_t gaps = gap_bytes(chunks, n), map = bitmap_bytes(n_chunks), at;

	if (gaps <= map) {
		at = put_number(out, (uint32_t)(2 * gaps));
		at += put_number(out + at, chunks[0]);
		for (uint32_t i = 1; i < n; i++)
			at += put_number(out + at, chunks[i] - chunks[i - 1] - 1);
		return at;
	}
	at = put_number(out, (uint32_t)(2 * map + 1));
	memset(out + at, 0, map);
	for (uint32_t i = 0; i < n; i++)
		out[at + chunks[i] / 8] |= (uint8_t)(1u << chunks[i] % 8);
	return at + map;
}

bool
gram_list_open(const uint8_t **at, const uint8_t *end, struct gram_list *ret)
{
	uint32_t head;

	if (!get_number(at, end, &head) || head / 2 > (size_t)(end - *at))
		return false;
	*ret = (struct gram_list){.at = *at, .end = *at + head / 2, .bitmap = head & 1};
	*at = ret->end;
	return true;
}

static void
filter_bitmap(const struct gram_list *l, uint32_t n_chunks, uint64_t *chunks)
{
	size_t bytes = MIN((size_t)(l->end - l->at), bitmap_bytes(n_chunks));

	for (uint32_t i = 0; i < (n_chunks + 63) / 64; i++) {
		size_t from = 8 * (size_t)i;
		uint64_t word = 0;

		if (from < bytes)
			memcpy(&word, l->at + from, MIN(bytes - from, sizeof(word)));
		chunks[i] &= word;
	}
}

/* The next chunk of a list of gaps: false at its end. `*chunk` starts at -1. */
static bool
next_chunk(const uint8_t **at, const uint8_t *end, uint64_t *chunk)
{
	uint32_t gap;

	if (!get_number(at, end, &gap))
		return false;
	*chunk += (uint64_t)gap + 1;
	return true;
}

void
gram_list_filter(const struct gram_list *l, uint32_t n_chunks, uint64_t *chunks)
{
	const uint8_t *at = l->at;
	uint64_t chunk = UINT64_MAX, word = 0;
	uint32_t i = 0;

	if (l->bitmap) {
		filter_bitmap(l, n_chunks, chunks);
		return;
	}
	/* A word of the bitmap is complete when the list has gone past it. */
	while (next_chunk(&at, l->end, &chunk) && chunk < n_chunks) {
		for (; i < chunk / 64; i++, word = 0)
			chunks[i] &= word;
		word |= (uint64_t)1 << chunk % 64;
	}
	for (; i < (n_chunks + 63) / 64; i++, word = 0)
		chunks[i] &= word;
}

static bool
check_bitmap(const struct gram_list *l, uint32_t n_chunks)
{
	uint32_t bytes = bitmap_bytes(n_chunks);
	bool any = false;

	if (l->end - l->at != bytes)
		return false;
	for (uint32_t i = 0; i < bytes; i++)
		any |= l->at[i] != 0;
	return any && (n_chunks % 8 == 0 || l->at[bytes - 1] >> n_chunks % 8 == 0);
}

bool
gram_list_check(const struct gram_list *l, uint32_t n_chunks)
{
	const uint8_t *at = l->at;
	uint64_t chunk = UINT64_MAX;

	if (l->bitmap)
		return check_bitmap(l, n_chunks);
	while (at < l->end) {
		if (!next_chunk(&at, l->end, &chunk) || chunk >= n_chunks)
			return false;
	}
	return chunk != UINT64_MAX;
}
