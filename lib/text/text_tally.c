#include "text/text_tally.h"

#include "text/lanes.h"
#include "text/text_need.h"

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

/* What is looked at as one, where mostly no mark is found. */
#define BLOCK 64u

static uint64_t
mark_at(const char *p)
{
	return text_mark_of((unsigned char)p[-1], (unsigned char)*p);
}

static void
add_bytes(struct text_tally *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		t->n_newlines += p[i] == '\n';
		t->marks |= mark_at(p + i) | (p[i] & 0x80 ? TEXT_MARKS_BEYOND : 0);
	}
}

#define PARTS (BLOCK / LANES)
/* So many blocks add to a lane what it can count. */
#define MOST_BLOCKS (255 / PARTS)

/* The lanes whose byte is one of n from `first` on; with a sign, as processors compare bytes. */
static lanes
in_range(lanes v, unsigned char first, unsigned char n)
{
	return (lanes)((signed_lanes)(v - (unsigned char)(first + 0x80)) < (signed char)(n - 0x80));
}

/* The bytes that are capitals behind a digit or a small letter. */
static lanes
capitals(const char *p, lanes v)
{
	lanes before = lanes_load(p - 1);

	return in_range(v, 'A', 26) & (in_range(before, 'a', 26) | in_range(before, '0', 10));
}

/* A bit of each byte: part k has bit k. */
static uint64_t
marks_of(const char *p, lanes bits)
{
	uint64_t word[LANES / 8], marks = 0;

	memcpy(word, &bits, sizeof(word));
	for (unsigned i = 0; i < ARRAY_LEN(word); i++, p += 8) {
		for (uint64_t left = word[i]; left; left &= left - 1) {
			unsigned at = (unsigned)__builtin_ctzll(left);

			marks |= mark_at(p + at / 8 + at % 8 * LANES);
		}
	}
	return marks;
}

static unsigned
sum_of(lanes v)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < LANES; i++)
		sum += v[i];
	return sum;
}

static void
add_some_plain(struct text_tally *t, const char *p, size_t n)
{
	lanes newlines = {0}, all = {0};

	for (; n > 0; n--, p += BLOCK) {
		lanes bits = {0};

		for (unsigned k = 0, bit = 1; k < PARTS; k++, bit <<= 1) {
			lanes v = lanes_load(p + k * LANES);

			newlines -= (lanes)(v == '\n');
			all |= v;
			bits |= capitals(p + k * LANES, v) & (unsigned char)bit;
		}
		if (lanes_any(bits))
			t->marks |= marks_of(p, bits);
	}
	t->n_newlines += sum_of(newlines);
	t->marks |= lanes_any(all & 0x80) ? TEXT_MARKS_BEYOND : 0;
}

static void
add_blocks_plain(struct text_tally *t, const char *p, size_t n)
{
	for (size_t some; n > 0; n -= some, p += some * BLOCK) {
		some = MIN(n, (size_t)MOST_BLOCKS);
		add_some_plain(t, p, some);
	}
}

#if defined(__x86_64__)
#	define V3 __attribute__((target("avx2,popcnt")))
#	define WAITING 64u

/* Blocks that may have marks are looked at later, some together: whether one has any no processor
 * foresees, and a wrong guess takes longer than the block. */
struct waiting {
	unsigned n;
	const char *at[WAITING];
	uint64_t bits[WAITING]; /* [n] of the block at `at`, not 0 */
};

V3 static uint64_t
look_at_waiting(struct waiting *w)
{
	uint64_t marks = 0;

	for (unsigned i = 0; i < w->n; i++) {
		uint64_t left = w->bits[i];

		do {
			marks |= mark_at(w->at[i] + __builtin_ctzll(left));
			left &= left - 1;
		} while (left);
	}
	w->n = 0;
	return marks;
}

V3 static inline uint64_t
bits_v3(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
	                                                     << 32;
}

V3 static inline __m256i
capitals_v3(__m256i v)
{
	__m256i from_a = _mm256_sub_epi8(v, _mm256_set1_epi8((char)('A' + 0x80)));

	return _mm256_cmpgt_epi8(_mm256_set1_epi8(26 - 0x80), from_a);
}

/* By its highest bit a digit or a small letter, or one of a few others beside them. */
V3 static inline __m256i
digits_v3(__m256i v)
{
	return _mm256_and_si256(
		_mm256_cmpgt_epi8(v, _mm256_set1_epi8('/')), _mm256_slli_epi16(v, 2));
}

V3 static void
add_blocks_v3(struct text_tally *t, const char *p, size_t n)
{
	struct waiting w; /* 1 KiB that is not zeroed */
	__m256i all = _mm256_setzero_si256();
	const __m256i lf = _mm256_set1_epi8('\n');
	uint64_t before = (unsigned char)p[-1] > '/' && p[-1] & 0x20;

	w.n = 0;
	for (; n > 0; n--, p += BLOCK) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
		uint64_t digits = bits_v3(digits_v3(a), digits_v3(b));

		t->n_newlines += (uint64_t)__builtin_popcountll(
			bits_v3(_mm256_cmpeq_epi8(a, lf), _mm256_cmpeq_epi8(b, lf)));
		all = _mm256_or_si256(all, _mm256_or_si256(a, b));
		w.at[w.n] = p;
		w.bits[w.n] = bits_v3(capitals_v3(a), capitals_v3(b)) & (digits << 1 | before);
		before = digits >> 63;
		w.n += w.bits[w.n] != 0;
		if (w.n == WAITING)
			t->marks |= look_at_waiting(&w);
	}
	t->marks |= look_at_waiting(&w);
	t->marks |= _mm256_movemask_epi8(all) ? TEXT_MARKS_BEYOND : 0;
}

static void (*const levels[])(struct text_tally *t, const char *p, size_t n) = {
	add_blocks_plain, add_blocks_v3};

unsigned
text_tally_n_levels(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") ? 2 : 1;
}

#else

static void (*const levels[])(struct text_tally *t, const char *p, size_t n) = {add_blocks_plain};

unsigned
text_tally_n_levels(void)
{
	return 1;
}

#endif

void
text_tally_add_by(unsigned level, struct text_tally *t, unsigned char before, struct span piece)
{
	const char *p = piece.data;
	size_t n = (piece.len - 1) / BLOCK;

	t->n_newlines += *p == '\n';
	t->marks |= text_mark_of(before, (unsigned char)*p) | (*p & 0x80 ? TEXT_MARKS_BEYOND : 0);
	if (n > 0)
		levels[level](t, p + 1, n);
	add_bytes(t, p + 1 + n * BLOCK, piece.len - 1 - n * BLOCK);
}

void
text_tally_add(struct text_tally *t, unsigned char before, struct span piece)
{
	text_tally_add_by(text_tally_n_levels() - 1, t, before, piece);
}
