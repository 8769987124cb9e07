#include "text/census.h"

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
	c->utf8 = c->utf8 && utf8_valid(piece.data, piece.len);
	c->folds = c->folds || memmem(piece.data, piece.len, "\xc5\xbf", 2) ||
	           memmem(piece.data, piece.len, "\xe2\x84\xaa", 3);
}

uint64_t
census_lines(const struct census *c)
{
	return c->n_newlines + c->open_line;
}
