#include "index/text_block.h"

#include <string.h>

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

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

/* Bits one after the other, to bytes that are written again until they are full. */
struct bits {
	char *out;
	uint64_t word;
	unsigned filled; /* below 8 after each */
};
#define MOST_BITS 56u /* at once */

BOTH void
put_bits(struct bits *b, uint64_t v, unsigned n)
{
	b->word |= v << b->filled;
	b->filled += n;
	store(b->out, b->word);
	b->out += b->filled / 8;
	b->word >>= b->filled & ~7u;
	b->filled &= 7;
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

		if (UNLIKELY(both > MOST_BITS)) {
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
put_rests(struct bits *b, const uint32_t *rests, const uint8_t *classes, uint32_t n, unsigned k)
{
	uint32_t i = 0;

	for (; i + 1 < n; i += 2) {
		unsigned first = classes[i] + k, both = first + classes[i + 1] + k;

		if (UNLIKELY(both > MOST_BITS)) {
			put_bits(b, rests[i], first);
			put_bits(b, rests[i + 1], both - first);
		} else {
			put_bits(b, rests[i] | (uint64_t)rests[i + 1] << first, both);
		}
	}
	if (i < n)
		put_bits(b, rests[i], classes[i] + k);
}

/* k, of the widths of n gaps together: FORMAT-TEXT.md 3.1. */
BOTH uint32_t
parameter_of(uint32_t widths, uint32_t n)
{
	uint32_t k = (2 * widths + n) / (2 * n); /* the mean, rounded: as good as the median */

	return k - (k > 0);
}

/* The classes of gaps, whose rests take their place. */
BOTH void
classify(uint32_t *gaps, uint8_t *classes, uint32_t n, unsigned k)
{
	for (uint32_t i = 0; i < n; i++) {
		classes[i] = (uint8_t)(31 - __builtin_clz((gaps[i] >> k) + 1));
		gaps[i] -= (uint32_t)((((uint64_t)1 << classes[i]) - 1) << k);
	}
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
	k = parameter_of(widths, n);
	put_bits(&b, k, K_BITS);
	classify(gaps, classes, n, k);
	put_classes(&b, classes, n);
	put_rests(&b, gaps, classes, n, k);
	return (size_t)(b.out - out) + (b.filled + 7) / 8;
}

/* Positions of the first n ones from bit `from` on: how many there are. */
static inline uint32_t
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

static inline void
get_block(const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit, uint32_t *ret)
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

static size_t
put_plain(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	return put_block(units, n, from, out);
}

#if defined(__x86_64__)
#	define V3 __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#	define GROUP 8u
#	define EACH_BYTE 0x0101010101010101u

/* The place of the highest bit of what is neither 0 nor beyond 31 bits: the exponent as a float.
 * Eight ones in a row lose what is behind them, or it might be rounded up to one more. */
V3 static inline __m256i
log2_v3(__m256i v)
{
	v = _mm256_andnot_si256(_mm256_srli_epi32(v, 8), v);
	v = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(v)), 23);
	return _mm256_sub_epi32(v, _mm256_set1_epi32(127));
}

V3 static inline uint32_t
sum_v3(__m256i v)
{
	__m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return (uint32_t)_mm_cvtsi128_si32(s);
}

/* Of four values that stand at bits of their own, all. */
V3 static inline uint64_t
or_v3(__m256i v)
{
	__m128i s = _mm_or_si128(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	return (uint64_t)_mm_cvtsi128_si64(_mm_or_si128(s, _mm_unpackhi_epi64(s, s)));
}

/* Eight numbers below 256 as bytes. */
V3 static inline uint64_t
bytes_v3(__m256i v)
{
	__m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	return (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(words, words));
}

/* Each byte with all before it. */
static inline uint64_t
running(uint64_t bytes)
{
	return bytes * EACH_BYTE;
}

V3 static inline __m256i
wide_v3(uint64_t bytes)
{
	return _mm256_cvtepu8_epi64(_mm_cvtsi64_si128((long long)bytes));
}

/* Eight classes in unary; false: too many bits. */
V3 static inline bool
put_ones_v3(struct bits *b, uint64_t classes)
{
	uint64_t ends = running(classes + EACH_BYTE), at = ends - EACH_BYTE;
	__m256i one = _mm256_set1_epi64x(1);

	if (UNLIKELY(ends >> 56 > MOST_BITS))
		return false;
	put_bits(b,
		or_v3(_mm256_or_si256(_mm256_sllv_epi64(one, wide_v3(at)),
			_mm256_sllv_epi64(one, wide_v3(at >> 32)))),
		(unsigned)(ends >> 56));
	return true;
}

/* Eight rests of so many bits. */
V3 static inline bool
put_rests_v3(struct bits *b, __m256i rests, uint64_t widths)
{
	uint64_t ends = running(widths), at = ends - widths;
	__m256i low = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(rests));
	__m256i high = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(rests, 1));

	if (UNLIKELY(ends >> 56 > MOST_BITS))
		return false;
	put_bits(b,
		or_v3(_mm256_or_si256(_mm256_sllv_epi64(low, wide_v3(at)),
			_mm256_sllv_epi64(high, wide_v3(at >> 32)))),
		(unsigned)(ends >> 56));
	return true;
}

struct gaps_v3 {
	uint32_t gaps[TEXT_BLOCK + GROUP];
	uint8_t classes[TEXT_BLOCK + GROUP];
	uint32_t widths; /* of all */
};

/* False: one is too wide for what is done here. */
V3 static inline bool
measure_v3(struct gaps_v3 *g, const uint32_t *units, uint32_t n, uint32_t from)
{
	const __m256i one = _mm256_set1_epi32(1);
	__m256i sum = _mm256_setzero_si256(), all = sum;

	g->gaps[0] = units[0] - from;
	for (uint32_t i = 1; i < n; i += GROUP) {
		__m256i live = _mm256_cmpgt_epi32(
			_mm256_set1_epi32((int)(n - i)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
		__m256i v = _mm256_sub_epi32(_mm256_maskload_epi32((const int *)units + i, live),
			_mm256_maskload_epi32((const int *)units + i - 1, live));

		v = _mm256_and_si256(_mm256_sub_epi32(v, one), live);
		_mm256_storeu_si256((__m256i *)(void *)(g->gaps + i), v);
		all = _mm256_or_si256(all, v);
		v = _mm256_or_si256(_mm256_slli_epi32(v, 1), one);
		sum = _mm256_add_epi32(sum, log2_v3(v));
	}
	g->widths = sum_v3(sum) + width_of(g->gaps[0]);
	all = _mm256_srli_epi32(_mm256_or_si256(all, _mm256_set1_epi32((int)g->gaps[0])), 30);
	return _mm256_testz_si256(all, all);
}

/* The classes of the first n, groups of eight; what they leave takes the gaps' place. */
V3 static inline void
put_all_classes_v3(struct gaps_v3 *g, struct bits *b, uint32_t n, unsigned k)
{
	const __m256i one = _mm256_set1_epi32(1);
	__m128i by = _mm_cvtsi32_si128((int)k);

	for (uint32_t i = 0; i < n; i += GROUP) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(g->gaps + i));
		__m256i c = log2_v3(_mm256_add_epi32(_mm256_srl_epi32(v, by), one));
		__m256i less = _mm256_sub_epi32(_mm256_sllv_epi32(one, c), one);
		uint64_t classes = bytes_v3(c);

		_mm256_storeu_si256((__m256i *)(void *)(g->gaps + i),
			_mm256_sub_epi32(v, _mm256_sll_epi32(less, by)));
		store((char *)g->classes + i, classes);
		if (!put_ones_v3(b, classes))
			put_classes(b, g->classes + i, GROUP);
	}
}

V3 static inline void
put_all_rests_v3(const struct gaps_v3 *g, struct bits *b, uint32_t n, unsigned k)
{
	for (uint32_t i = 0; i < n; i += GROUP) {
		__m256i rests = _mm256_loadu_si256((const __m256i *)(const void *)(g->gaps + i));
		uint64_t classes = load((const char *)g->classes + i);

		if (!put_rests_v3(b, rests, classes + k * EACH_BYTE))
			put_rests(b, g->gaps + i, g->classes + i, GROUP, k);
	}
}

/* The same bytes as put_block(). */
V3 static size_t
put_v3(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	uint32_t whole = n / GROUP * GROUP, k;
	struct bits b = {.out = out};
	struct gaps_v3 g;

	if (n < GROUP || !measure_v3(&g, units, n, from))
		return put_block(units, n, from, out);
	k = parameter_of(g.widths, n);
	put_bits(&b, k, K_BITS);
	put_all_classes_v3(&g, &b, whole, k);
	classify(g.gaps + whole, g.classes + whole, n - whole, k);
	put_classes(&b, g.classes + whole, n - whole);
	put_all_rests_v3(&g, &b, whole, k);
	put_rests(&b, g.gaps + whole, g.classes + whole, n - whole, k);
	return (size_t)(b.out - out) + (b.filled + 7) / 8;
}

/* For BMI2: it is made of shifts by numbers that are known late. */
V3 static void
get_v3(const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit, uint32_t *ret)
{
	get_block(in, bytes, n, from, limit, ret);
}

static size_t (*const levels[])(const uint32_t *units, uint32_t n, uint32_t from, char *out) = {
	put_plain, put_v3};

unsigned
text_block_n_levels(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? 2 : 1;
}

#else
#	define get_v3 get_block

static size_t (*const levels[])(const uint32_t *units, uint32_t n, uint32_t from, char *out) = {
	put_plain};

unsigned
text_block_n_levels(void)
{
	return 1;
}

#endif

size_t
text_block_put_by(unsigned level, const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	return levels[level](units, n, from, out);
}

size_t
text_block_put(const uint32_t *units, uint32_t n, uint32_t from, char *out)
{
	return text_block_put_by(text_block_n_levels() - 1, units, n, from, out);
}

void
text_block_get(
	const char *in, size_t bytes, uint32_t n, uint32_t from, uint32_t limit, uint32_t *ret)
{
	if (text_block_n_levels() > 1)
		get_v3(in, bytes, n, from, limit, ret);
	else
		get_block(in, bytes, n, from, limit, ret);
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
