#include "text/litset.h"

#include <errno.h>

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

#define KEY_MAX_BYTES 3u
#define N_BUCKETS 8u
#define N_HEADS 4096u

struct literal_text {
	uint32_t at, len; /* in litset.bytes */
	uint32_t next;    /* 1 + the next one of the same slot, 0 none; ascending */
};

struct litset {
	bool fold;
	unsigned key_bytes; /* of each literal these many are looked up at once: 1 to KEY_MAX_BYTES
	                     */
	/* By the nibbles of each byte of the key: bits of the buckets that may begin so. Each row
	 * twice, for both halves of a vector. */
	unsigned char low[KEY_MAX_BYTES][32], high[KEY_MAX_BYTES][32];
	bool first[256]; /* bytes that a literal begins with */
	uint32_t head[N_HEADS];
	struct literal_text *literal;
	char *bytes; /* folded when `fold` */
};

static unsigned char
fold_byte(const struct litset *s, char c)
{
	unsigned char u = (unsigned char)c;

	return s->fold && u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

static uint32_t
slot_of(const struct litset *s, const char *text)
{
	uint32_t key = 0;

	for (unsigned i = 0; i < s->key_bytes; i++)
		key = key << 8 | fold_byte(s, text[i]);
	return key * 2654435761u >> 20;
}

static void
mark_byte(struct litset *s, unsigned i, unsigned char c, unsigned char bit)
{
	s->low[i][c & 15] |= bit;
	s->high[i][c >> 4] |= bit;
	if (i == 0)
		s->first[c] = true;
}

/* Literals with the same key are in the same bucket, so the buckets tell as much as they can. */
static void
mark_literal(struct litset *s, const char *text)
{
	unsigned char bit = (unsigned char)(1u << slot_of(s, text) % N_BUCKETS);

	for (unsigned i = 0; i < s->key_bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		mark_byte(s, i, c, bit);
		if (s->fold && c >= 'a' && c <= 'z')
			mark_byte(s, i, c & (unsigned char)~0x20u, bit);
	}
}

static void
fill(struct litset *s, const struct span *literals, size_t n)
{
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		s->literal[i] = (struct literal_text){.at = at, .len = (uint32_t)literals[i].len};
		for (size_t k = 0; k < literals[i].len; k++)
			s->bytes[at++] = (char)fold_byte(s, literals[i].data[k]);
		mark_literal(s, s->bytes + s->literal[i].at);
	}
	/* Backwards, so that each slot has the first one first. */
	for (size_t i = n; i-- > 0;) {
		uint32_t *head = &s->head[slot_of(s, s->bytes + s->literal[i].at)];

		s->literal[i].next = *head;
		*head = (uint32_t)i + 1;
	}
	for (unsigned i = 0; i < KEY_MAX_BYTES; i++) {
		memcpy(s->low[i] + 16, s->low[i], 16);
		memcpy(s->high[i] + 16, s->high[i], 16);
	}
}

int
litset_create(const struct span *literals, size_t n, bool fold, struct litset **ret)
{
	struct litset *s;
	size_t n_bytes = 0, shortest = KEY_MAX_BYTES;

	for (size_t i = 0; i < n; i++) {
		if (literals[i].len == 0 || literals[i].len > LITSET_MAX_BYTES)
			return -EINVAL;
		n_bytes += literals[i].len;
		shortest = MIN(shortest, literals[i].len);
	}
	if (n == 0 || n > LITSET_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fold = fold;
	s->key_bytes = (unsigned)shortest;
	s->literal = calloc(n, sizeof(*s->literal));
	s->bytes = malloc(n_bytes);
	if (!s->literal || !s->bytes) {
		litset_destroy(s);
		return -ENOMEM;
	}
	fill(s, literals, n);
	*ret = s;
	return 0;
}

void
litset_destroy(struct litset *s)
{
	if (!s)
		return;
	free(s->literal);
	free(s->bytes);
	free(s);
}

static bool
stands_at(const struct litset *s, const struct literal_text *l, const char *text)
{
	const char *want = s->bytes + l->at;

	if (!s->fold)
		return memcmp(text, want, l->len) == 0;
	for (uint32_t i = 0; i < l->len; i++) {
		if (fold_byte(s, text[i]) != (unsigned char)want[i])
			return false;
	}
	return true;
}

/* The length of the literal at `at`, 0 when there is none. At least key_bytes are there. */
static size_t
look_at(const struct litset *s, struct span text, size_t at)
{
	uint32_t i = s->head[slot_of(s, text.data + at)];

	for (; i > 0; i = s->literal[i - 1].next) {
		const struct literal_text *l = &s->literal[i - 1];

		if (l->len <= text.len - at && stands_at(s, l, text.data + at))
			return l->len;
	}
	return 0;
}

/* Starts [from, end). */
static ssize_t
find_plain(const struct litset *s, struct span text, size_t from, size_t end, size_t *ret_len)
{
	for (size_t i = from; i < end; i++) {
		if (s->first[(unsigned char)text.data[i]] && (*ret_len = look_at(s, text, i)) > 0)
			return (ssize_t)i;
	}
	return -1;
}

#if defined(__x86_64__)

#	define AVX2 __attribute__((target("avx2")))

/* Buckets whose literals may have these as byte number `i`. */
AVX2 static inline __m256i
buckets_of(const struct litset *s, unsigned i, const char *at)
{
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)s->low[i]);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)s->high[i]);
	__m256i top = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);

	return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble)),
		_mm256_shuffle_epi8(high, top));
}

/* Bit k: a literal may start at at[k]. */
AVX2 static inline uint32_t
starts32(const struct litset *s, const char *at)
{
	__m256i all = buckets_of(s, 0, at);

	if (s->key_bytes > 1)
		all = _mm256_and_si256(all, buckets_of(s, 1, at + 1));
	if (s->key_bytes > 2)
		all = _mm256_and_si256(all, buckets_of(s, 2, at + 2));
	all = _mm256_cmpeq_epi8(all, _mm256_setzero_si256());
	return ~(uint32_t)_mm256_movemask_epi8(all);
}

/* Starts [from, end), of which each has its key in the text. */
AVX2 static ssize_t
find_avx2(const struct litset *s, struct span text, size_t from, size_t end, size_t *ret_len)
{
	for (; end - from >= 32; from += 32) {
		uint32_t starts = starts32(s, text.data + from);

		for (; starts; starts &= starts - 1) {
			size_t at = from + (size_t)__builtin_ctz(starts);

			*ret_len = look_at(s, text, at);
			if (*ret_len > 0)
				return (ssize_t)at;
		}
	}
	return find_plain(s, text, from, end, ret_len);
}

#endif

ssize_t
litset_find(const struct litset *s, struct span text, size_t from, size_t *ret_len)
{
	size_t end = text.len < s->key_bytes ? 0 : text.len - s->key_bytes + 1;

	if (from >= end)
		return -1;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return find_avx2(s, text, from, end, ret_len);
#endif
	return find_plain(s, text, from, end, ret_len);
}
