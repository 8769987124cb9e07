#include "index/tree_gram.h"

#include "text/codepoint.h"

/* Symbols, 6 bits each (FORMAT.md 3.8). */
#define SYMBOL_END 0u
#define SYMBOL_WIDE 52u /* and above: what is not ASCII, by a hash of its folding */
#define N_SYMBOLS 64u
#define SYMBOL_NONE N_SYMBOLS /* says nothing: a byte of a text that is not UTF-8 */

/* a-z with A-Z 1.., digits 27.., _ - . space + @ , ~ : = () % # [] 37.., others 51. */
static const uint8_t ascii_symbols[128] = {
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

/* Kelvin sign and long s fold to ASCII and are k and s here. */
static uint8_t
wide_symbol(uint32_t cp)
{
	uint32_t folded = fold_codepoint(cp);

	if (folded < 0x80)
		return ascii_symbols[folded];
	return (uint8_t)(SYMBOL_WIDE + (folded * 0x9e3779b1u >> 16) % (N_SYMBOLS - SYMBOL_WIDE));
}

/* A text that is not UTF-8 is searched byte by byte: what it holds beyond ASCII may be a part of a
 * character of the name. A text that is UTF-8 is decoded alike in every name that holds it, because
 * none of its bytes can belong to a character that begins before it. */
static uint8_t
text_symbol(struct span text, size_t *at, bool utf8)
{
	uint32_t cp;
	uint8_t c = (uint8_t)text.data[*at];

	if (c < 0x80 || !utf8) {
		*at += 1;
		return c < 0x80 ? ascii_symbols[c] : SYMBOL_NONE;
	}
	*at += codepoint_decode(text.data + *at, text.len - *at, &cp);
	return wide_symbol(cp);
}

struct gram_set {
	uint32_t *grams;
	unsigned n, max;
	uint8_t before[2]; /* the two symbols before the next */
};

static void
push_symbol(struct gram_set *s, uint8_t symbol)
{
	uint32_t gram = (uint32_t)s->before[0] << 12 | (uint32_t)s->before[1] << 6 | symbol;
	bool known = s->before[0] == SYMBOL_NONE || s->before[1] == SYMBOL_NONE ||
	             symbol == SYMBOL_NONE || s->n == s->max;

	s->before[0] = s->before[1];
	s->before[1] = symbol;
	for (unsigned i = 0; i < s->n && !known; i++)
		known = s->grams[i] == gram;
	if (!known)
		s->grams[s->n++] = gram;
}

unsigned
tree_grams(struct span text, enum tree_gram_flags flags, uint32_t *ret_grams, unsigned max)
{
	struct gram_set s = {.grams = ret_grams, .max = max, .before = {SYMBOL_NONE, SYMBOL_NONE}};
	bool utf8 = flags & TREE_GRAM_NAME || utf8_valid(text.data, text.len);

	for (size_t at = 0; at < text.len;)
		push_symbol(&s, text_symbol(text, &at, utf8));
	if (flags & (TREE_GRAM_TAIL | TREE_GRAM_NAME))
		push_symbol(&s, SYMBOL_END);
	return s.n;
}

bool
tree_has_grams(const struct tree_cols *c)
{
	(void)c;
	return false;
}

void
tree_gram_filter(const struct tree_cols *c, const uint32_t *grams, unsigned n, uint64_t *chunks)
{
	(void)c, (void)grams, (void)n, (void)chunks;
}
