#include "index/text_block.h"

#include <string.h>

#define MAX_WIDTH 32u /* of a gap */
#define K_BITS 5u

/* What makes blocks is compiled twice: for every x86-64, or other processor, and with the shifts
 * and counts of those since 2013. */
#define BOTH static inline __attribute__((always_inline))

/* Without a branch for 0, which is half of all gaps. */
BOTH unsigned
width_of(uint32_t v)
{
	return 63 - (unsigned)__builtin_clzll(2 * (uint64_t)v + 1);
}

static uint64_t
load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

BOTH void
store(char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Bits one after the other, to words that are written when they are full. */
struct bits {
	char *out;
	uint64_t word;
	unsigned filled; /* below 32 after each */
};

/* Nothing could predict when a word is full: it is written each time. */
BOTH void
end_put(struct bits *b)
{
	bool full = b->filled >= 32;

	store(b->out, b->word);
	b->out += full ? 4 : 0;
	b->word = full ? b->word >> 32 : b->word;
	b->filled &= 31;
}

/* At most 32 bits. */
BOTH void
put_bits(struct bits *b, uint64_t v, unsigned n)
{
	b->word |= v << b->filled;
	b->filled += n;
	end_put(b);
}

/* The gaps' classes in unary, ones behind zeros: two at once where they fit, because each waits for
 * the one before. */
BOTH void
put_classes(struct bits *b, const uint8_t *classes, uint32_t n)
{
	uint32_t i = 0;

	for (; i + 1 < n; i += 2) {
		unsigned first = classes[i] + 1u, both = first + classes[i + 1] + 1u;
		uint64_t low = (uint64_t)1 << (first - 1);

		if (UNLIKELY(both > 32)) {
			put_bits(b, low, first);
			put_bits(b, (uint64_t)1 << classes[i + 1], both - first);
		} else {
			put_bits(b, low | (uint64_t)1 << (both - 1), both);
		}
	}
	if (i < n)
		put_bits(b, (uint64_t)1 << classes[i], classes[i] + 1u);
}

/* What the classes leave of the gaps; two at once, too. */
BOTH void
put_rests(struct bits *b, const uint32_t *gaps, const uint8_t *classes, uint32_t n, unsigned k)
{
	uint32_t i = 0;

#define REST(j) (gaps[j] - ((((uint64_t)1 << classes[j]) - 1) << k))
	for (; i + 1 < n; i += 2) {
		unsigned first = classes[i] + k, both = first + classes[i + 1] + k;

		if (UNLIKELY(both > 32)) {
			put_bits(b, REST(i), first);
			put_bits(b, REST(i + 1), both - first);
		} else {
			put_bits(b, REST(i) | REST(i + 1) << first, both);
		}
	}
	if (i < n)
		put_bits(b, REST(i), classes[i] + k);
#undef REST
}

BOTH size_t
put_block(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	uint8_t classes[TEXT_BLOCK];
	uint32_t gaps[TEXT_BLOCK], widths = 0, k;
	struct bits b = {.out = out};

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		gaps[i] = units[i] - from;
		from = units[i] + 1;
		widths += width_of(gaps[i]);
	}
	k = (2 * widths + n) / (2 * n); /* the mean, rounded: as good as the median */
	k -= k > 0;
	put_bits(&b, k, K_BITS);
	/* FORMAT-TEXT.md 3.1: of what k leaves of a gap. */
	for (uint32_t i = 0; i < n; i++)
		classes[i] = (uint8_t)(31 - __builtin_clz((gaps[i] >> k) + 1));
	put_classes(&b, classes, n);
	put_rests(&b, gaps, classes, n, k);
	return (size_t)(b.out - out) + (b.filled + 7) / 8;
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2,lzcnt"))) static size_t
put_v3(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	return put_block(units, n, from, out);
}

static bool
has_v3(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
#else
#	define has_v3() false
#	define put_v3 put_block
#endif

size_t
text_block_put(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	return has_v3() ? put_v3(units, n, from, out) : put_block(units, n, from, out);
}

/* Positions of the first n ones from bit `from` on: how many there are. */
static uint32_t
read_ones(const char *in, size_t bytes, unsigned from, uint32_t n, uint32_t *ret)
{
	uint64_t word = load(in) >> from << from;
	uint32_t found = 0, at = 0;

	for (;;) {
		for (; word && found < n; word &= word - 1)
			ret[found++] = at + (uint32_t)__builtin_ctzll(word);
		at += 64;
		if (found == n || at / 8 >= bytes)
			return found;
		word = load(in + at / 8);
	}
}

void
text_block_get(
	const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit, uint32_t *ret)
{
	uint32_t i = 0, found, before = K_BITS - 1, end = (uint32_t)bytes * 8, at;
	uint64_t unit = from;
	unsigned k;

	if (n == 0)
		return;
	k = bytes ? (uint8_t)*in & ((1u << K_BITS) - 1) : 0;
	found = bytes ? read_ones(in, bytes, K_BITS, n, ret) : 0;
	at = found ? ret[found - 1] + 1 : 0; /* where the second half begins */
	for (; i < found; i++) {
		uint32_t c = ret[i] - before - 1, bits = c + k;

		/* What a gap cannot be, and what is not in the block: damage. */
		if (UNLIKELY(bits > MAX_WIDTH || at + bits > end))
			break;
		before = ret[i];
		unit += (load(in + at / 8) >> at % 8 & (((uint64_t)1 << bits) - 1)) +
		        ((((uint64_t)1 << c) - 1) << k);
		if (UNLIKELY(unit > limit))
			break;
		ret[i] = (uint32_t)unit++;
		at += bits;
	}
	for (; i < n; i++)
		ret[i] = limit;
}

bool
text_block_exact(const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit)
{
	uint32_t units[TEXT_BLOCK];
	char out[TEXT_BLOCK_MAX_BYTES + TEXT_BLOCK_SLACK];
	size_t len;

	text_block_get(in, bytes, n, from, limit, units);
	for (uint32_t i = 1; i < n; i++) {
		if (units[i] <= units[i - 1])
			return false;
	}
	len = text_block_put(units, n, from, out);
	return len == bytes && memcmp(in, out, len) == 0;
}

struct text_skip
text_skip_get(const char *skips, uint32_t n_units, uint32_t block)
{
	unsigned bits = text_unit_bits(n_units);
	uint64_t at = (uint64_t)(bits + TEXT_BLOCK_BITS) * block;
	uint64_t word = load(skips + at / 8) >> at % 8;

	return (struct text_skip){(uint32_t)(word & (((uint64_t)1 << bits) - 1)),
		(uint32_t)(word >> bits) & ((1u << TEXT_BLOCK_BITS) - 1)};
}

void
text_skip_put(char *skips, uint32_t n_units, uint32_t block, struct text_skip s)
{
	unsigned bits = text_unit_bits(n_units);
	uint64_t at = (uint64_t)(bits + TEXT_BLOCK_BITS) * block;
	uint64_t v = s.last | (uint64_t)s.bytes << bits;

	store(skips + at / 8, load(skips + at / 8) | v << at % 8);
}
