#include "text/valid.h"

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

static bool
valid_plain(struct span text)
{
	return utf8_valid(text.data, text.len);
}

#if defined(__x86_64__)
#	define V3 __attribute__((target("avx2")))
#	define BLOCK 32u
/* A byte is judged with so many before it. */
#	define BEFORE 3u

/*
 * After Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte" (2021): what
 * can be wrong with two bytes in a row is seen in three halves of them. Each half allows some of
 * the faults, by a table; what all three allow is there. ODD is none by itself: a continuation
 * behind a continuation, which is right where two or three bytes before it a lead asks for it.
 */
enum {
	SHORT = 1 << 0,     /* a lead, and no continuation behind it */
	LONG = 1 << 1,      /* ASCII, and a continuation behind it */
	OVER_3 = 1 << 2,    /* e0 80..9f */
	LARGE = 1 << 3,     /* f4 90..bf, f5..ff 90..bf */
	SURROGATE = 1 << 4, /* ed a0..bf */
	OVER_2 = 1 << 5,    /* c0, c1 */
	OVER_4 = 1 << 6,    /* f0 80..8f; f5..ff 80..8f */
	ODD = 1 << 7,
	ANY_LOW = SHORT | LONG | ODD, /* whatever the low half of the first byte is */
};

static const uint8_t first_high[16] = {LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, ODD, ODD,
	ODD, ODD, SHORT | OVER_2, SHORT, SHORT | OVER_3 | SURROGATE, SHORT | LARGE | OVER_4};
static const uint8_t first_low[16] = {ANY_LOW | OVER_3 | OVER_2 | OVER_4, ANY_LOW | OVER_2, ANY_LOW,
	ANY_LOW, ANY_LOW | LARGE, ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4,
	ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4,
	ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4,
	ANY_LOW | LARGE | OVER_4 | SURROGATE, ANY_LOW | LARGE | OVER_4, ANY_LOW | LARGE | OVER_4};
static const uint8_t second_high[16] = {SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
	LONG | OVER_2 | ODD | OVER_3 | OVER_4, LONG | OVER_2 | ODD | OVER_3 | LARGE,
	LONG | OVER_2 | ODD | SURROGATE | LARGE, LONG | OVER_2 | ODD | SURROGATE | LARGE, SHORT,
	SHORT, SHORT, SHORT};

V3 static inline __m256i
load_v3(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

V3 static inline __m256i
table_v3(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* Of 32 bytes, with BEFORE that stand before them: not zero where something is wrong. */
V3 static inline __m256i
faults_v3(const uint8_t *p)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i v = load_v3(p), one = load_v3(p - 1), two = load_v3(p - 2), three = load_v3(p - 3);
	__m256i faults = _mm256_and_si256(
		_mm256_shuffle_epi8(
			table_v3(first_high), _mm256_and_si256(_mm256_srli_epi16(one, 4), half)),
		_mm256_and_si256(
			_mm256_shuffle_epi8(table_v3(first_low), _mm256_and_si256(one, half)),
			_mm256_shuffle_epi8(table_v3(second_high),
				_mm256_and_si256(_mm256_srli_epi16(v, 4), half))));
	/* Here a third or a fourth byte must be: the highest bit, as that of ODD. */
	__m256i must = _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(0xe0 - 0x80)),
		_mm256_subs_epu8(three, _mm256_set1_epi8(0xf0 - 0x80)));

	return _mm256_xor_si256(_mm256_and_si256(must, _mm256_set1_epi8((char)0x80)), faults);
}

V3 static bool
valid_v3(struct span text)
{
	/* The first block behind zeros; the last bytes, at least BEFORE of those that were judged,
	 * with zeros behind them, which are no continuation. */
	uint8_t edge[BEFORE + BLOCK] = {0};
	const uint8_t *p = (const uint8_t *)text.data;
	size_t i = BLOCK;
	__m256i faults;

	if (text.len < BLOCK)
		return valid_plain(text);
	memcpy(edge + BEFORE, p, BLOCK);
	faults = faults_v3(edge + BEFORE);
	for (; text.len - i >= BLOCK; i += BLOCK)
		faults = _mm256_or_si256(faults, faults_v3(p + i));
	memset(edge, 0, sizeof(edge));
	memcpy(edge, p + i - BEFORE, BEFORE + text.len - i);
	faults = _mm256_or_si256(faults, faults_v3(edge + BEFORE));
	return _mm256_testz_si256(faults, faults);
}

static bool (*const levels[])(struct span text) = {valid_plain, valid_v3};

unsigned
valid_n_levels(void)
{
	return __builtin_cpu_supports("avx2") ? 2 : 1;
}

#else

static bool (*const levels[])(struct span text) = {valid_plain};

unsigned
valid_n_levels(void)
{
	return 1;
}

#endif

bool
valid_utf8_by(unsigned level, struct span text)
{
	return levels[level](text);
}

bool
valid_utf8(struct span text)
{
	return valid_utf8_by(valid_n_levels() - 1, text);
}
