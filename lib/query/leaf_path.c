#include "query/leaf_text.h"

#include <errno.h>

#include "text/pattern.h"

#define NOTED_LEVELS 16u

/* Does the path of directory `dir` hold the word? Climbs to the first ancestor that is known or has
 * it in its name, and writes down the verdict for those between, the nearest NOTED_LEVELS. */
int
directory_holds(const struct eval_at *at, const struct node *n, uint32_t dir)
{
	const struct tree_cols *c = at->e->cols;
	const struct eval_leaf *leaf = &at->e->leaf[n->leaf];
	uint32_t noted[NOTED_LEVELS], n_noted = 0;
	uint8_t verdict = load_rlx(&leaf->dir[dir]);

	while (verdict == DIR_UNKNOWN) {
		uint32_t entry = c->dir_entry[dir];
		int r = leaf_may_entry(leaf, entry) ? entry_passes(at, n, entry) : 0;

		if (r < 0)
			return r;
		if (n_noted < NOTED_LEVELS)
			noted[n_noted++] = dir;
		if (r > 0 || dir == 0) {
			verdict = r > 0 ? DIR_YES : DIR_NO;
			break;
		}
		dir = tree_parent(c, entry);
		verdict = load_rlx(&leaf->dir[dir]);
	}
	while (n_noted > 0)
		store_rlx(&leaf->dir[noted[--n_noted]], verdict);
	return verdict == DIR_YES;
}

/* The entries of the chunk, a directory at a time: from `entry` to the end of its siblings. */
static uint32_t
siblings_end(const struct eval_at *at, uint32_t entry)
{
	const struct tree_cols *c = at->e->cols;

	if (entry == 0)
		return 1; /* the root stands alone */
	/* Past `entry` even when a disk error made zeros of dir_first. */
	return MAX(entry + 1, MIN(c->dir_first[tree_parent(c, entry) + 1], at->lo + at->n));
}

static int
word_few(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;

	for (uint32_t k = 0; k < ARRAY_LEN(want->word); k++) {
		for (uint64_t left = want->word[k]; left; left &= left - 1) {
			uint32_t e = at->lo + 64 * k + (uint32_t)__builtin_ctzll(left);
			int r = entry_passes(at, n, e);

			if (r == 0 && e > 0)
				r = directory_holds(at, n, tree_parent(c, e));
			if (r < 0)
				return r;
			if (r > 0)
				out->word[k] |= left & -left;
		}
	}
	return 0;
}

/* In the own name, or in that of any directory above. */
static int
path_word(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	int r;

	if (bits_count(want) <= TEXT_FEW)
		return word_few(at, n, want, out);
	r = name_bits(at, n, want, out);
	/* Only siblings some of which are wanted. */
	for (uint32_t i = bits_next(want, 0), next; i < EVAL_CHUNK && r >= 0;
		i = bits_next(want, next)) {
		uint32_t e = at->lo + i;

		next = siblings_end(at, e) - at->lo;
		r = e > 0 ? directory_holds(at, n, tree_parent(c, e)) : 0;
		if (r > 0)
			bits_set_range(out, i, next);
	}
	return MIN(r, 0);
}

static int
path_holds(const struct eval_at *at, const struct node *n, struct span path)
{
	struct span below = {path.data + 1, path.len - 1}; /* without its first slash */
	struct matcher *m;
	struct match match;
	int r;

	switch (n->text.form) {
	case TEXT_WORD:
		return needle_find(&n->text.needle, path, 0, NULL) >= 0;
	case TEXT_GLOB:
		return glob_passes(at, &n->text.glob, below);
	case TEXT_REGEX:
		break;
	}
	r = eval_matcher(at->worker, n, &m);
	return r < 0 ? r : matcher_find(m, below, 0, &match);
}

/* "/" and the path of a directory, with a slash at the end. */
static int
directory_path(const struct eval_at *at, uint32_t dir, struct strbuf *path)
{
	const struct tree_cols *c = at->e->cols;

	strbuf_reset(path);
	(void)strbuf_putc(path, '/');
	if (dir > 0) {
		(void)tree_path(c, c->dir_entry[dir], path);
		(void)strbuf_putc(path, '/');
	}
	return path->failed ? -ENOMEM : 0;
}

/* The word's last slash is then the path's: names hold none. */
static int
word_in_path(const struct eval_at *at, const struct node *n, struct span path)
{
	const struct needle *needle = &n->text.needle;
	const char *slash = memrchr(needle->text, '/', needle->len);
	struct strbuf *folded = &at->worker->folded;

	if (needle_find(needle, path, 0, NULL) >= 0)
		return 1;
	if (needle->fold) {
		strbuf_reset(folded);
		if (needle_fold(needle, path, folded) < 0)
			return -ENOMEM;
		path = strbuf_view(folded);
	}
	return span_ends(path, (struct span){needle->text, (size_t)(slash - needle->text) + 1}) ? 2
	                                                                                        : 0;
}

int
word_in_directory(const struct eval_at *at, const struct node *n, uint32_t dir)
{
	struct strbuf *path = &at->worker->path;
	int r = directory_path(at, dir, path);

	return r < 0 ? r : word_in_path(at, n, strbuf_view(path));
}

/* Names of [lo, hi) one by one, behind the path of their directory. */
static int
path_names(const struct eval_at *at, const struct node *n, uint32_t lo, uint32_t hi,
	const struct bits *want, struct bits *out)
{
	struct strbuf *path = &at->worker->path;
	size_t len = path->len;

	for (uint32_t i = bits_next(want, lo - at->lo); at->lo + i < hi;
		i = bits_next(want, i + 1)) {
		int r;

		strbuf_truncate(path, len);
		r = strbuf_span(path, tree_name(at->e->cols, at->lo + i));
		if (r == 0)
			r = path_holds(at, n, strbuf_view(path));
		if (r < 0)
			return r;
		if (r > 0)
			bits_set(out, i);
	}
	return 0;
}

static int
path_siblings(const struct eval_at *at, const struct node *n, uint32_t lo, uint32_t hi,
	const struct bits *want, struct bits *out)
{
	struct strbuf *path = &at->worker->path;
	int r = directory_path(at, lo ? tree_parent(at->e->cols, lo) : 0, path);

	if (r < 0)
		return r;
	if (n->text.form != TEXT_WORD)
		return path_names(at, n, lo, hi, want, out);
	if (lo == 0)
		return 0; /* the root: its own path is empty, so no word is in it */
	r = word_in_path(at, n, strbuf_view(path));
	if (r == 1)
		bits_set_range(out, lo - at->lo, hi - at->lo);
	return r == 2 ? path_names(at, n, lo, hi, want, out) : MIN(r, 0);
}

static int
path_each(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	int r = 0;

	for (uint32_t i = bits_next(want, 0); i < EVAL_CHUNK && r == 0;) {
		uint32_t next = siblings_end(at, at->lo + i);

		r = path_siblings(at, n, at->lo + i, next, want, out);
		i = bits_next(want, next - at->lo);
	}
	return r;
}

/* Leaves out those that do not fulfil one need. */
static int
narrow(const struct eval_at *at, const struct node *need, struct bits *may)
{
	const struct bits *ready = eval_ready(at, need);
	struct bits one = {0};
	int r = 0;

	if (!ready && need->text.way == WAY_NAME)
		r = name_bits(at, need, may, &one);
	else if (!ready)
		r = path_word(at, need, may, &one);
	for (size_t k = 0; k < ARRAY_LEN(may->word); k++)
		may->word[k] &= ready ? ready->word[k] : one.word[k];
	return r;
}

/* By the needs that are known already, or by the others. */
static int
narrow_by(const struct eval_at *at, const struct node *n, bool known, struct bits *may)
{
	int r = 0;

	for (uint32_t i = 0; i < n->text.n_need && r >= 0 && bits_any(may); i++) {
		const struct node *need = n->text.need[i];

		if ((eval_ready(at, need) != NULL) == known)
			r = narrow(at, need, may);
	}
	return r;
}

/* Paths that fulfil all needs, what is known already first; then each of them. */
static int
path_candidates(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	struct bits may = *want;
	int r = narrow_by(at, n, true, &may);

	if (r >= 0)
		r = narrow_by(at, n, false, &may);
	return r < 0 ? r : path_each(at, n, &may, out);
}

/* The glob of directories, once for each. */
static int
directory_fits(const struct eval_at *at, const struct node *n, uint32_t dir)
{
	_Atomic uint8_t *state = &at->e->leaf[n->leaf].dir[dir];
	struct strbuf *path = &at->worker->path;
	int r = load_rlx(state);

	if (r != DIR_UNKNOWN)
		return r == DIR_YES;
	r = directory_path(at, dir, path);
	if (r == 0)
		r = glob_passes(at, &n->text.dir, (struct span){path->data + 1, path->len - 1});
	if (r >= 0)
		store_rlx(state, r > 0 ? DIR_YES : DIR_NO);
	return r;
}

static int
path_parted(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	struct bits named;
	int r = name_bits(at, n, want, &named);

	for (uint32_t i = r < 0 ? EVAL_CHUNK : bits_next(&named, 0); i < EVAL_CHUNK;) {
		uint32_t next = siblings_end(at, at->lo + i) - at->lo;

		if (at->lo + i > 0)
			r = directory_fits(at, n, tree_parent(c, at->lo + i));
		else /* the root's path is empty */
			r = glob_match(&n->text.glob, SPAN_LIT(""));
		if (r < 0)
			return r;
		for (; r > 0 && i < next; i = bits_next(&named, i + 1))
			bits_set(out, i);
		i = bits_next(&named, MAX(i, next));
	}
	return MIN(r, 0);
}

int
leaf_path(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	switch (n->text.way) {
	case WAY_PATH:
		return path_candidates(at, n, want, out);
	case WAY_PARTED:
		return path_parted(at, n, want, out);
	case WAY_WORD:
	case WAY_SLASHED:
		if (eval_ready(at, n)) {
			*out = *eval_ready(at, n);
			return 0;
		}
		return n->text.way == WAY_WORD ? path_word(at, n, want, out)
		                               : path_each(at, n, want, out);
	case WAY_EACH_PATH:
		return path_each(at, n, want, out);
	case WAY_NAME:
	case WAY_NEVER:
		break;
	}
	return 0;
}
