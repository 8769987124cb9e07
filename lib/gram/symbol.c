#include "gram/symbol.h"

#if defined(__x86_64__)
#	include <immintrin.h>
#endif

#include "base/hash.h"
#include "sync/once.h"
#include "text/codepoint.h"

#define TABLE_END 0x20000u
#define ASCII_END 0x80u
#define LATIN_END 0x250u
#define BLOCK 64u
#define MIX 0x9e3779b1u

/* In the order of their symbols, from 37 on. Marks that share a symbol stand together. */
static const char *const marks[] = {" \t\r\v\f", "_", "", "\"", "'", "(", ")", ",", ".", ";", ":",
	"-", "/", "*", "=", "+", "<", ">", "[]", "{}", "#", "&", "|", "!?", "%\\", "$", "@^`~"};

_Static_assert(37 + ARRAY_LEN(marks) == N_SYMBOLS, "every symbol has its marks");

/* Fixed by symbols_make(), which once_run() orders before every reader. */
struct symbols {
	/* 0: two symbols (pair_of()), but for the line feed. The first 128 also for bytes. */
	uint8_t of[TABLE_END] __attribute__((aligned(BLOCK)));
};

static struct symbols table;
static struct once table_once;

static bool
is_within(uint32_t cp, uint32_t first, uint32_t last)
{
	return cp >= first && cp <= last;
}

/* Kana, ideographs, Yi and Hangul: thousands of characters, none with case, no digits, no space. */
static bool
is_pair(uint32_t cp)
{
	return is_within(cp, 0x3040, 0xa4cf) || is_within(cp, 0xac00, 0xd7a3) ||
	       is_within(cp, 0xf900, 0xfaff) || cp >= TABLE_END;
}

static bool
is_space(uint32_t cp)
{
	return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || cp == 0x180e ||
	       is_within(cp, 0x2000, 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
	       cp == 0x205f || cp == 0x3000;
}

static uint8_t
ascii_symbol(uint32_t c)
{
	if (c == '\n')
		return SYMBOL_END;
	if (is_within(c, 'a', 'z'))
		return (uint8_t)(1 + c - 'a');
	if (is_within(c, '0', '9'))
		return (uint8_t)(27 + c - '0');
	for (size_t i = 0; i < ARRAY_LEN(marks) && c != 0; i++) {
		if (strchr(marks[i], (char)c))
			return (uint8_t)(37 + i);
	}
	return SYMBOL_ODD;
}

static uint8_t
wide_symbol(uint32_t cp)
{
	enum codepoint_kind kind = codepoint_kind(cp);

	if (is_pair(cp))
		return 0;
	if (is_space(cp))
		return SYMBOL_SPACE;
	if (kind == CODEPOINT_UNASSIGNED)
		return SYMBOL_ODD;
	if (kind == CODEPOINT_DIGIT)
		return (uint8_t)(27 + cp % 10);
	/* Neighbours differ: 5 divides neither 34 nor 63. */
	if (cp < LATIN_END) {
		uint32_t i = cp * 5 % (10 + N_SYMBOLS - 40);

		return (uint8_t)(i < 10 ? 27 + i : 30 + i);
	}
	return (uint8_t)(1 + cp * 5 % (N_SYMBOLS - 1));
}

/* What Unicode 15.1 and 16 made equal to characters that were there before: PCRE2's tables may be
 * newer than those that fold_codepoint() has. */
static uint32_t
fold_later(uint32_t cp)
{
	static const uint32_t pairs[][2] = {{0xfb05, 0xfb06}, {0x1fd3, 0x390}, {0x1fe3, 0x3b0},
		{0xa7cb, 0x264}, {0xa7dc, 0x19b}};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (cp == pairs[i][0])
			return pairs[i][1];
	}
	return fold_codepoint(cp);
}

static int
symbols_make(void *unused)
{
	(void)unused;
	for (uint32_t cp = 0; cp < TABLE_END; cp++) {
		uint32_t folded = fold_later(cp);

		table.of[cp] = folded < ASCII_END ? ascii_symbol(folded) : wide_symbol(folded);
	}
	return 0;
}

const struct symbols *
symbols_get(void)
{
	(void)once_run(&table_once, symbols_make, NULL); /* cannot fail */
	return &table;
}

uint64_t
symbols_sum(const struct symbols *t)
{
	return hash64(t->of, sizeof(t->of), MIX);
}

static inline size_t
pair_of(uint32_t cp, uint8_t ret[SYMBOL_MAX])
{
	uint32_t mixed = cp * MIX >> 8;

	ret[0] = (uint8_t)(1 + mixed % (N_SYMBOLS - 1));
	ret[1] = (uint8_t)(1 + mixed / (N_SYMBOLS - 1) % (N_SYMBOLS - 1));
	return 2;
}

size_t
symbols_of(const struct symbols *t, uint32_t cp, uint8_t ret[SYMBOL_MAX])
{
	if (cp & CODEPOINT_BYTE) {
		ret[0] = SYMBOL_ODD;
		return 1;
	}
	if (cp >= TABLE_END)
		return pair_of(cp, ret);
	ret[0] = t->of[cp];
	return ret[0] == 0 && cp != '\n' ? pair_of(cp, ret) : 1;
}

/* May `len` bytes, less than four, be the head of a character? */
static bool
is_cut(const char *p, size_t len)
{
	unsigned char lead = (unsigned char)*p;

	return lead >= 0xc2 && len < (lead < 0xe0 ? 2u : lead < 0xf0 ? 3u : 4u);
}

static inline bool
is_behind(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A character of two or three bytes that needs no closer look: its length and it; else 0. */
static inline size_t
decode_plain(const char *p, size_t left, uint32_t *ret)
{
	unsigned char c = (unsigned char)*p;

	if (c >= 0xc2 && c < 0xe0 && left >= 2 && is_behind(p[1])) {
		*ret = (c & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	}
	if (c > 0xe0 && c < 0xf0 && c != 0xed && left >= 3 && is_behind(p[1]) && is_behind(p[2])) {
		*ret = (c & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		return 3;
	}
	return 0;
}

/* The character at *at: false when it is cut. */
static inline bool
translate_one(const struct symbols *t, struct span text, bool last, uint8_t **out, size_t *at)
{
	const char *p = text.data + *at;
	size_t left = text.len - *at;
	unsigned char c = (unsigned char)*p;
	uint32_t cp;
	size_t n;

	if (c < ASCII_END) {
		*(*out)++ = t->of[c];
		(*at)++;
		return true;
	}
	n = decode_plain(p, left, &cp);
	if (n == 0 && !last && is_cut(p, left))
		return false;
	*at += n ? n : codepoint_decode(p, left, &cp);
	*out += symbols_of(t, cp, *out);
	return true;
}

/* Those beyond ASCII that stand here in a row and begin before `end`. */
static bool
translate_run(
	const struct symbols *t, struct span text, size_t end, bool last, uint8_t **out, size_t *at)
{
	while (*at < end && (unsigned char)text.data[*at] >= ASCII_END) {
		if (!translate_one(t, text, last, out, at))
			return false;
	}
	return true;
}

/* How many of 64 bytes are ASCII up to the first that is not. Their symbols are written; what is
 * behind these, up to 64, may be anything. */
typedef size_t (*block_fn)(const struct symbols *t, const char *p, uint8_t *out);

static size_t
block_plain(const struct symbols *t, const char *p, uint8_t *out)
{
	uint8_t any = 0;
	size_t n = BLOCK;

	for (size_t i = 0; i < BLOCK; i++)
		any |= (uint8_t)p[i];
	if (any >= ASCII_END) {
		for (n = 0; (uint8_t)p[n] < ASCII_END;)
			n++;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = t->of[(uint8_t)p[i]];
	return n;
}

#if defined(__x86_64__)
#	define V3 __attribute__((target("avx2")))
#	define V4 __attribute__((target("avx512f,avx512bw,avx512vbmi")))

/* `beyond`: a bit of each of 64 bytes that is not ASCII. */
static inline size_t
before_first(uint64_t beyond)
{
	return beyond ? (size_t)__builtin_ctzll(beyond) : BLOCK;
}

/* PSHUFB gives 0 for an index with its highest bit: of the eight tables of 16 only the one whose
 * number is the high half of the byte says something. */
V3 static inline __m256i
look_up_v3(const struct symbols *t, __m256i v)
{
	const __m256i over = _mm256_set1_epi8(0x70);
	__m256i sum = _mm256_setzero_si256();

	for (unsigned k = 0; k < 8; k++) {
		__m256i part = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)(const void *)(t->of + (size_t)k * 16)));
		__m256i index = _mm256_adds_epu8(
			_mm256_xor_si256(v, _mm256_set1_epi8((char)(k << 4))), over);

		sum = _mm256_or_si256(sum, _mm256_shuffle_epi8(part, index));
	}
	return sum;
}

V3 static size_t
block_v3(const struct symbols *t, const char *p, uint8_t *out)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));

	_mm256_storeu_si256((__m256i *)(void *)out, look_up_v3(t, a));
	_mm256_storeu_si256((__m256i *)(void *)(out + 32), look_up_v3(t, b));
	return before_first((uint32_t)_mm256_movemask_epi8(a) |
			    (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32);
}

V4 static size_t
block_v4(const struct symbols *t, const char *p, uint8_t *out)
{
	__m512i low = _mm512_load_si512(t->of), high = _mm512_load_si512(t->of + 64);
	__m512i v = _mm512_loadu_si512(p);

	_mm512_storeu_si512(out, _mm512_permutex2var_epi8(low, v, high));
	return before_first(_mm512_movepi8_mask(v));
}

static const block_fn levels[] = {block_plain, block_v3, block_v4};

unsigned
symbols_n_levels(void)
{
	if (!__builtin_cpu_supports("avx2"))
		return 1;
	return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") ? 3 : 2;
}

#else

static const block_fn levels[] = {block_plain};

unsigned
symbols_n_levels(void)
{
	return 1;
}

#endif

size_t
symbols_translate_by(const struct symbols *t, unsigned level, struct span text, bool last,
	uint8_t *out, size_t cap, size_t *ret_used)
{
	block_fn block = levels[level];
	uint8_t *to = out, *end = out + cap;
	size_t at = 0;
	bool whole = true;

	/* No character gives more symbols than it has bytes, and the last of a block's has at most
	 * SYMBOL_MAX symbols outside of it. */
	while (whole && text.len - at >= BLOCK && (size_t)(end - to) >= BLOCK + SYMBOL_MAX) {
		size_t n = block(t, text.data + at, to), block_end = at + BLOCK;

		to += n;
		at += n;
		if (n < BLOCK)
			whole = translate_run(t, text, block_end, last, &to, &at);
	}
	/* One by one what makes no block, but not what the next call will have a block for. */
	if (at >= BLOCK && text.len - at >= BLOCK)
		end = to;
	while (whole && at < text.len && (size_t)(end - to) >= SYMBOL_MAX)
		whole = translate_one(t, text, last, &to, &at);
	*ret_used = at;
	return (size_t)(to - out);
}

size_t
symbols_translate(const struct symbols *t, struct span text, bool last, uint8_t *out, size_t cap,
	size_t *ret_used)
{
	return symbols_translate_by(t, symbols_n_levels() - 1, text, last, out, cap, ret_used);
}

const char *
symbol_name(unsigned symbol)
{
	static const char *const names[] = {"\\n", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
		"k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", "0",
		"1", "2", "3", "4", "5", "6", "7", "8", "9", " ", "_", "\\?", "\\\"", "'", "(", ")",
		",", ".", ";", ":", "-", "/", "*", "=", "+", "<", ">", "[", "{", "#", "&", "|", "!",
		"%", "$", "@"};

	_Static_assert(ARRAY_LEN(names) == N_SYMBOLS, "a name each");
	return names[symbol % N_SYMBOLS];
}
