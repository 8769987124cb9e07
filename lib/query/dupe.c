#include "query/dupe.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "query/halt.h"
#include "sync/par_collect.h"

#define GATHER_GRAIN 4096u

/* A file as the index has it. */
struct sized {
	uint64_t size;
	uint32_t root, entry;
};

/* One that shares its size with another, and what was read of it. */
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
	VEC(struct sized) files;
	VEC(struct twin) twins;
	struct content_reader *reader; /* [n_workers] */
	unsigned n_workers;
};

/* The largest first, and the sort is stable: so those of one size are read in entry order, and the
 * last files to be read are small, which lets all threads end together. */
static int
compare_sizes(const void *va, const void *vb, void *ctx)
{
	const struct sized *a = va, *b = vb;

	(void)ctx;
	return a->size > b->size ? -1 : a->size < b->size;
}

static int
compare_hashes(const void *va, const void *vb, void *ctx)
{
	const struct twin *a = va, *b = vb;

	(void)ctx;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->hash.high != b->hash.high)
		return a->hash.high < b->hash.high ? -1 : 1;
	return a->hash.low < b->hash.low ? -1 : a->hash.low > b->hash.low;
}

struct gather {
	const struct cursor_opts *opts;
	const struct tree_cols *cols;
	uint32_t root;
};

static int
gather_piece(size_t lo, size_t hi, unsigned worker, struct par_out *out, void *ctx)
{
	const struct gather *g = ctx;
	const struct tree_cols *c = g->cols;
	int r = query_poll(g->opts);

	(void)worker;
	for (; r == 0 && lo < hi; lo++) {
		struct sized *f;

		if (tree_size(c, lo) == 0 || !S_ISREG(c->classes[tree_cls(c, lo)].mode))
			continue;
		f = par_out_add(out, 1);
		if (!f)
			return -ENOMEM;
		*f = (struct sized){tree_size(c, lo), g->root, (uint32_t)lo};
	}
	return r;
}

static int
gather_root(struct search *s, uint32_t root)
{
	struct gather g = {s->opts, tree_cols(s->snapshot->roots[root].tree), root};
	const struct par_collection op = {sizeof(struct sized), gather_piece, &g};
	AUTO(freep) void *found = NULL;
	size_t n;
	int r = par_collect(s->opts->compute, TASK_QUERY, g.cols->n_entries, GATHER_GRAIN, &op,
		s->opts->stop, &found, &n);

	if (r == 0 && VEC_RESERVE(&s->files, n) < 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	if (n > 0)
		memcpy(s->files.data + s->files.len, found, n * sizeof(struct sized));
	s->files.len += n;
	return 0;
}

/* Files of one size stand together: those that are not alone. */
static int
pick_twins(struct search *s)
{
	const struct sized *f = s->files.data;
	bool before = false; /* is f[i] of the size of the one before it? */

	for (size_t i = 0; i < s->files.len; i++) {
		bool after = i + 1 < s->files.len && f[i].size == f[i + 1].size;
		struct twin t = {.size = f[i].size, .root = f[i].root, .entry = f[i].entry};

		if ((before || after) && VEC_PUSH(&s->twins, t) < 0)
			return -ENOMEM;
		before = after;
	}
	VEC_FINI(&s->files);
	return 0;
}

static bool
equal_hash(const struct twin *a, const struct twin *b)
{
	return a->fate == CONTENT_OK && b->fate == CONTENT_OK && a->size > 0 &&
	       compare_hashes(a, b, NULL) == 0;
}

static void
mark_twin(struct dupe_set *d, const struct twin *t)
{
	d->root[t->root][t->entry / 64] |= 1ull << (t->entry % 64);
}

/* Files with one hash stand together. */
static void
mark_equal(const struct search *s, struct dupe_set *d)
{
	const struct twin *t = s->twins.data;

	for (size_t i = 1; i < s->twins.len; i++) {
		if (equal_hash(&t[i - 1], &t[i])) {
			mark_twin(d, &t[i - 1]);
			mark_twin(d, &t[i]);
		}
	}
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
	unsigned n_workers = s->opts->io ? par_width(s->opts->io) : 1;

	s->reader = calloc(n_workers, sizeof(*s->reader));
	if (!s->reader)
		return -ENOMEM;
	for (; s->n_workers < n_workers; s->n_workers++)
		content_reader_init(&s->reader[s->n_workers]);
	return par_for(s->opts->io, TASK_QUERY, s->twins.len, 1, hash_piece, s, s->opts->stop);
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
	VEC_FINI(&s->files);
	VEC_FINI(&s->twins);
}

static int
find_twins(struct search *s, struct dupe_set *d)
{
	int r = make_bits(s->snapshot, d);

	for (uint32_t i = 0; r == 0 && i < s->snapshot->n_roots; i++) {
		if (s->snapshot->roots[i].tree)
			r = gather_root(s, i);
	}
	if (r == 0)
		r = query_sort_array(s->opts, s->files.data, s->files.len, sizeof(struct sized),
			compare_sizes, NULL);
	if (r == 0)
		r = pick_twins(s);
	if (r == 0)
		r = hash_all(s);
	if (r < 0)
		return r;
	count_fates(s, d);
	r = query_sort_array(
		s->opts, s->twins.data, s->twins.len, sizeof(struct twin), compare_hashes, NULL);
	if (r == 0)
		mark_equal(s, d);
	return r;
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
