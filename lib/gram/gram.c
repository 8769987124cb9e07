#include "gram/gram.h"

#include <errno.h>

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

#include "base/vec.h"

/* Symbols at a time: they and their grams stay in the first level of the cache. */
#define CHUNK 512u
/* Room without which the last of its blocks would be translated byte by byte. */
#define CHUNK_MAX (CHUNK + SYMBOL_MAX)
#define LANES 16u
#define CARRY 8u
/* Clearing bit by bit costs more than the whole table when a text has so many distinct grams. */
#define CLEAR_ALL_SHARE 8u

/* Grams of symbols: list[len] and on are those that are new. Returns the new len. */
typedef size_t (*put_fn)(uint32_t *seen, uint32_t mask, const uint8_t *symbols, size_t n,
	uint32_t *list, size_t len);

struct gram_maker {
	/* Fixed at create. */
	unsigned n;
	put_fn put;
	const struct symbols *symbols;
	size_t n_words;
	/* Bit g is set when gram g is in `list`. */
	uint32_t *seen;
	struct {
		uint32_t *data;
		size_t len, cap;
	} list;
	bool taken; /* end() was called: the list is the caller's until the next text begins */
	/* Of the text so far: the last n - 1 symbols as a number, how many are still to come before
	 * the first gram, and the bytes of a character that is cut. */
	uint32_t before;
	unsigned missing;
	char cut[CARRY];
	size_t n_cut;
};

static void
begin(struct gram_maker *m)
{
	if (m->list.len > m->n_words / CLEAR_ALL_SHARE) {
		memset(m->seen, 0, m->n_words * sizeof(*m->seen));
	} else {
		for (size_t i = 0; i < m->list.len; i++)
			m->seen[m->list.data[i] >> 5] = 0;
	}
	m->list.len = 0;
	m->taken = false;
	m->n_cut = 0;
	m->before = 0; /* GRAM_PAD_BEFORE ends */
	m->missing = m->n - 1 - GRAM_PAD_BEFORE;
}

/* Every gram is written behind the list, and stays there when it is new: no branch that the
 * processor could guess wrong. */
static inline size_t
put_gram(uint32_t *seen, uint32_t gram, uint32_t *list, size_t len)
{
	uint32_t word = seen[gram >> 5], bit = 1u << (gram & 31);

	list[len] = gram;
	seen[gram >> 5] = word | bit;
	return len + !(word & bit);
}

/* `symbols` has GRAM_MAX - 1 more before it, here and below. */
static size_t
put_plain(
	uint32_t *seen, uint32_t mask, const uint8_t *symbols, size_t n, uint32_t *list, size_t len)
{
	uint32_t gram = 0;

	for (unsigned i = GRAM_MAX - 1; i > 0; i--)
		gram = gram << SYMBOL_BITS | *(symbols - i);
	for (size_t i = 0; i < n; i++) {
		gram = (gram << SYMBOL_BITS | symbols[i]) & mask;
		len = put_gram(seen, gram, list, len);
	}
	return len;
}

#if defined(__x86_64__)
#	define V3 __attribute__((target("avx2,bmi2,popcnt")))
#	define V4 __attribute__((target("avx512f,avx512bw,avx512vbmi,popcnt")))
#	define V3_LANES 8u

/* The grams of four symbols that end at the 8 from p + 3 on: 16 bytes are read. */
V3 static inline __m256i
grams_v3(const uint8_t *p)
{
	const __m256i order = _mm256_set_epi8(7, 8, 9, 10, 6, 7, 8, 9, 5, 6, 7, 8, 4, 5, 6, 7, 3, 4,
		5, 6, 2, 3, 4, 5, 1, 2, 3, 4, 0, 1, 2, 3);
	__m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));

	v = _mm256_maddubs_epi16(_mm256_shuffle_epi8(v, order), _mm256_set1_epi16(0x4001));
	return _mm256_madd_epi16(v, _mm256_set1_epi32(0x10000001));
}

/* The lanes of a mask of 8, moved to the front. */
V3 static inline __m256i
compress_v3(__m256i v, unsigned mask)
{
	uint64_t bytes = _pdep_u64(mask, 0x0101010101010101u) * 0xff;
	uint64_t lanes = _pext_u64(0x0706050403020100u, bytes);

	return _mm256_permutevar8x32_epi32(
		v, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)lanes)));
}

/* Some grams are looked up at once; those that were not seen before this chunk, a fifth of them,
 * are put one by one. The symbols are followed by as many bytes as a vector reads too many. */
V3 static size_t
put_v3(uint32_t *seen, uint32_t mask, const uint8_t *symbols, size_t n, uint32_t *list, size_t len)
{
	uint32_t fresh[CHUNK_MAX + 2 * LANES];
	size_t n_fresh = 0;

	for (size_t i = 0; i < n; i += V3_LANES) {
		unsigned live = n - i >= V3_LANES ? 0xff : (1u << (n - i)) - 1;
		__m256i grams = _mm256_and_si256(
			grams_v3(symbols + i - (GRAM_MAX - 1)), _mm256_set1_epi32((int)mask));
		__m256i words =
			_mm256_i32gather_epi32((const int *)seen, _mm256_srli_epi32(grams, 5), 4);
		__m256i bits = _mm256_sllv_epi32(
			_mm256_set1_epi32(1), _mm256_and_si256(grams, _mm256_set1_epi32(31)));
		__m256i is_new =
			_mm256_cmpeq_epi32(_mm256_and_si256(words, bits), _mm256_setzero_si256());
		unsigned news = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_new)) & live;

		_mm256_storeu_si256((__m256i *)(void *)(fresh + n_fresh), compress_v3(grams, news));
		n_fresh += (size_t)_mm_popcnt_u32(news);
	}
	for (size_t i = 0; i < n_fresh; i++)
		len = put_gram(seen, fresh[i], list, len);
	return len;
}

/* The grams of four symbols that end at the 16 from p + 3 on: 32 bytes are read. */
V4 static inline __m512i
grams_v4(const uint8_t *p)
{
	const __m512i order = _mm512_set_epi8(15, 16, 17, 18, 14, 15, 16, 17, 13, 14, 15, 16, 12,
		13, 14, 15, 11, 12, 13, 14, 10, 11, 12, 13, 9, 10, 11, 12, 8, 9, 10, 11, 7, 8, 9,
		10, 6, 7, 8, 9, 5, 6, 7, 8, 4, 5, 6, 7, 3, 4, 5, 6, 2, 3, 4, 5, 1, 2, 3, 4, 0, 1, 2,
		3);
	__m512i v = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)p));

	v = _mm512_maddubs_epi16(_mm512_permutexvar_epi8(order, v), _mm512_set1_epi16(0x4001));
	return _mm512_madd_epi16(v, _mm512_set1_epi32(0x10000001));
}

V4 static size_t
put_v4(uint32_t *seen, uint32_t mask, const uint8_t *symbols, size_t n, uint32_t *list, size_t len)
{
	uint32_t fresh[CHUNK_MAX + 2 * LANES];
	size_t n_fresh = 0;

	for (size_t i = 0; i < n; i += LANES) {
		__mmask16 live = n - i >= LANES ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
		__m512i grams = _mm512_and_si512(
			grams_v4(symbols + i - (GRAM_MAX - 1)), _mm512_set1_epi32((int)mask));
		__m512i words = _mm512_mask_i32gather_epi32(
			_mm512_setzero_si512(), live, _mm512_srli_epi32(grams, 5), seen, 4);
		__m512i bits = _mm512_sllv_epi32(
			_mm512_set1_epi32(1), _mm512_and_si512(grams, _mm512_set1_epi32(31)));
		__mmask16 is_new = _mm512_mask_testn_epi32_mask(live, words, bits);

		_mm512_storeu_si512(fresh + n_fresh, _mm512_maskz_compress_epi32(is_new, grams));
		n_fresh += (size_t)_mm_popcnt_u32(is_new);
	}
	for (size_t i = 0; i < n_fresh; i++)
		len = put_gram(seen, fresh[i], list, len);
	return len;
}

static const put_fn levels[] = {put_plain, put_v3, put_v4};

unsigned
gram_maker_n_levels(void)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
		return 1;
	return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") ? 3 : 2;
}

#else

static const put_fn levels[] = {put_plain};

unsigned
gram_maker_n_levels(void)
{
	return 1;
}

#endif

int
gram_maker_create(unsigned n, struct gram_maker **ret)
{
	return gram_maker_create_by(n, gram_maker_n_levels() - 1, ret);
}

int
gram_maker_create_by(unsigned n, unsigned level, struct gram_maker **ret)
{
	struct gram_maker *m = calloc(1, sizeof(*m));

	assert(n >= GRAM_MIN && n <= GRAM_MAX && level < gram_maker_n_levels());
	if (!m)
		return -ENOMEM;
	m->n = n;
	m->symbols = symbols_get();
	m->n_words = GRAM_END(n) / 32;
	m->put = levels[level];
	m->seen = calloc(m->n_words, sizeof(*m->seen));
	if (!m->seen) {
		gram_maker_destroy(m);
		return -ENOMEM;
	}
	begin(m);
	*ret = m;
	return 0;
}

void
gram_maker_destroy(struct gram_maker *m)
{
	if (!m)
		return;
	free(m->seen);
	VEC_FINI(&m->list);
	free(m);
}

/* The chunk's symbols, with room before them for those of the text so far. */
static int
add_symbols(struct gram_maker *m, uint8_t *symbols, size_t n)
{
	uint32_t mask = GRAM_END(m->n) - 1;
	size_t first = MIN(m->missing, n);

	if (VEC_RESERVE(&m->list, n) < 0)
		return -ENOMEM;
	for (unsigned i = 1; i < GRAM_MAX; i++)
		*(symbols - i) = (uint8_t)(m->before >> (i - 1) * SYMBOL_BITS & (N_SYMBOLS - 1));
	m->list.len = m->put(m->seen, mask, symbols + first, n - first, m->list.data, m->list.len);
	for (size_t i = n - MIN(n, GRAM_MAX); i < n; i++)
		m->before = m->before << SYMBOL_BITS | symbols[i];
	m->missing -= (unsigned)first;
	return 0;
}

/* *ret_used: what is not cut at the end. */
static int
add_bytes(struct gram_maker *m, struct span text, bool last, size_t *ret_used)
{
	uint8_t buffer[GRAM_MAX + CHUNK_MAX + 2 * LANES], *symbols = buffer + GRAM_MAX;
	size_t used, at = 0;
	int r = 0;

	do {
		size_t n =
			symbols_translate(m->symbols, (struct span){text.data + at, text.len - at},
				last, symbols, CHUNK_MAX, &used);

		r = add_symbols(m, symbols, n);
		at += used;
	} while (r == 0 && used > 0 && at < text.len);
	*ret_used = at;
	return r;
}

/* The cut character, and enough of the piece that it is whole or broken. */
static int
add_cut(struct gram_maker *m, struct span *piece)
{
	size_t more = MIN(piece->len, CARRY - m->n_cut), used;
	int r;

	memcpy(m->cut + m->n_cut, piece->data, more);
	r = add_bytes(m, (struct span){m->cut, m->n_cut + more}, false, &used);
	if (r < 0)
		return r;
	if (used < m->n_cut) { /* the piece is short */
		m->n_cut = m->n_cut + more - used;
		memmove(m->cut, m->cut + used, m->n_cut);
		more = 0;
		*piece = (struct span){piece->data + piece->len, 0};
	} else {
		more = used - m->n_cut;
		m->n_cut = 0;
	}
	piece->data += more;
	piece->len -= more;
	return 0;
}

static int
add_piece(struct gram_maker *m, struct span piece)
{
	size_t used;
	int r = m->n_cut > 0 && piece.len > 0 ? add_cut(m, &piece) : 0;

	if (r < 0 || piece.len == 0)
		return r;
	r = add_bytes(m, piece, false, &used);
	if (r < 0)
		return r;
	m->n_cut = piece.len - used;
	memcpy(m->cut, piece.data + used, m->n_cut);
	return 0;
}

int
gram_maker_add(struct gram_maker *m, struct span piece)
{
	int r;

	if (m->taken)
		begin(m);
	r = add_piece(m, piece);
	if (r < 0)
		begin(m);
	return r;
}

int
gram_maker_end(struct gram_maker *m, const uint32_t **ret_grams, size_t *ret_n)
{
	uint8_t buffer[GRAM_MAX + GRAM_PAD_BEHIND + 2 * LANES] = {0}; /* ends */
	size_t used;
	int r;

	if (m->taken)
		begin(m);
	r = m->n_cut > 0 ? add_bytes(m, (struct span){m->cut, m->n_cut}, true, &used) : 0;
	if (r == 0)
		r = add_symbols(m, buffer + GRAM_MAX, GRAM_PAD_BEHIND);
	if (r < 0) {
		begin(m);
		return r;
	}
	m->taken = true;
	*ret_grams = m->list.data;
	*ret_n = m->list.len;
	return 0;
}
