#include "query/front.h"

#include <errno.h>

#include "index/tree_gram.h"
#include "query/leaf_text.h"

bool
front_suits(const struct node *n)
{
	return n->term == TERM_TEXT && (n->text.way == WAY_WORD || n->text.way == WAY_SLASHED);
}

static bool
is_slashed(const struct front *f)
{
	return f->leaf->text.way == WAY_SLASHED;
}

static int
mark_below(struct front *f, const struct eval_at *at, uint32_t dir)
{
	uint32_t lo, hi;

	(void)at;
	tree_subtree(f->eval->cols, dir, &lo, &hi);
	return marks_add(&f->below, lo, hi);
}

static int
mark_kids(struct front *f, const struct eval_at *at, uint32_t dir)
{
	const struct tree_cols *c = f->eval->cols;
	int r = word_in_directory(at, f->leaf, dir);

	if (r == 1)
		return mark_below(f, at, dir);
	return r == 2 ? marks_add(&f->kids, c->dir_first[dir], c->dir_first[dir + 1]) : r;
}

/* What the directories above the first entry say. */
static int
look_above(struct front *f, const struct eval_at *at, uint32_t hi)
{
	const struct tree_cols *c = f->eval->cols;
	uint32_t dir = tree_parent(c, at->lo); /* 0 for the root itself */
	int r;

	if (!is_slashed(f))
		r = directory_holds(at, f->leaf, dir);
	else
		r = word_in_directory(at, f->leaf, dir);
	if (r == 1)
		f->below.cover = hi;
	if (r == 2)
		r = marks_add(&f->kids, c->dir_first[dir], c->dir_first[dir + 1]);
	return MIN(r, 0);
}

/* Asking a directory costs what scanning this many names does. */
#define NAMES_A_DIRECTORY 32u

/* Could the directory end in the word's head? Names that ASCII cannot tell of could. */
static bool
may_end_head(const struct literal *head, struct span name)
{
	size_t len = head->needle.len;

	if (head->ask_wide && !span_is_ascii(name))
		return true;
	if (name.len < len || ((head->scan.place & MEMBER_START) && name.len > len))
		return false;
	return needle_find_ascii(&head->needle, name, name.len - len) >= 0;
}

/* All directories of a range that is a whole subtree, when that is cheaper than scanning. */
static int
ask_directories(struct front *f, const struct eval_at *at)
{
	const struct tree_cols *c = f->eval->cols;
	uint32_t top = tree_parent(c, at->lo);
	size_t n_names = eval_n_may(f->eval, f->leaf) * TREE_NAME_GROUP;
	int r = 0;

	if ((size_t)(c->dir_end[top] - top) * NAMES_A_DIRECTORY > n_names)
		return 0;
	f->all_known = true;
	for (uint32_t d = top + 1; d < c->dir_end[top] && r == 0; d++) {
		if (may_end_head(&f->leaf->text.head, tree_name(c, c->dir_entry[d])))
			r = mark_kids(f, at, d);
	}
	return r;
}

int
front_start(struct front *f, struct eval *e, const struct node *leaf, uint32_t lo, uint32_t hi)
{
	const struct eval_at at = {.e = e, .worker = &e->worker[0], .lo = lo, .n = 1};
	int r;

	f->eval = e;
	f->leaf = leaf;
	f->any_kid = leaf->text.way == WAY_SLASHED && !leaf->text.has_head;
	f->all_known = false;
	marks_reset(&f->below);
	marks_reset(&f->kids);
	r = look_above(f, &at, hi);
	if (r == 0 && leaf->text.has_head && f->below.cover < hi)
		r = ask_directories(f, &at);
	return r;
}

void
front_fini(struct front *f)
{
	marks_fini(&f->below);
	marks_fini(&f->kids);
}

bool
front_may_hit(const struct front *f, uint32_t lo, uint32_t n)
{
	if (f->all_known || f->below.cover >= lo + n)
		return false; /* nothing is left to find out */
	return leaf_may(&f->eval->leaf[f->leaf->leaf], lo, n);
}

bool
front_touches(const struct front *f, uint32_t lo, uint32_t n)
{
	return marks_touch(&f->below, lo, lo + n) || marks_touch(&f->kids, lo, lo + n);
}

static bool
any_wide(const struct front *f)
{
	return f->leaf->text.head.ask_wide || f->leaf->text.tail.ask_wide;
}

/* Directories that may end in the head; of "/x" names that begin with x. */
static void
scan_slashed(const struct front *f, const struct eval_at *at, struct bits *out)
{
	const struct text_term *t = &f->leaf->text;
	uint64_t may = leaf_may_groups(&f->eval->leaf[f->leaf->leaf], at->lo, at->n);

	if (t->has_head)
		literal_bits(at, &t->head, may, out);
	else if (t->has_tail)
		literal_bits(at, &t->tail, may, out);
	else
		bits_set_range(out, 0, at->n);
	if (any_wide(f))
		wide_bits(at, out);
}

int
front_scan(const struct front *f, const struct eval_at *at, struct bits *out)
{
	if (is_slashed(f)) {
		scan_slashed(f, at, out);
		return 0;
	}
	return name_bits(at, f->leaf, NULL, out);
}

typedef int (*dir_fn)(struct front *f, const struct eval_at *at, uint32_t dir);

/* Those of 64 entries from `entry` on that are entered directories. */
static uint64_t
directory_bits(const struct tree_cols *c, uint32_t entry)
{
	uint64_t bits = c->dir_bits[entry / 64] >> entry % 64;

	if (entry % 64 && entry / 64 < (c->n_entries - 1) / 64)
		bits |= c->dir_bits[entry / 64 + 1] << (64 - entry % 64);
	return bits;
}

static int
each_dir(struct front *f, const struct eval_at *at, const struct bits *hits, dir_fn fn)
{
	const struct tree_cols *c = f->eval->cols;

	for (uint32_t i = 0; i < at->n; i += 64) {
		uint64_t left = hits->word[i / 64];

		if (left)
			left &= directory_bits(c, at->lo + i);
		for (; left; left &= left - 1) {
			uint32_t d = tree_dir(c, at->lo + i + (uint32_t)__builtin_ctzll(left));
			/* The root's own name is empty; a disk error made zeros of dir_bits. */
			int r = d > 0 && d != TREE_NO_DIR ? fn(f, at, d) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Of the children that may match, those whose names begin with the tail. */
static int
keep_tails(const struct front *f, const struct eval_at *at, struct bits *bits)
{
	const struct literal *tail = &f->leaf->text.tail;
	struct bits scanned, wide = {0};

	if (!f->any_kid) {
		literal_bits(at, tail, UINT64_MAX, &scanned);
		if (tail->ask_wide)
			wide_bits(at, &wide);
		for (size_t k = 0; k < ARRAY_LEN(bits->word); k++)
			bits->word[k] &= scanned.word[k] | wide.word[k];
	} else if (tail->ask_wide) {
		wide_bits(at, &wide);
	}
	for (uint32_t i = bits_next(&wide, 0); i < EVAL_CHUNK; i = bits_next(&wide, i + 1)) {
		if (needle_find(&tail->needle, tree_name(at->e->cols, at->lo + i), 0, NULL) != 0)
			bits->word[i / 64] &= ~(1ull << (i % 64));
	}
	return 0;
}

/* Hits on the head become the entries that match by themselves. */
static int
absorb_head(struct front *f, const struct eval_at *at, struct bits *bits)
{
	int r = f->any_kid || f->all_known ? 0 : each_dir(f, at, bits, mark_kids);

	if (r < 0)
		return r;
	if (!f->any_kid) {
		*bits = (struct bits){0};
		marks_apply(&f->kids, at->lo, at->n, bits);
	}
	if (f->leaf->text.has_tail && bits_any(bits))
		return keep_tails(f, at, bits);
	return 0;
}

int
front_absorb(struct front *f, const struct eval_at *at, struct bits *bits)
{
	int r = 0;

	if (f->below.cover < at->lo + at->n) {
		if (is_slashed(f))
			r = absorb_head(f, at, bits);
		if (r == 0)
			r = each_dir(f, at, bits, mark_below);
	}
	marks_apply(&f->below, at->lo, at->n, bits);
	if (at->lo == 0)
		bits->word[0] &= ~1ull; /* the root's own name and path are empty */
	return r;
}
