#include "index/tree_unpack.h"

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

/* The factor and the mask are the same for all, so the loop is a load, a shift and a
 * multiplication. */
static void
unpack_plain(const struct tree_packed *p, const struct tree_block *b, uint32_t from, uint32_t n,
	uint64_t *ret)
{
	const char *words = p->words + 8 * (uint64_t)b->at;
	uint64_t base = b->base, unit = tree_units[b->unit], mask = tree_packed_mask(b->width);
	uint32_t width = b->width, bit = from * width;

	for (uint32_t i = 0; i < n; i++, bit += width) {
		uint64_t v;

		memcpy(&v, words + bit / 8, sizeof(v));
		ret[i] = base + unit * (v >> bit % 8 & mask);
	}
}

static uint64_t
within_plain(const uint64_t *value, uint32_t n, uint64_t first, uint64_t width)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < n; i++)
		word |= (uint64_t)(value[i] - first <= width) << i;
	return word;
}

#if !defined(__x86_64__)

unsigned
tree_unpack_n_levels(void)
{
	return 1;
}

void
tree_unpack_by(unsigned level, const struct tree_packed *p, const struct tree_block *b,
	uint32_t from, uint32_t n, uint64_t *ret)
{
	(void)level;
	unpack_plain(p, b, from, n, ret);
}

uint64_t
tree_within_by(unsigned level, const uint64_t *value, uint32_t n, uint64_t first, uint64_t width)
{
	(void)level;
	return within_plain(value, n, first, width);
}

#else

#	define V4 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vbmi")))

/* Eight numbers have `width` bytes, no more are read: number k begins in byte k * width / 8, and
 * eight bytes from there hold it (a width is 57 at most, or 64). `from` is a multiple of 8. */
V4 static void
unpack_eights(const struct tree_packed *p, const struct tree_block *b, uint32_t from, uint32_t n,
	uint64_t *ret)
{
	const char *at = p->words + 8 * (uint64_t)b->at + (size_t)(from / 8) * b->width;
	const __m512i bit = _mm512_mullo_epi64(
		_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(b->width));
	const __m512i byte = _mm512_add_epi64(_mm512_mullo_epi64(_mm512_srli_epi64(bit, 3),
						      _mm512_set1_epi64(0x0101010101010101)),
		_mm512_set1_epi64(0x0706050403020100));
	const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi64(7));
	const __m512i mask = _mm512_set1_epi64((long long)tree_packed_mask(b->width));
	const __m512i unit = _mm512_set1_epi64((long long)tree_units[b->unit]);
	const __m512i base = _mm512_set1_epi64((long long)b->base);
	const __mmask64 bytes = tree_packed_mask(b->width);

	for (uint32_t i = 0; i < n; i += 8, at += b->width) {
		__m512i v = _mm512_maskz_loadu_epi8(bytes, at);

		v = _mm512_srlv_epi64(_mm512_permutexvar_epi8(byte, v), shift);
		v = _mm512_mullo_epi64(_mm512_and_si512(v, mask), unit);
		_mm512_storeu_si512(ret + i, _mm512_add_epi64(v, base));
	}
}

static void
unpack_v4(const struct tree_packed *p, const struct tree_block *b, uint32_t from, uint32_t n,
	uint64_t *ret)
{
	uint32_t head = MIN(n, (8 - from % 8) % 8), whole = (n - head) / 8 * 8;

	unpack_plain(p, b, from, head, ret);
	unpack_eights(p, b, from + head, whole, ret + head);
	unpack_plain(p, b, from + head + whole, n - head - whole, ret + head + whole);
}

V4 static uint64_t
within_v4(const uint64_t *value, uint32_t n, uint64_t first, uint64_t width)
{
	const __m512i lo = _mm512_set1_epi64((long long)first);
	const __m512i most = _mm512_set1_epi64((long long)width);
	uint64_t word = 0;
	uint32_t i = 0;

	for (; i + 8 <= n; i += 8) {
		__m512i v = _mm512_sub_epi64(_mm512_loadu_si512(value + i), lo);

		word |= (uint64_t)_mm512_cmple_epu64_mask(v, most) << i;
	}
	for (; i < n; i++)
		word |= (uint64_t)(value[i] - first <= width) << i;
	return word;
}

unsigned
tree_unpack_n_levels(void)
{
	return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512dq") &&
	                       __builtin_cpu_supports("avx512bw")
	               ? 2
	               : 1;
}

void
tree_unpack_by(unsigned level, const struct tree_packed *p, const struct tree_block *b,
	uint32_t from, uint32_t n, uint64_t *ret)
{
	if (level > 0)
		unpack_v4(p, b, from, n, ret);
	else
		unpack_plain(p, b, from, n, ret);
}

uint64_t
tree_within_by(unsigned level, const uint64_t *value, uint32_t n, uint64_t first, uint64_t width)
{
	return level > 0 ? within_v4(value, n, first, width) : within_plain(value, n, first, width);
}

#endif

void
tree_unpack(const struct tree_packed *p, const struct tree_block *b, uint32_t from, uint32_t n,
	uint64_t *ret)
{
	tree_unpack_by(tree_unpack_n_levels() - 1, p, b, from, n, ret);
}

uint64_t
tree_within(const uint64_t *value, uint32_t n, uint64_t first, uint64_t width)
{
	return tree_within_by(tree_unpack_n_levels() - 1, value, n, first, width);
}
