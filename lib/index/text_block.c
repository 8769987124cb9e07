#include "index/text_block.h"

#include <string.h>

enum form { FORM_RUN, FORM_BITMAP, FORM_HALVES };

struct shape {
	enum form form;
	uint32_t k;         /* units that are written */
	uint32_t span;      /* u of FORMAT-TEXT.md 3.1 */
	unsigned low_bits;  /* l */
	uint32_t high_bits; /* all bits of the first half */
	uint64_t bits;
};

static unsigned
width_of(uint32_t v)
{
	return v ? 32 - (unsigned)__builtin_clz(v) : 0;
}

static struct shape
shape_of(uint32_t m, uint32_t from, uint32_t last)
{
	struct shape s = {.form = FORM_RUN, .k = m - 1, .span = last - from};

	if (s.span == s.k)
		return s;
	/* The quotient of two numbers of w and v bits has w - v bits, or one more. */
	if (s.k > 0 && s.span > s.k) {
		s.low_bits = width_of(s.span) - width_of(s.k);
		s.low_bits -= s.low_bits > 0 && (s.span >> s.low_bits) < s.k;
	}
	s.high_bits = s.k > 0 ? s.k + (s.span >> s.low_bits) : 0;
	s.bits = s.high_bits + (uint64_t)s.k * s.low_bits;
	s.form = FORM_HALVES;
	if (s.span <= s.bits) {
		s.form = FORM_BITMAP;
		s.bits = s.span;
	}
	return s;
}

size_t
text_block_bytes(uint32_t m, uint32_t from, uint32_t last)
{
	return (shape_of(m, from, last).bits + 7) / 8;
}

static uint64_t
load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void
store(char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Bits at ascending positions, to a word that is written when the next one begins. */
struct ones {
	char *out;
	uint64_t word;
	uint32_t at; /* of the word's first bit */
};

static inline void
put_one(struct ones *o, uint32_t bit)
{
	while (UNLIKELY(bit - o->at >= 64)) {
		store(o->out + o->at / 8, o->word);
		o->word = 0;
		o->at += 64;
	}
	o->word |= (uint64_t)1 << (bit - o->at);
}

/* What is left of n_bits, in whole words. */
static void
end_ones(struct ones *o, uint32_t n_bits)
{
	for (; o->at < n_bits; o->at += 64, o->word = 0)
		store(o->out + o->at / 8, o->word);
}

static void
put_bitmap(const struct shape *s, const uint32_t *units, uint32_t from, struct ones *to)
{
	for (uint32_t i = 0; i < s->k; i++)
		put_one(to, units[i] - from);
	end_ones(to, s->span);
}

/* Behind the first half, in the byte where it ends. */
static void
put_lows(const struct shape *s, const uint32_t *units, uint32_t from, char *out)
{
	uint64_t mask = ((uint64_t)1 << s->low_bits) - 1, word;
	unsigned filled = s->high_bits % 8;

	out += s->high_bits / 8;
	word = (uint8_t)*out & ((1u << filled) - 1);
	for (uint32_t i = 0; i < s->k; i++) {
		word |= ((units[i] - from) & mask) << filled;
		filled += s->low_bits;
		if (filled >= 32) {
			store(out, word);
			out += 4;
			word >>= 32;
			filled -= 32;
		}
	}
	store(out, word);
}

static void
put_halves(const struct shape *s, const uint32_t *units, uint32_t from, char *out)
{
	struct ones o = {.out = out};

	for (uint32_t i = 0; i < s->k; i++)
		put_one(&o, ((units[i] - from) >> s->low_bits) + i);
	end_ones(&o, s->high_bits);
	put_lows(s, units, from, out);
}

size_t
text_block_put(const uint32_t *units, uint32_t m, uint32_t from, char *out)
{
	struct shape s = shape_of(m, from, units[m - 1]);

	switch (s.form) {
	case FORM_RUN:
		break;
	case FORM_BITMAP:
		put_bitmap(&s, units, from, &(struct ones){.out = out});
		break;
	case FORM_HALVES:
		put_halves(&s, units, from, out);
		break;
	}
	return (s.bits + 7) / 8;
}

/* Positions of the first k ones among n_bits: how many there are. */
static uint32_t
read_ones(const char *in, uint32_t n_bits, uint32_t k, uint32_t *ret)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < n_bits && n < k; at += 64) {
		uint64_t word = load(in + at / 8);

		if (n_bits - at < 64)
			word &= ((uint64_t)1 << (n_bits - at)) - 1;
		for (; word && n < k; word &= word - 1)
			ret[n++] = at + (uint32_t)__builtin_ctzll(word);
	}
	return n;
}

static uint32_t
get_bitmap(const struct shape *s, const char *in, uint32_t from, uint32_t *ret)
{
	uint32_t n = read_ones(in, s->span, s->k, ret);

	for (uint32_t i = 0; i < n; i++)
		ret[i] += from;
	return n;
}

static uint32_t
get_halves(const struct shape *s, const char *in, uint32_t from, uint32_t *ret)
{
	uint32_t n = read_ones(in, s->high_bits, s->k, ret), at = s->high_bits;
	uint32_t mask = (uint32_t)(((uint64_t)1 << s->low_bits) - 1);

	/* The lesser of both is in the block whatever the bits are. Where they are right it is the
	 * first. */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t low = (uint32_t)(load(in + at / 8) >> at % 8) & mask;
		uint64_t v = (uint64_t)(ret[i] - i) << s->low_bits | low;

		ret[i] = from + (uint32_t)MIN(v, s->span);
		at += s->low_bits;
	}
	return n;
}

size_t
text_block_get(const char *in, uint32_t m, uint32_t from, uint32_t last, uint32_t *ret)
{
	struct shape s = shape_of(m, from, last);
	uint32_t n = 0;

	switch (s.form) {
	case FORM_RUN:
		for (; n < s.k; n++)
			ret[n] = from + n;
		break;
	case FORM_BITMAP:
		n = get_bitmap(&s, in, from, ret);
		break;
	case FORM_HALVES:
		n = get_halves(&s, in, from, ret);
		break;
	}
	/* Ones that are missing: the block is damaged. */
	for (; n < m; n++)
		ret[n] = last;
	return (s.bits + 7) / 8;
}

bool
text_block_exact(const char *in, uint32_t m, uint32_t from, uint32_t last)
{
	uint32_t units[TEXT_BLOCK];
	char out[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];
	size_t len;

	(void)text_block_get(in, m, from, last, units);
	for (uint32_t i = 1; i < m; i++) {
		if (units[i] <= units[i - 1])
			return false;
	}
	len = text_block_put(units, m, from, out);
	return memcmp(in, out, len) == 0;
}

uint32_t
text_lasts_get(const char *lasts, uint32_t n_units, uint32_t block)
{
	unsigned bits = text_unit_bits(n_units);
	uint64_t at = (uint64_t)bits * block;

	return (uint32_t)(load(lasts + at / 8) >> at % 8 & (((uint64_t)1 << bits) - 1));
}

void
text_lasts_put(const uint32_t *units, uint32_t n, uint32_t n_units, char *out)
{
	unsigned bits = text_unit_bits(n_units), filled = 0;
	uint64_t word = 0;

	for (uint32_t i = 0; i < n; i += TEXT_BLOCK) {
		word |= (uint64_t)units[MIN(i + TEXT_BLOCK, n) - 1] << filled;
		for (filled += bits; filled >= 8; filled -= 8, word >>= 8)
			*out++ = (char)word;
	}
	if (filled > 0)
		*out = (char)word;
}
