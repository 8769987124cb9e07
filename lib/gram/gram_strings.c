#include "gram/gram_strings.h"

#define LEN_SHIFT 54u
#define LEN_MASK 15ull
#define STARTS (1ull << 62)
#define ENDS (1ull << 63)
#define SYMBOLS_OF(s) ((s) & ((1ull << LEN_SHIFT) - 1))

_Static_assert(GRAMS_MAX_SYMBOLS *SYMBOL_BITS <= LEN_SHIFT, "the symbols fit");
_Static_assert(GRAMS_MAX_SYMBOLS <= LEN_MASK, "and so does their number");

unsigned
gram_string_len(gram_string s)
{
	return (unsigned)(s >> LEN_SHIFT & LEN_MASK);
}

static gram_string
make(uint64_t symbols, unsigned len, uint64_t bounds)
{
	return symbols | (uint64_t)len << LEN_SHIFT | bounds;
}

gram_string
gram_string_of(const uint8_t *symbols, unsigned len, bool starts, bool ends)
{
	uint64_t packed = 0;

	assert(len <= GRAMS_MAX_SYMBOLS);
	for (unsigned i = 0; i < len; i++)
		packed = packed << SYMBOL_BITS | symbols[i];
	return make(packed, len, (starts ? STARTS : 0) | (ends ? ENDS : 0));
}

static uint8_t
symbol_at(gram_string s, unsigned at)
{
	return (uint8_t)(s >> (gram_string_len(s) - 1 - at) * SYMBOL_BITS & (N_SYMBOLS - 1));
}

unsigned
gram_string_symbols(gram_string s, uint8_t *symbols)
{
	unsigned n = 0;

	if (s & STARTS)
		symbols[n++] = SYMBOL_END;
	for (unsigned i = 0; i < gram_string_len(s); i++)
		symbols[n++] = symbol_at(s, i);
	if (s & ENDS)
		symbols[n++] = SYMBOL_END;
	return n;
}

enum gram_joined
gram_string_join(gram_string a, gram_string b, gram_string *ret)
{
	unsigned a_len = gram_string_len(a), b_len = gram_string_len(b);
	uint64_t bounds = (a & STARTS) | (b & ENDS);

	if (a_len > 0 && b & STARTS && symbol_at(a, a_len - 1) != SYMBOL_END)
		return JOIN_NEVER;
	if (b_len > 0 && a & ENDS && symbol_at(b, 0) != SYMBOL_END)
		return JOIN_NEVER;
	if (a_len + b_len > GRAMS_MAX_SYMBOLS)
		return JOIN_LONG;
	bounds |= a_len == 0 ? b & STARTS : 0;
	bounds |= b_len == 0 ? a & ENDS : 0;
	*ret = make(SYMBOLS_OF(a) << b_len * SYMBOL_BITS | SYMBOLS_OF(b), a_len + b_len, bounds);
	return JOIN_OK;
}

bool
gram_strings_add(struct gram_strings *set, gram_string s)
{
	for (uint32_t i = 0; i < set->n; i++) {
		if (set->s[i] == s)
			return true;
	}
	if (set->n == GRAMS_MAX_STRINGS)
		return false;
	set->s[set->n++] = s;
	return true;
}

/* What is left out is left out with the end behind it; of an empty string nothing is left. */
void
gram_strings_heads(const struct gram_strings *from, unsigned len, struct gram_strings *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < from->n; i++) {
		gram_string s = from->s[i];
		unsigned has = gram_string_len(s);

		if (len == 0)
			s = 0;
		else if (has > len)
			s = make(SYMBOLS_OF(s) >> (has - len) * SYMBOL_BITS, len, s & STARTS);
		(void)gram_strings_add(ret, s);
	}
}

void
gram_strings_tails(const struct gram_strings *from, unsigned len, struct gram_strings *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < from->n; i++) {
		gram_string s = from->s[i];

		if (len == 0)
			s = 0;
		else if (gram_string_len(s) > len)
			s = make(s & ((1ull << len * SYMBOL_BITS) - 1), len, s & ENDS);
		(void)gram_strings_add(ret, s);
	}
}

bool
gram_strings_union(struct gram_strings *set, const struct gram_strings *more)
{
	for (uint32_t i = 0; i < more->n; i++) {
		if (!gram_strings_add(set, more->s[i]))
			return false;
	}
	return true;
}

bool
gram_strings_product(
	const struct gram_strings *a, const struct gram_strings *b, struct gram_strings *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < a->n; i++) {
		for (uint32_t k = 0; k < b->n; k++) {
			gram_string s;
			enum gram_joined joined = gram_string_join(a->s[i], b->s[k], &s);

			if (joined == JOIN_LONG)
				return false;
			if (joined == JOIN_OK && !gram_strings_add(ret, s))
				return false;
		}
	}
	return true;
}
