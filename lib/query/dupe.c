#include "query/dupe.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "query/sweep.h"
#include "sync/par.h"

/** Neighbours are of one size, not of one directory: small pieces spread the large files. */
#define DUPE_GRAIN 4u

struct twin {
	uint64_t size;
	struct hash128 hash;
	uint64_t n_bytes;
	uint32_t root, entry;
	enum content_fate fate;
};

struct search {
	const struct snapshot *snapshot;
	const struct cursor_opts *opts;
	VEC(struct twin) twins;
	struct content_reader *reader; /* [n_workers] */
	unsigned n_workers;
};

static int
compare_sizes(const void *va, const void *vb)
{
	const struct twin *a = va, *b = vb;

	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static int
compare_hashes(const void *va, const void *vb)
{
	const struct twin *a = va, *b = vb;

	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->hash.high != b->hash.high)
		return a->hash.high < b->hash.high ? -1 : 1;
	return a->hash.low < b->hash.low ? -1 : a->hash.low > b->hash.low;
}

static int
collect_root(struct search *s, uint32_t root)
{
	const struct tree_cols *c = tree_cols(s->snapshot->roots[root].tree);

	for (uint32_t e = 0; e < c->n_entries; e++) {
		struct twin t = {.size = c->size[e], .root = root, .entry = e};

		if (t.size == 0 || !S_ISREG(c->classes[c->cls[e]].mode))
			continue;
		if (VEC_PUSH(&s->twins, t) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Keep those that are equal to a neighbour in the order of `compare`, which they stand in. */
static void
keep_equal(struct search *s, bool (*equal)(const struct twin *a, const struct twin *b))
{
	struct twin *t = s->twins.data;
	size_t n = 0, len = s->twins.len;
	bool before = false; /* is t[i] equal to the one before it? */

	for (size_t i = 0; i < len; i++) {
		bool after = i + 1 < len && equal(&t[i], &t[i + 1]);

		/* The slot that is written lies before every one that is still compared. */
		if (before || after)
			t[n++] = t[i];
		before = after;
	}
	s->twins.len = n;
}

static bool
equal_size(const struct twin *a, const struct twin *b)
{
	return a->size == b->size;
}

static bool
equal_hash(const struct twin *a, const struct twin *b)
{
	return a->fate == CONTENT_OK && b->fate == CONTENT_OK && a->size > 0 &&
	       compare_hashes(a, b) == 0;
}

static int
hash_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct search *s = ctx;

	for (size_t i = lo; i < hi; i++) {
		struct twin *t = &s->twins.data[i];
		int r = query_poll(s->opts);

		if (r == 0)
			r = content_hash(&s->reader[worker], s->snapshot, t->root, t->entry,
				&t->hash, &t->n_bytes);
		if (r < 0)
			return r;
		t->fate = (enum content_fate)r;
		/* What it is now decides, not what it was when it was indexed. */
		t->size = t->fate == CONTENT_OK ? t->n_bytes : t->size;
	}
	return 0;
}

static int
hash_all(struct search *s)
{
	size_t n = s->twins.len;
	unsigned n_workers = s->opts->io ? par_width(s->opts->io) : 1;

	s->reader = calloc(n_workers, sizeof(*s->reader));
	if (!s->reader)
		return -ENOMEM;
	for (; s->n_workers < n_workers; s->n_workers++)
		content_reader_init(&s->reader[s->n_workers]);
	if (!s->opts->io)
		return hash_piece(0, n, 0, s);
	return par_for(s->opts->io, TASK_QUERY, n, DUPE_GRAIN, hash_piece, s, s->opts->stop);
}

/* Files that could not be hashed stand aside: no two of them are equal. */
static void
count_fates(const struct search *s, struct dupe_set *d)
{
	VEC_EACH (&s->twins, t) {
		d->by_fate[t->fate]++;
		d->n_read += t->fate != CONTENT_OFF;
		d->n_bytes += t->n_bytes;
	}
}

static int
make_bits(const struct snapshot *s, struct dupe_set *d)
{
	for (uint32_t i = 0; i < s->n_roots; i++) {
		if (!s->roots[i].tree)
			continue;
		d->root[i] =
			calloc(tree_cols(s->roots[i].tree)->n_entries / 64 + 1, sizeof(uint64_t));
		if (!d->root[i])
			return -ENOMEM;
	}
	return 0;
}

static void
search_fini(struct search *s)
{
	for (unsigned i = 0; i < s->n_workers; i++)
		content_reader_fini(&s->reader[i]);
	free(s->reader);
	VEC_FINI(&s->twins);
}

static void
sort_twins(struct search *s, int (*compare)(const void *a, const void *b))
{
	if (s->twins.len > 1)
		qsort(s->twins.data, s->twins.len, sizeof(struct twin), compare);
}

static int
find_twins(struct search *s, struct dupe_set *d)
{
	int r = make_bits(s->snapshot, d);

	for (uint32_t i = 0; r == 0 && i < s->snapshot->n_roots; i++) {
		if (s->snapshot->roots[i].tree)
			r = collect_root(s, i);
	}
	if (r < 0)
		return r;
	sort_twins(s, compare_sizes);
	keep_equal(s, equal_size);
	r = hash_all(s);
	if (r < 0)
		return r;
	count_fates(s, d);
	sort_twins(s, compare_hashes);
	keep_equal(s, equal_hash);
	VEC_EACH (&s->twins, t)
		d->root[t->root][t->entry / 64] |= 1ull << (t->entry % 64);
	return 0;
}

int
dupe_set_create(const struct snapshot *s, const struct cursor_opts *opts, struct dupe_set **ret)
{
	AUTO(search_fini) struct search search = {.snapshot = s, .opts = opts};
	struct dupe_set *d = calloc(1, sizeof(*d) + s->n_roots * sizeof(d->root[0]));
	int r;

	if (!d)
		return -ENOMEM;
	d->n_roots = s->n_roots;
	r = find_twins(&search, d);
	if (r < 0)
		dupe_set_destroy(d);
	else
		*ret = d;
	return r;
}

void
dupe_set_destroy(struct dupe_set *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->n_roots; i++)
		free(d->root[i]);
	free(d);
}
