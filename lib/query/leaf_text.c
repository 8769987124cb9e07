#include "query/leaf_text.h"

#include <dirent.h>
#include <errno.h>

#include "index/tree_gram.h"
#include "query/lang.h"

/* Groups of names that may hold all of n literals, the first at `l`. */
static uint64_t *
groups_with(struct eval *e, const struct literal *l, uint32_t n)
{
	uint32_t n_groups = tree_n_groups(e->cols), n_words = (n_groups + 63) / 64;
	uint64_t *groups = ARENA_ARRAY(&e->arena, uint64_t, n_words);

	if (!groups)
		return NULL;
	memset(groups, 0xff, n_words * sizeof(*groups));
	if (n_groups % 64)
		groups[n_words - 1] >>= 64 - n_groups % 64;
	for (uint32_t i = 0; i < n; i++)
		tree_gram_filter(e->cols, l[i].gram, l[i].n_grams, groups);
	return groups;
}

/* One of them is enough. */
static int
bind_ext(struct eval *e, const struct node *n, struct eval_leaf *leaf)
{
	uint32_t n_words = (tree_n_groups(e->cols) + 63) / 64;
	uint64_t *any = ARENA_ARRAY(&e->arena, uint64_t, n_words);

	for (uint32_t i = 0; any && i < n->list.n_ext; i++) {
		uint64_t *one = groups_with(e, &n->list.ext[i], 1);

		if (!one)
			return -ENOMEM;
		for (uint32_t k = 0; k < n_words; k++)
			any[k] |= one[k];
	}
	leaf->may = any;
	return any ? 0 : -ENOMEM;
}

static bool
asks_directories(const struct node *n)
{
	return n->text.way == WAY_WORD || n->text.way == WAY_PARTED;
}

int
leaf_bind_text(struct eval *e, const struct node *n, struct eval_leaf *leaf)
{
	const struct literal *l = n->text.name.literal;
	uint32_t n_literals = n->text.name.n_literals;

	if (n->term == TERM_TEXT && asks_directories(n)) {
		leaf->dir = ARENA_ARRAY(&e->arena, _Atomic uint8_t, e->cols->n_dirs);
		if (!leaf->dir)
			return -ENOMEM;
	}
	if (!tree_has_grams(e->cols))
		return 0;
	if (n->term == TERM_EXT)
		return bind_ext(e, n, leaf);
	if (n->text.way == WAY_SLASHED) {
		l = n->text.has_head ? &n->text.head : &n->text.tail;
		n_literals = n->text.has_head || n->text.has_tail;
	}
	if (n_literals == 0)
		return 0;
	leaf->may = groups_with(e, l, n_literals);
	return leaf->may ? 0 : -ENOMEM;
}

int
leaf_text(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	return n->text.way == WAY_NAME ? name_bits(at, n, want, out) : leaf_path(at, n, want, out);
}

/* Without the directories among 64 entries from `lo` on: one by one, or the classes of all. */
static uint64_t
without_directories(const struct eval_at *at, const struct node *n, uint32_t lo, uint64_t hits)
{
	const bool *ok = at->e->leaf[n->leaf].class_ok;
	uint64_t cls[64];
	bool all = members_count(&hits, 1) > 8;

	if (all)
		tree_read(at->e->cols, TREE_CLS, lo, MIN(64u, at->lo + at->n - lo), cls);
	for (uint64_t left = hits; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(left);

		if (!ok[all ? cls[i] : tree_cls(at->e->cols, lo + i)])
			hits &= ~(1ull << i);
	}
	return hits;
}

/* A dot and the extension, and something before them. What the scan does not see is not folded
 * here. */
static bool
has_ext(const struct node *n, struct span name)
{
	for (uint32_t k = 0; k < n->list.n_ext; k++) {
		const struct needle *ext = &n->list.ext[k].needle;
		size_t at = name.len - MIN(name.len, ext->len);

		if (at > 0 && needle_find_ascii(ext, name, at) >= 0)
			return true;
	}
	return false;
}

void
leaf_ext(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint64_t may = leaf_may_groups(&at->e->leaf[n->leaf], at->lo, at->n);
	struct bits one;

	if (!may)
		return;
	if (bits_count(want) <= TEXT_FEW) {
		for (uint32_t i = bits_next(want, 0); i < EVAL_CHUNK; i = bits_next(want, i + 1)) {
			if (has_ext(n, tree_name(c, at->lo + i)))
				bits_set(out, i);
		}
	} else {
		for (uint32_t k = 0; k < n->list.n_ext; k++) {
			literal_bits(at, &n->list.ext[k], may, &one);
			for (size_t i = 0; i < ARRAY_LEN(out->word); i++)
				out->word[i] |= one.word[i] & want->word[i];
		}
	}
	for (uint32_t i = 0; i < at->n; i += 64) {
		if (out->word[i / 64])
			out->word[i / 64] =
				without_directories(at, n, at->lo + i, out->word[i / 64]);
	}
}

void
leaf_lang(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;

	for (uint32_t i = bits_next(want, 0); i < EVAL_CHUNK; i = bits_next(want, i + 1)) {
		struct span lang;

		if (!at->e->regular[tree_cls(c, at->lo + i)])
			continue;
		lang = span_of(lang_of(tree_name(c, at->lo + i)));
		for (uint32_t k = 0; k < n->list.n; k++) {
			if (span_eq(lang, n->list.item[k]))
				bits_set(out, i);
		}
	}
}
