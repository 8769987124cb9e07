#include "gram/gram.h"

#include <errno.h>

#include "base/vec.h"

/* Symbols at a time: they and their grams stay in the first level of the cache. */
#define CHUNK 1024u
#define CARRY 8u
/* Clearing bit by bit costs more than the whole table when a text has so many distinct grams. */
#define CLEAR_ALL_SHIFT 7u

struct gram_maker {
	/* Fixed at create. */
	unsigned n;
	const struct symbols *symbols;
	size_t n_words;
	/* Bit g is set when gram g is in `list`. */
	uint64_t *seen;
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
	if (m->list.len > m->n_words >> (CLEAR_ALL_SHIFT - 6)) {
		memset(m->seen, 0, m->n_words * sizeof(*m->seen));
	} else {
		for (size_t i = 0; i < m->list.len; i++)
			m->seen[m->list.data[i] >> 6] = 0;
	}
	m->list.len = 0;
	m->taken = false;
	m->n_cut = 0;
	m->before = 0; /* GRAM_PAD_BEFORE ends */
	m->missing = m->n - 1 - GRAM_PAD_BEFORE;
}

unsigned
gram_maker_n_levels(void)
{
	return 1;
}

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
	m->n_words = GRAM_END(n) / 64;
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

/* Every gram is written behind the list, and stays there when it is new: no branch that the
 * processor could guess wrong. */
static void
put_symbols(struct gram_maker *m, const uint8_t *symbols, size_t n)
{
	uint32_t mask = GRAM_END(m->n) - 1, gram = m->before;
	uint32_t *list = m->list.data;
	uint64_t *seen = m->seen;
	size_t len = m->list.len;

	for (size_t i = 0; i < n; i++) {
		uint64_t word;

		gram = (gram << SYMBOL_BITS | symbols[i]) & mask;
		word = seen[gram >> 6];
		list[len] = gram;
		len += !(word >> (gram & 63) & 1);
		seen[gram >> 6] = word | 1ull << (gram & 63);
	}
	m->before = gram;
	m->list.len = len;
}

static int
add_symbols(struct gram_maker *m, const uint8_t *symbols, size_t n)
{
	for (; n > 0 && m->missing > 0; n--, m->missing--)
		m->before = m->before << SYMBOL_BITS | *symbols++;
	if (VEC_RESERVE(&m->list, n) < 0)
		return -ENOMEM;
	put_symbols(m, symbols, n);
	return 0;
}

/* *ret_used: what is not cut at the end. */
static int
add_bytes(struct gram_maker *m, struct span text, bool last, size_t *ret_used)
{
	uint8_t symbols[CHUNK];
	size_t used, at = 0;
	int r = 0;

	do {
		size_t n = symbols_translate(m->symbols,
			(struct span){text.data + at, text.len - at}, last, symbols, CHUNK, &used);

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
	static const uint8_t ends[GRAM_PAD_BEHIND] = {SYMBOL_END, SYMBOL_END};
	size_t used;
	int r;

	if (m->taken)
		begin(m);
	r = m->n_cut > 0 ? add_bytes(m, (struct span){m->cut, m->n_cut}, true, &used) : 0;
	if (r == 0)
		r = add_symbols(m, ends, ARRAY_LEN(ends));
	if (r < 0) {
		begin(m);
		return r;
	}
	m->taken = true;
	*ret_grams = m->list.data;
	*ret_n = m->list.len;
	return 0;
}
