#include "text/census.h"

#include "text/valid.h"

/* 16 bytes at once, on every processor. */
typedef unsigned char lanes __attribute__((vector_size(16)));
#define LANES sizeof(lanes)
#define MOST_BLOCKS 255u /* a lane counts no further */

static lanes
load(const char *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static unsigned
sum_of(lanes v)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < LANES; i++)
		sum += v[i];
	return sum;
}

static bool
any_high(lanes v)
{
	unsigned all = 0;

	for (unsigned i = 0; i < LANES; i++)
		all |= v[i];
	return all >= 0x80;
}

/* Newlines, and whether all of it is ASCII. */
static uint64_t
count(const char *p, size_t len, bool *ascii)
{
	uint64_t n = 0;
	lanes bits = {0};

	while (len >= LANES) {
		size_t blocks = MIN(len / LANES, (size_t)MOST_BLOCKS);
		lanes hits = {0};

		for (size_t i = 0; i < blocks; i++, p += LANES) {
			lanes v = load(p);

			hits -= (lanes)(v == '\n');
			bits |= v;
		}
		len -= blocks * LANES;
		n += sum_of(hits);
	}
	*ascii = *ascii && !any_high(bits);
	for (; len > 0; len--, p++) {
		n += *p == '\n';
		*ascii = *ascii && (unsigned char)*p < 0x80;
	}
	return n;
}

static bool
folds_at(const unsigned char *p, size_t len)
{
	return len >= 2 && ((p[0] == 0xc5 && p[1] == 0xbf) ||
				   (len >= 3 && p[0] == 0xe2 && p[1] == 0x84 && p[2] == 0xaa));
}

/* Is there U+017F or U+212A? */
static bool
has_folding(const char *p, size_t len)
{
	size_t i = 0;
	lanes hits = {0};

	for (; i + LANES + 2 <= len; i += LANES) {
		lanes a = load(p + i), b = load(p + i + 1), c = load(p + i + 2);

		hits |= (lanes)((a == 0xc5) & (b == 0xbf));
		hits |= (lanes)((a == 0xe2) & (b == 0x84) & (c == 0xaa));
	}
	if (any_high(hits))
		return true;
	for (; i < len; i++) {
		if (folds_at((const unsigned char *)p + i, len - i))
			return true;
	}
	return false;
}

void
census_add(struct census *c, struct span piece)
{
	bool ascii = true;

	if (piece.len == 0)
		return;
	c->n_newlines += count(piece.data, piece.len, &ascii);
	c->open_line = piece.data[piece.len - 1] != '\n';
	c->ascii = c->ascii && ascii;
	if (ascii)
		return;
	c->utf8 = c->utf8 && valid_utf8(piece);
	c->folds = c->folds || has_folding(piece.data, piece.len);
}

uint64_t
census_lines(const struct census *c)
{
	return c->n_newlines + c->open_line;
}
