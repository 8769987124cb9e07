#include "text/census.h"

#include "text/lanes.h"
#include "text/text_need.h"
#include "text/text_tally.h"
#include "text/valid.h"

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
		lanes a = lanes_load(p + i), b = lanes_load(p + i + 1);
		lanes c = lanes_load(p + i + 2);

		hits |= (lanes)((a == 0xc5) & (b == 0xbf));
		hits |= (lanes)((a == 0xe2) & (b == 0x84) & (c == 0xaa));
	}
	if (lanes_any(hits))
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
	struct text_tally t = {.n_newlines = c->n_newlines};

	if (piece.len == 0)
		return;
	text_tally_add(&t, c->last, piece);
	c->n_newlines = t.n_newlines;
	c->marks |= t.marks;
	c->last = (unsigned char)piece.data[piece.len - 1];
	c->open_line = c->last != '\n';
	if (!(t.marks & TEXT_MARKS_BEYOND))
		return;
	c->ascii = false;
	c->utf8 = c->utf8 && valid_utf8(piece);
	c->folds = c->folds || has_folding(piece.data, piece.len);
}

uint64_t
census_lines(const struct census *c)
{
	return c->n_newlines + c->open_line;
}
