#include "query/eval.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>

#include "query/field.h"
#include "text/pattern.h"

/* The entry of [lo, hi) whose name covers the offset. */
static uint32_t
entry_at(const struct tree_cols *c, uint32_t lo, uint32_t hi, uint64_t offset)
{
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (tree_name_at(c, mid) <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The first of the sorted wide entries that is not below `entry`. */
static uint32_t
wide_from(const struct tree_cols *c, uint32_t entry)
{
	uint32_t lo = 0, hi = c->n_wide;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->wide[mid] < entry)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
holds(const struct needle *needle, struct span text)
{
	size_t len;

	return needle_find(needle, text, 0, &len) >= 0;
}

/* Names of the chunk that hold the needle: one scan over their bytes, which are contiguous and
 * parted by NULs (a needle holds none). Folding beyond ASCII is decided name by name. */
static void
scan_names(const struct eval_at *at, const struct needle *needle, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint32_t entry = at->lo, end = at->lo + at->n;
	uint64_t base = tree_name_at(c, entry);
	uint64_t blob_end = tree_name_at(c, end);
	struct span blob = {c->names + base, blob_end > base ? blob_end - base : 0};
	size_t from = 0;

	while (from < blob.len) {
		ssize_t hit = needle_find_ascii(needle, blob, from);

		if (hit < 0)
			break;
		entry = entry_at(c, entry, end, base + (uint64_t)hit);
		bits_set(out, entry - at->lo);
		entry++;
		if (entry == end)
			break;
		from = MAX(tree_name_at(c, entry), base + (uint64_t)hit + 1) - base;
	}
	for (uint32_t i = needle->fold ? wide_from(c, at->lo) : c->n_wide;
		i < c->n_wide && c->wide[i] < end; i++) {
		if (c->wide[i] >= at->lo && holds(needle, tree_name(c, c->wide[i])))
			bits_set(out, c->wide[i] - at->lo);
	}
}

/* Does the path of directory `dir`, its own name included, hold the word? Climbs to the first
 * ancestor that is known or has it in its name, and writes down the verdict for all between. */
static bool
directory_holds(const struct eval_at *at, const struct node *n, uint32_t dir)
{
	const struct tree_cols *c = at->e->cols;
	_Atomic uint8_t *state = at->e->leaf[n->leaf].dir;
	uint32_t top = dir;
	uint8_t verdict;

	for (;; top = tree_parent(c, c->dir_entry[top])) {
		verdict = load_rlx(&state[top]);
		if (verdict != DIR_UNKNOWN)
			break;
		verdict = DIR_YES;
		if (holds(&n->text.needle, tree_name(c, c->dir_entry[top])))
			break;
		verdict = DIR_NO;
		if (top == 0)
			break;
	}
	for (; dir != top; dir = tree_parent(c, c->dir_entry[dir]))
		store_rlx(&state[dir], verdict);
	store_rlx(&state[top], verdict);
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

/* A word without a slash: in the own name, or in that of any directory above. */
static void
path_word(const struct eval_at *at, const struct node *n, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint32_t end = at->lo + at->n;

	scan_names(at, &n->text.needle, out);
	for (uint32_t e = at->lo, next; e < end; e = next) {
		next = siblings_end(at, e);
		if (e > 0 && directory_holds(at, n, tree_parent(c, e)))
			bits_set_range(out, e - at->lo, next - at->lo);
	}
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	}
	return true;
}

/* The pattern of a folded glob is folded; an ASCII text is folded by the matcher. */
static int
glob_holds(const struct eval_at *at, const struct node *n, struct span text)
{
	struct strbuf *folded = &at->worker->folded;

	if (!n->text.fold || is_ascii(text))
		return glob_match(&n->text.glob, text);
	strbuf_reset(folded);
	if (fold_append(folded, text) < 0)
		return -ENOMEM;
	return glob_match(&n->text.glob, strbuf_view(folded));
}

static int
regex_holds(const struct eval_at *at, const struct node *n, struct span text)
{
	struct matcher *m;
	struct match match;
	int r = eval_matcher(at->worker, n, &m);

	return r < 0 ? r : matcher_find(m, text, 0, &match);
}

static int
name_each(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	for (uint32_t i = 0; i < at->n; i++) {
		struct span name;
		int r;

		if (!bits_get(want, i))
			continue;
		name = tree_name(at->e->cols, at->lo + i);
		r = n->text.form == TEXT_GLOB ? glob_holds(at, n, name) : regex_holds(at, n, name);
		if (r < 0)
			return r;
		if (r > 0)
			bits_set(out, i);
	}
	return 0;
}

/* Only names that hold the glob's literal can match it. */
static int
name_glob(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	struct bits maybe = {0};

	scan_names(at, &n->text.needle, &maybe);
	for (size_t i = 0; i < ARRAY_LEN(maybe.word); i++)
		maybe.word[i] &= want->word[i];
	return name_each(at, n, &maybe, out);
}

static bool
ends_with(struct span name, struct span tail, bool fold)
{
	const char *end;

	if (name.len < tail.len)
		return false;
	end = name.data + (name.len - tail.len);
	for (size_t i = 0; i < tail.len; i++) {
		char c = end[i];

		if (fold && c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (c != tail.data[i])
			return false;
	}
	return true;
}

/* "*.c" meets too many names to look for hits one after the other: compare the end of each. Names
 * that fold beyond ASCII are left to the glob. */
static int
name_tail(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint64_t offset = tree_name_at(c, at->lo), next;
	struct bits wide = {0};

	for (uint32_t i = 0; i < at->n; i++, offset = next) {
		next = tree_name_at(c, at->lo + i + 1);
		/* Each name has one NUL after it. */
		if (ends_with((struct span){c->names + offset, next - offset - 1}, n->text.tail,
			    n->text.fold))
			bits_set(out, i);
	}
	for (uint32_t k = n->text.fold ? wide_from(c, at->lo) : c->n_wide;
		k < c->n_wide && c->wide[k] < at->lo + at->n; k++) {
		if (bits_get(want, c->wide[k] - at->lo))
			bits_set(&wide, c->wide[k] - at->lo);
	}
	return n->text.fold ? name_each(at, n, &wide, out) : 0;
}

static int
path_holds(const struct eval_at *at, const struct node *n, struct span path)
{
	struct span below = {path.data + 1, path.len - 1}; /* without its first slash */

	switch (n->text.form) {
	case TEXT_WORD:
		return holds(&n->text.needle, path);
	case TEXT_GLOB:
		return glob_holds(at, n, below);
	case TEXT_REGEX:
		return regex_holds(at, n, below);
	}
	return 0;
}

/* "/" and the path of the directory that holds the siblings, with a slash at the end. */
static int
siblings_path(const struct eval_at *at, uint32_t entry, struct strbuf *path)
{
	const struct tree_cols *c = at->e->cols;

	strbuf_reset(path);
	(void)strbuf_putc(path, '/');
	if (entry > 0 && tree_parent(c, entry) > 0) {
		(void)tree_path(c, c->dir_entry[tree_parent(c, entry)], path);
		(void)strbuf_putc(path, '/');
	}
	return path->failed ? -ENOMEM : 0;
}

/* A word with a slash, against the path of a directory that ends in a slash: 1 it is in it, so
 * everything below matches; 0 nothing does; 2 it may go on into the names, which hold no slash: the
 * word's last one is then the path's. */
static int
word_in_directory(const struct eval_at *at, const struct node *n, struct span path)
{
	const struct needle *needle = &n->text.needle;
	const char *slash = memrchr(needle->text, '/', needle->len);
	struct strbuf *folded = &at->worker->folded;

	if (holds(needle, path))
		return 1;
	if (needle->fold) {
		strbuf_reset(folded);
		if (fold_append(folded, path) < 0)
			return -ENOMEM;
		path = strbuf_view(folded);
	}
	return span_ends(path, (struct span){needle->text, (size_t)(slash - needle->text) + 1}) ? 2
	                                                                                        : 0;
}

/* Names [lo, hi) one by one, behind the path of their directory. */
static int
path_names(const struct eval_at *at, const struct node *n, uint32_t lo, uint32_t hi,
	const struct bits *want, struct bits *out)
{
	struct strbuf *path = &at->worker->path;
	size_t len = path->len;

	for (uint32_t e = lo; e < hi; e++) {
		int r;

		if (!bits_get(want, e - at->lo))
			continue;
		strbuf_truncate(path, len);
		r = strbuf_span(path, tree_name(at->e->cols, e));
		if (r == 0)
			r = path_holds(at, n, strbuf_view(path));
		if (r < 0)
			return r;
		if (r > 0)
			bits_set(out, e - at->lo);
	}
	return 0;
}

static int
path_siblings(const struct eval_at *at, const struct node *n, uint32_t lo, uint32_t hi,
	const struct bits *want, struct bits *out)
{
	struct strbuf *path = &at->worker->path;
	uint32_t first = lo;
	int r;

	while (first < hi && !bits_get(want, first - at->lo))
		first++;
	if (first == hi)
		return 0;
	r = siblings_path(at, lo, path);
	if (r < 0)
		return r;
	if (n->text.form != TEXT_WORD)
		return path_names(at, n, first, hi, want, out);
	if (lo == 0)
		return 0; /* the root: its own path is empty, so no word is in it */
	r = word_in_directory(at, n, strbuf_view(path));
	if (r == 1)
		bits_set_range(out, lo - at->lo, hi - at->lo);
	return r == 2 ? path_names(at, n, first, hi, want, out) : MIN(r, 0);
}

static int
path_each(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	uint32_t end = at->lo + at->n;
	int r = 0;

	for (uint32_t e = at->lo, next; e < end && r == 0; e = next) {
		next = siblings_end(at, e);
		r = path_siblings(at, n, e, next, want, out);
	}
	return r;
}

int
leaf_text(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	if (n->text.on_name && n->text.form == TEXT_WORD)
		scan_names(at, &n->text.needle, out);
	else if (n->text.tail.len > 0)
		return name_tail(at, n, want, out);
	else if (n->text.on_name && n->text.has_needle)
		return name_glob(at, n, want, out);
	else if (n->text.on_name)
		return name_each(at, n, want, out);
	else if (n->text.form == TEXT_WORD && !n->text.slash)
		path_word(at, n, out);
	else
		return path_each(at, n, want, out);
	return 0;
}

static bool
has_ext(struct span name, struct span ext)
{
	const char *at;

	/* A dot and the extension, and something before them. */
	if (name.len < ext.len + 2 || name.data[name.len - ext.len - 1] != '.')
		return false;
	at = name.data + name.len - ext.len;
	for (size_t i = 0; i < ext.len; i++) {
		if (tolower((unsigned char)at[i]) != ext.data[i])
			return false;
	}
	return true;
}

void
leaf_ext(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;
	uint64_t offset = tree_name_at(c, at->lo), next;

	for (uint32_t i = 0; i < at->n; i++, offset = next) {
		struct span name = {c->names + offset, 0};

		next = tree_name_at(c, at->lo + i + 1);
		name.len = next - offset - 1; /* without its NUL */
		if (!bits_get(want, i))
			continue;
		for (uint32_t k = 0; k < n->list.n; k++) {
			if (!has_ext(name, n->list.item[k]))
				continue;
			if (tree_type(c, at->lo + i) != DT_DIR)
				bits_set(out, i);
			break;
		}
	}
}

void
leaf_lang(const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out)
{
	const struct tree_cols *c = at->e->cols;

	for (uint32_t i = 0; i < at->n; i++) {
		struct span lang;

		if (!bits_get(want, i) || !at->e->regular[tree_cls(c, at->lo + i)])
			continue;
		lang = span_of(lang_of(tree_name(c, at->lo + i)));
		for (uint32_t k = 0; k < n->list.n; k++) {
			if (span_eq(lang, n->list.item[k]))
				bits_set(out, i);
		}
	}
}
