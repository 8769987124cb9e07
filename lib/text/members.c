#include "text/members.h"

#include "text/scan.h"

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

#define BLOCK 64u
#define TILE_BLOCKS 32u
/* Steps stay below this offset, so a block never reads further than the next one. */
#define STEP_REACH BLOCK
_Static_assert(MEMBERS_PAD >= BLOCK + STEP_REACH, "the last block may have one byte");
#define NUL_WEIGHT 256u /* in blobs of names nothing is commoner */

/*
 * note: carries
 *
 * `hit` has a bit where the literal starts, `nul` where a string ends. What is wanted is, for each
 * string, whether it has any hit. Add the hits to the bytes that are no NUL, as one large number:
 *
 *     name bytes (~nul)    0 1 1 1 1 0 1 1 1     higher bits to the left
 *     hits               + 0 0 0 1 0 0 0 0 0
 *     sum                  1 0 0 0 1 0 1 1 1
 *
 * In a string with a hit the sum carries through to the bit of its NUL, which was 0 in both; in one
 * without, it does not, and no carry leaves a NUL's bit. A string that goes on in the next block
 * takes its carry along.
 */

/* Where a scan is. */
struct collect {
	uint64_t *bits;
	size_t n, pos;      /* strings asked for; those that have ended */
	uint64_t carry;     /* of the sum */
	uint64_t begins;    /* 1: the block's first byte is the first of a string */
	const char *text;   /* of the blob, for verification */
	size_t len, offset; /* of the next block */
};

/* Fills hit[n], nul[n]; returns all hits ORed. */
typedef uint64_t (*masks_fn)(
	const struct members *m, const unsigned char *p, size_t n, uint64_t *hit, uint64_t *nul);
typedef void (*collect_fn)(struct collect *c, const uint64_t *hit, const uint64_t *nul, size_t n);

struct level {
	masks_fn masks;
	collect_fn collect;
};

static uint8_t
fold_mask(const struct needle *n, size_t at)
{
	return n->fold && n->text[at] >= 'a' && n->text[at] <= 'z' ? 0x20 : 0;
}

static struct member_step
step_of(const struct members *m, size_t at)
{
	const struct needle *n = m->needle;

	if (at == n->len) /* MEMBER_END */
		return (struct member_step){(uint8_t)at, 0, 0};
	return (struct member_step){(uint8_t)at, fold_mask(n, at), (uint8_t)n->text[at]};
}

static unsigned
step_weight(struct member_step s)
{
	unsigned weight = scan_byte_weight(s.byte);

	if (s.byte == 0)
		return NUL_WEIGHT;
	return s.mask ? MAX(weight, scan_byte_weight(s.byte & ~0x20)) : weight;
}

/* Insertion into the steps, the rarest first; the last one falls out when they are full. */
static void
keep_step(struct members *m, struct member_step s)
{
	uint32_t at = m->n_steps;

	while (at > 0 && step_weight(m->step[at - 1]) > step_weight(s))
		at--;
	if (at == MEMBER_STEPS)
		return;
	m->n_steps = MIN(m->n_steps + 1, MEMBER_STEPS);
	for (uint32_t i = m->n_steps - 1; i > at; i--)
		m->step[i] = m->step[i - 1];
	m->step[at] = s;
}

void
members_init(struct members *m, const struct needle *needle, enum member_place place)
{
	size_t len = needle->len + (place & MEMBER_END ? 1 : 0);

	*m = (struct members){.needle = needle, .place = place};
	m->never = memchr(needle->text, '\0', needle->len) != NULL;
	for (size_t at = 0; at < len && at < STEP_REACH; at++)
		keep_step(m, step_of(m, at));
	m->verify = len > m->n_steps;
	if (m->n_steps == 1)
		m->step[m->n_steps++] = m->step[0];
}

/* Does the literal stand at `at`? What lies behind the blob is no NUL. */
static bool
stands_at(const struct members *m, const char *text, size_t len, size_t at)
{
	const struct needle *n = m->needle;

	if (len - at < n->len)
		return false;
	for (size_t i = 0; i < n->len; i++) {
		if ((char)(text[at + i] | fold_mask(n, i)) != n->text[i])
			return false;
	}
	return !(m->place & MEMBER_END) || (at + n->len < len && text[at + n->len] == '\0');
}

static void
verify_hits(const struct members *m, const struct collect *c, uint64_t *hit, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (uint64_t left = hit[i]; left; left &= left - 1) {
			size_t at = c->offset + i * BLOCK + (size_t)__builtin_ctzll(left);

			if (at >= c->len || !stands_at(m, c->text, c->len, at))
				hit[i] &= ~(left & -left);
		}
	}
}

/* Hits that are where the place wants them. */
static void
place_hits(const struct members *m, uint64_t begins, uint64_t *hit, const uint64_t *nul, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t starts = nul[i] << 1 | begins;

		hit[i] &= m->place & MEMBER_START ? starts : ~starts;
		begins = nul[i] >> 63;
	}
}

static inline void
append(struct collect *c, uint64_t some, size_t n)
{
	size_t word = c->pos / 64, shift = c->pos % 64;

	if (n > c->n - c->pos) { /* zeros behind the last string */
		n = c->n - c->pos;
		some &= n ? UINT64_MAX >> (64 - n) : 0;
	}
	if (some) {
		c->bits[word] |= some << shift;
		if (shift + n > 64)
			c->bits[word + 1] |= some >> (64 - shift);
	}
	c->pos += n;
}

/* One block: the NULs of the strings that have a hit (note: carries). */
static inline uint64_t
ended_with_hit(struct collect *c, uint64_t hit, uint64_t nul)
{
	unsigned long long sum;
	bool over = __builtin_uaddll_overflow(~nul, hit & ~nul, &sum);

	over |= __builtin_uaddll_overflow(sum, c->carry, &sum);
	c->carry = over;
	return sum & nul;
}

#if !defined(__x86_64__)

/* The bits of `from` where `mask` has some, moved together. */
static uint64_t
gather_bits(uint64_t from, uint64_t mask)
{
	uint64_t out = 0;

	for (unsigned i = 0; mask; mask &= mask - 1, i++)
		out |= (uint64_t)((from & mask & -mask) != 0) << i;
	return out;
}

static void
collect_plain(struct collect *c, const uint64_t *hit, const uint64_t *nul, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t ended = ended_with_hit(c, hit[i], nul[i]);

		append(c, gather_bits(ended, nul[i]), (size_t)__builtin_popcountll(nul[i]));
	}
}

static uint64_t
masks_plain(const struct members *m, const unsigned char *p, size_t n, uint64_t *hit, uint64_t *nul)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++, p += BLOCK) {
		hit[i] = nul[i] = 0;
		for (size_t b = 0; b < BLOCK; b++) {
			bool all = true;

			for (uint32_t k = 0; k < m->n_steps && all; k++)
				all = (p[b + m->step[k].at] | m->step[k].mask) == m->step[k].byte;
			hit[i] |= (uint64_t)all << b;
			nul[i] |= (uint64_t)(p[b] == 0) << b;
		}
		any |= hit[i];
	}
	return any;
}

static const struct level levels[] = {{masks_plain, collect_plain}};

unsigned
members_n_levels(void)
{
	return 1;
}

size_t
members_count(const uint64_t *bits, size_t n_words)
{
	size_t n = 0;

	for (size_t i = 0; i < n_words; i++)
		n += (size_t)__builtin_popcountll(bits[i]);
	return n;
}

#else

#	define V2
#	define V3 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#	define V4 __attribute__((target("avx512f,avx512bw,bmi,bmi2,popcnt")))

static inline uint64_t
equal16(__m128i v, __m128i mask, __m128i byte)
{
	v = _mm_cmpeq_epi8(_mm_or_si128(v, mask), byte);
	return (unsigned)_mm_movemask_epi8(v);
}

static inline __m128i
load16(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

V2 static inline uint64_t
equal_v2(const unsigned char *p, uint8_t mask, uint8_t byte)
{
	__m128i m = _mm_set1_epi8((char)mask), b = _mm_set1_epi8((char)byte);

	return equal16(load16(p), m, b) | equal16(load16(p + 16), m, b) << 16 |
	       equal16(load16(p + 32), m, b) << 32 | equal16(load16(p + 48), m, b) << 48;
}

V3 static inline uint64_t
equal_v3(const unsigned char *p, uint8_t mask, uint8_t byte)
{
	__m256i m = _mm256_set1_epi8((char)mask), b = _mm256_set1_epi8((char)byte);
	__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));

	x = _mm256_cmpeq_epi8(_mm256_or_si256(x, m), b);
	y = _mm256_cmpeq_epi8(_mm256_or_si256(y, m), b);
	return (uint32_t)_mm256_movemask_epi8(x) | (uint64_t)(uint32_t)_mm256_movemask_epi8(y)
	                                                   << 32;
}

V4 static inline uint64_t
equal_v4(const unsigned char *p, uint8_t mask, uint8_t byte)
{
	__m512i x = _mm512_loadu_si512(p);

	x = _mm512_or_si512(x, _mm512_set1_epi8((char)mask));
	return _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8((char)byte));
}

/* The four rarest bytes always: where two are common, a branch on them would often go wrong. The
 * others while there is a hit left. */
#	define MASKS(LEVEL, TARGET)                                                           \
		TARGET static uint64_t masks_##LEVEL(const struct members *m,                  \
			const unsigned char *p, size_t n, uint64_t *hit, uint64_t *nul)        \
		{                                                                              \
			const struct member_step a = m->step[0], b = m->step[1];               \
			const struct member_step c = m->step[2], d = m->step[3];               \
			const uint32_t n_steps = m->n_steps;                                   \
			uint64_t any = 0;                                                      \
                                                                                               \
			for (size_t i = 0; i < n; i++, p += BLOCK) {                           \
				uint64_t h = equal_##LEVEL(p + a.at, a.mask, a.byte) &         \
				             equal_##LEVEL(p + b.at, b.mask, b.byte);          \
                                                                                               \
				if (n_steps > 2)                                               \
					h &= equal_##LEVEL(p + c.at, c.mask, c.byte);          \
				if (n_steps > 3)                                               \
					h &= equal_##LEVEL(p + d.at, d.mask, d.byte);          \
				for (uint32_t k = 4; h && k < n_steps; k++)                    \
					h &= equal_##LEVEL(p + m->step[k].at, m->step[k].mask, \
						m->step[k].byte);                              \
				hit[i] = h;                                                    \
				nul[i] = equal_##LEVEL(p, 0, 0);                               \
				any |= h;                                                      \
			}                                                                      \
			return any;                                                            \
		}

MASKS(v2, V2)
MASKS(v3, V3)
MASKS(v4, V4)

/* Few NULs stand in a block. */
static void
collect_v2(struct collect *c, const uint64_t *hit, const uint64_t *nul, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t ended = ended_with_hit(c, hit[i], nul[i]), left = nul[i], some = 0;
		size_t k = 0;

		for (; left; left &= left - 1, k++)
			some |= (uint64_t)((ended & left & -left) != 0) << k;
		append(c, some, k);
	}
}

V3 static void
collect_v3(struct collect *c, const uint64_t *hit, const uint64_t *nul, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t n_ended = (size_t)_mm_popcnt_u64(nul[i]);
		uint64_t ended;

		if (!(hit[i] | c->carry)) { /* mostly, unless the literal is a letter or two */
			c->pos = MIN(c->pos + n_ended, c->n);
			continue;
		}
		ended = ended_with_hit(c, hit[i], nul[i]);
		append(c, _pext_u64(ended, nul[i]), n_ended);
	}
}

static const struct level levels[] = {
	{masks_v2, collect_v2}, {masks_v3, collect_v3}, {masks_v4, collect_v3}};

unsigned
members_n_levels(void)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
		return 1;
	return __builtin_cpu_supports("avx512bw") ? 3 : 2;
}

__attribute__((target("popcnt"))) static size_t
count_popcnt(const uint64_t *bits, size_t n_words)
{
	size_t n = 0;

	for (size_t i = 0; i < n_words; i++)
		n += (size_t)_mm_popcnt_u64(bits[i]);
	return n;
}

size_t
members_count(const uint64_t *bits, size_t n_words)
{
	size_t n = 0;

	if (__builtin_cpu_supports("popcnt"))
		return count_popcnt(bits, n_words);
	for (size_t i = 0; i < n_words; i++)
		n += (size_t)__builtin_popcountll(bits[i]);
	return n;
}

#endif

static void
scan_blocks(const struct members *m, const struct level *level, struct collect *c)
{
	const unsigned char *p = (const unsigned char *)c->text;
	size_t n_blocks = (c->len + BLOCK - 1) / BLOCK;
	uint64_t hit[TILE_BLOCKS], nul[TILE_BLOCKS];

	while (n_blocks > 0 && c->pos < c->n) {
		size_t n = MIN(n_blocks, TILE_BLOCKS);
		uint64_t any = level->masks(m, p, n, hit, nul);

		if (n == n_blocks && c->len % BLOCK) { /* what is behind the blob */
			hit[n - 1] &= UINT64_MAX >> (BLOCK - c->len % BLOCK);
			nul[n - 1] &= UINT64_MAX >> (BLOCK - c->len % BLOCK);
		}
		if (any) {
			if (m->verify)
				verify_hits(m, c, hit, n);
			if (m->place & (MEMBER_START | MEMBER_INSIDE))
				place_hits(m, c->begins, hit, nul, n);
			level->collect(c, hit, nul, n);
		} else if (c->carry) {
			level->collect(c, hit, nul, n);
		} else if (n < n_blocks) { /* mostly */
			c->pos = MIN(c->pos + members_count(nul, n), c->n);
		}
		c->begins = nul[n - 1] >> 63;
		c->offset += n * BLOCK;
		p += n * BLOCK;
		n_blocks -= n;
	}
}

void
members_find_by(const struct members *m, unsigned level, struct span blob, size_t n, uint64_t *ret)
{
	struct collect c = {.bits = ret, .n = n, .begins = 1, .text = blob.data, .len = blob.len};

	memset(ret, 0, (n + 63) / 64 * sizeof(*ret));
	if (!m->never && n > 0)
		scan_blocks(m, &levels[level], &c);
}

void
members_find(const struct members *m, struct span blob, size_t n, uint64_t *ret)
{
	members_find_by(m, members_n_levels() - 1, blob, n, ret);
}
