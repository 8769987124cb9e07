#include "index/text_list.h"

#include "index/text_block.h"
#include "index/text_group.h"

static uint64_t
load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void
text_list_start(const struct text_cols *c, const struct text_entry *e, struct text_list *ret)
{
	ret->n = e->n;
	ret->at = ret->m = 0;
	ret->block = ret->from = 0;
	ret->n_blocks = e->bitmap ? 0 : (e->n - 1) / TEXT_BLOCK + 1;
	ret->body = ret->skips = e->body;
	ret->bytes = e->bytes;
	ret->n_units = c->n_units;
	ret->bitmap = e->bitmap;
	if (ret->n_blocks > 1)
		ret->body += text_skips_bytes(c->n_units, e->n);
	if (e->n == 1 && !e->bitmap) {
		ret->units[0] = e->unit;
		ret->m = ret->block = 1;
	}
}

int
text_list_find(const struct text_cols *c, uint32_t gram, struct text_list *ret)
{
	struct text_entry e;

	if (text_entry_find(c, gram, &e) == 0)
		return 0;
	text_list_start(c, &e, ret);
	return 1;
}

uint64_t
text_list_count(const struct text_cols *c, uint32_t first, uint32_t last)
{
	struct text_entry lists[TEXT_GROUP];
	uint64_t sum = 0;

	for (uint32_t group = first / TEXT_GROUP; group <= last / TEXT_GROUP; group++) {
		unsigned n = text_group_lists(c, group, lists);

		for (unsigned i = 0; i < n; i++)
			sum += lists[i].gram >= first && lists[i].gram <= last ? lists[i].n : 0;
	}
	return sum;
}

static void
read_block(struct text_list *l)
{
	struct text_skip skip;

	l->at = 0;
	if (l->n_blocks == 1) {
		l->m = l->n;
		text_block_get(l->body, l->bytes, l->m, 0, l->n_units - 1, l->units);
		l->block++;
		return;
	}
	skip = text_skip_get(l->skips, l->n_units, l->block);
	l->m = MIN(l->n - l->block * TEXT_BLOCK, TEXT_BLOCK);
	text_block_get(l->body, skip.bytes, l->m - 1, l->from, skip.last, l->units);
	l->units[l->m - 1] = skip.last;
	l->body += skip.bytes;
	l->from = skip.last + 1;
	l->block++;
}

/* The next bit from `at` on; at is n_units when there is none. */
static int
next_bit(struct text_list *l, uint32_t *ret)
{
	while (l->at < l->n_units) {
		uint64_t word = load(l->body + (size_t)l->at / 64 * 8) >> l->at % 64;

		if (word) {
			l->at += (uint32_t)__builtin_ctzll(word);
			break;
		}
		l->at = MIN(l->n_units - 1, l->at | 63) + 1;
	}
	if (l->at >= l->n_units) {
		l->at = l->n_units;
		return 0; /* what follows the bitmap is no part of it */
	}
	*ret = l->at++;
	return 1;
}

int
text_list_next(struct text_list *l, uint32_t *ret)
{
	if (l->bitmap)
		return next_bit(l, ret);
	if (l->at == l->m) {
		if (l->block == l->n_blocks)
			return 0;
		read_block(l);
	}
	*ret = l->units[l->at++];
	return 1;
}

/* Over blocks that end before `unit`. The end of a single one is not known before it is read. */
static void
skip_blocks(struct text_list *l, uint32_t unit)
{
	for (; l->block < l->n_blocks && l->n_blocks > 1; l->block++) {
		struct text_skip skip = text_skip_get(l->skips, l->n_units, l->block);

		if (skip.last >= unit)
			return;
		l->body += skip.bytes;
		l->from = skip.last + 1;
	}
}

/* The last of the units is `unit` or above. */
static uint32_t
search_units(const struct text_list *l, uint32_t unit)
{
	uint32_t lo = l->at, hi = l->m - 1;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->units[mid] < unit)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
text_list_leap(struct text_list *l, uint32_t unit, uint32_t *ret)
{
	if (l->bitmap) {
		l->at = MAX(l->at, MIN(unit, l->n_units));
		return next_bit(l, ret);
	}
	if (l->at == l->m || l->units[l->m - 1] < unit) {
		l->at = l->m = 0;
		skip_blocks(l, unit);
		if (l->block == l->n_blocks)
			return 0;
		read_block(l);
	}
	if (l->units[l->m - 1] < unit) {
		l->at = l->m;
		return 0;
	}
	l->at = search_units(l, unit);
	*ret = l->units[l->at++];
	return 1;
}

uint32_t
text_list_read(struct text_list *l, uint32_t *ret, uint32_t cap)
{
	uint32_t n = 0;

	if (l->bitmap) {
		while (n < cap && next_bit(l, &ret[n]) > 0)
			n++;
		return n;
	}
	while (n < cap) {
		uint32_t k;

		if (l->at == l->m) {
			if (l->block == l->n_blocks)
				break;
			read_block(l);
		}
		k = MIN(l->m - l->at, cap - n);
		memcpy(ret + n, l->units + l->at, k * sizeof(*ret));
		l->at += k;
		n += k;
	}
	return n;
}

static void
mark_words(struct text_list *l, uint64_t *bits)
{
	uint32_t at = l->at;

	for (uint32_t end; at < l->n_units; at = end) {
		uint64_t word = load(l->body + (size_t)at / 64 * 8) >> at % 64 << at % 64;

		end = MIN(l->n_units - 1, at | 63) + 1;
		if (end % 64)
			word &= ((uint64_t)1 << end % 64) - 1;
		bits[at / 64] |= word;
	}
	l->at = l->n_units;
}

void
text_list_mark(struct text_list *l, uint64_t *bits)
{
	if (l->bitmap) {
		mark_words(l, bits);
		return;
	}
	for (;;) {
		for (; l->at < l->m; l->at++)
			bits[l->units[l->at] / 64] |= (uint64_t)1 << l->units[l->at] % 64;
		if (l->block == l->n_blocks)
			return;
		read_block(l);
	}
}
