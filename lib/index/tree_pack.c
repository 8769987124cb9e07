#include "index/tree_pack.h"

enum unit { UNIT_1, UNIT_8, UNIT_512, UNIT_4096, UNIT_1000, UNIT_MILLION, UNIT_BILLION };

static bool
all_divide(const uint64_t *v, uint64_t by)
{
	for (uint32_t i = 0; i < TREE_BLOCK; i++) {
		if (v[i] % by != 0)
			return false;
	}
	return true;
}

/* The greatest factor of all numbers, whose bits or-ed are `any`. What divides by ten has as many
 * factors of two: so most are refused by their low bits. */
static enum unit
find_unit(const uint64_t *v, uint64_t any)
{
	unsigned twos = (unsigned)__builtin_ctzll(any);

	if (twos >= 9 && all_divide(v, tree_units[UNIT_BILLION]))
		return UNIT_BILLION;
	if (twos >= 6 && all_divide(v, tree_units[UNIT_MILLION]))
		return UNIT_MILLION;
	if (twos >= 12)
		return UNIT_4096;
	if (twos >= 3 && all_divide(v, tree_units[UNIT_1000]))
		return UNIT_1000;
	return twos >= 9 ? UNIT_512 : twos >= 3 ? UNIT_8 : UNIT_1;
}

/* The divisor is a constant in each loop: a shift or a multiplication. */
#define DIVIDE(by)                                        \
	do {                                              \
		for (uint32_t i = 0; i < TREE_BLOCK; i++) \
			v[i] /= (by);                     \
	} while (0)

static void
divide(uint64_t *v, enum unit unit)
{
	switch (unit) {
	case UNIT_1:
		return;
	case UNIT_8:
		DIVIDE(8u);
		return;
	case UNIT_512:
		DIVIDE(512u);
		return;
	case UNIT_4096:
		DIVIDE(4096u);
		return;
	case UNIT_1000:
		DIVIDE(1000u);
		return;
	case UNIT_MILLION:
		DIVIDE(1000000u);
		return;
	case UNIT_BILLION:
		DIVIDE(1000000000u);
		return;
	}
}
#undef DIVIDE

static void
put_bits(const uint64_t *v, unsigned width, char *out)
{
	uint64_t word = 0;
	unsigned filled = 0;

	for (uint32_t i = 0; i < TREE_BLOCK; i++) {
		word |= v[i] << filled;
		filled += width;
		if (filled >= 64) {
			memcpy(out, &word, sizeof(word));
			out += sizeof(word);
			filled -= 64;
			word = filled ? v[i] >> (width - filled) : 0;
		}
	}
}

static unsigned
width_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Values in unsigned order, all above the bias. Past 57 bits a number may not be in one load. */
static size_t
put_raw(uint64_t *v, uint64_t least, uint64_t bias, struct tree_block *ret, char *out)
{
	*ret = (struct tree_block){.base = bias, .width = 64};
	for (uint32_t i = 0; i < TREE_BLOCK; i++)
		v[i] += least;
	memcpy(out, v, TREE_PACK_MAX_BYTES);
	return TREE_PACK_MAX_BYTES;
}

size_t
tree_pack(enum tree_column col, uint64_t *v, struct tree_block *ret, char *out)
{
	uint64_t bias = tree_column_bias(col), limit = tree_column_max(col);
	uint64_t least = UINT64_MAX, most = 0, any = 0, top;
	enum unit unit;
	unsigned width;

	for (uint32_t i = 0; i < TREE_BLOCK; i++) {
		least = MIN(least, v[i] ^ bias);
		most = MAX(most, v[i] ^ bias);
	}
	for (uint32_t i = 0; i < TREE_BLOCK; i++) {
		v[i] = (v[i] ^ bias) - least;
		any |= v[i];
	}
	*ret = (struct tree_block){.base = least ^ bias};
	if (any == 0)
		return 0;
	unit = find_unit(v, any);
	width = width_of((most - least) / tree_units[unit]);
	if (width > 57)
		return put_raw(v, least, bias, ret, out);
	/* C3: what the width could hold above the column's end is given away below the base. */
	top = tree_units[unit] * tree_packed_mask(width);
	if (top > limit - least && unit != UNIT_1) {
		unit = UNIT_1;
		width = width_of(most - least);
		if (width > 57)
			return put_raw(v, least, bias, ret, out);
		top = tree_packed_mask(width);
	}
	if (top > limit - least) {
		for (uint32_t i = 0; i < TREE_BLOCK; i++)
			v[i] += least - (limit - top);
		ret->base = (limit - top) ^ bias;
	}
	divide(v, unit);
	ret->width = (uint8_t)width;
	ret->unit = (uint8_t)unit;
	put_bits(v, width, out);
	return (size_t)16 * width;
}
