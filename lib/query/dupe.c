#include "query/dupe.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "query/halt.h"
#include "query/match.h"
#include "sync/par.h"

/* A file as the index has it. */
struct sized {
	uint64_t size, dev, ino;
	uint32_t layer, entry;
};

struct sizes {
	VEC(struct sized) files;
};

/* One name of a file that shares its size with another, and what was found there. */
struct twin {
	struct hash128 hash;
	uint64_t size, dev, ino; /* as they are now */
	uint64_t leader;         /* the file's first name: its layer and entry */
	uint64_t n_read;
	uint32_t layer, entry;
	enum content_fate fate;
	bool opened;
};

/* The names of one inode, in twins. */
struct run {
	uint64_t order; /* 0 a small file, else the size */
	uint64_t place; /* of the first name */
	size_t first, n;
};

struct search {
	struct snapshot *snapshot;
	const struct cursor_opts *opts;
	VEC(struct twin) twins;
	VEC(struct run) runs;
	struct content_reader *reader; /* [n_workers] */
	unsigned n_workers;
};

static int
compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Sizes together; of one size the names of an inode. The sort is stable: these stay in the order of
 * the index. */
static int
compare_sized(const void *va, const void *vb, void *ctx)
{
	const struct sized *a = va, *b = vb;
	int r = compare_u64(a->size, b->size);

	(void)ctx;
	if (r == 0)
		r = compare_u64(a->dev, b->dev);
	return r ? r : compare_u64(a->ino, b->ino);
}

/* Large files first, the largest of them at the very first, so that all threads end together; then
 * small ones as they stand in the index, directory by directory. */
static int
compare_runs(const void *va, const void *vb, void *ctx)
{
	const struct run *a = va, *b = vb;
	int r = compare_u64(b->order, a->order);

	(void)ctx;
	return r ? r : compare_u64(a->place, b->place);
}

/* By what makes twins, and then by the file. */
static int
compare_hashes(const struct twin *a, const struct twin *b)
{
	int r = compare_u64((uint64_t)a->fate, (uint64_t)b->fate);

	if (r == 0)
		r = compare_u64(a->size, b->size);
	if (r == 0)
		r = compare_u64(a->hash.high, b->hash.high);
	return r ? r : compare_u64(a->hash.low, b->hash.low);
}

static uint64_t
place_of(const struct twin *t)
{
	return (uint64_t)t->layer << 32 | t->entry;
}

static int
compare_by_inode(const void *va, const void *vb, void *ctx)
{
	const struct twin *a = va, *b = vb;
	int r = compare_hashes(a, b);

	(void)ctx;
	if (r == 0)
		r = compare_u64(a->dev, b->dev);
	if (r == 0)
		r = compare_u64(a->ino, b->ino);
	return r ? r : compare_u64(place_of(a), place_of(b));
}

static int
compare_by_leader(const void *va, const void *vb, void *ctx)
{
	const struct twin *a = va, *b = vb;
	int r = compare_hashes(a, b);

	(void)ctx;
	if (r == 0)
		r = compare_u64(a->leader, b->leader);
	return r ? r : compare_u64(place_of(a), place_of(b));
}

static void
sizes_init(void *acc, void *ctx)
{
	(void)ctx;
	*(struct sizes *)acc = (struct sizes){0};
}

static int
sizes_add(void *acc, const struct match_chunk *m, void *ctx)
{
	struct sizes *s = acc;
	const struct tree_cols *c = m->cols;

	(void)ctx;
	MATCH_EACH(m, at)
	{
		uint32_t e = (uint32_t)at;
		const struct tree_class *k = &c->classes[tree_cls(c, e)];
		struct sized f = {.size = S_ISREG(k->mode) ? tree_size(c, e) : 0,
			.dev = k->dev,
			.layer = m->layer,
			.entry = e};

		if (f.size == 0)
			continue;
		f.ino = tree_ino(c, e);
		if (VEC_PUSH(&s->files, f) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void
sizes_fini(void *acc, void *ctx)
{
	struct sizes *s = acc;

	(void)ctx;
	VEC_FINI(&s->files);
}

static int
sizes_merge(void *acc, void *later, void *ctx)
{
	struct sizes *s = acc, *l = later;
	int r = VEC_RESERVE(&s->files, l->files.len);

	if (r == 0 && l->files.len > 0)
		memcpy(s->files.data + s->files.len, l->files.data,
			l->files.len * sizeof(struct sized));
	if (r == 0)
		s->files.len += l->files.len;
	sizes_fini(l, ctx);
	return r;
}

static const struct match_fold sizes_fold = {
	sizeof(struct sizes), sizes_init, sizes_add, sizes_merge, sizes_fini};

static bool
same_inode(const struct sized *a, const struct sized *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

static int
add_run(struct search *s, const struct sized *f)
{
	struct run run = {.order = f->size > CONTENT_READ_MAX_BYTES ? f->size : 0,
		.place = (uint64_t)f->layer << 32 | f->entry,
		.first = s->twins.len};

	return VEC_PUSH(&s->runs, run);
}

/* The files of one size, of which there are several: their names, inode by inode. */
static int
pick_size(struct search *s, const struct sized *f, size_t n)
{
	if (same_inode(&f[0], &f[n - 1]))
		return 0; /* sorted: all are one */
	if (VEC_RESERVE(&s->twins, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if ((i == 0 || !same_inode(&f[i - 1], &f[i])) && add_run(s, &f[i]) < 0)
			return -ENOMEM;
		s->runs.data[s->runs.len - 1].n++;
		s->twins.data[s->twins.len++] =
			(struct twin){.size = f[i].size, .layer = f[i].layer, .entry = f[i].entry};
	}
	return 0;
}

static int
pick_twins(struct search *s, const struct sizes *sizes)
{
	const struct sized *f = sizes->files.data;
	size_t n = sizes->files.len;
	int r = 0;

	for (size_t i = 0, end; r == 0 && i < n; i = end) {
		for (end = i + 1; end < n && f[end].size == f[i].size;)
			end++;
		r = pick_size(s, f + i, end - i);
	}
	return r;
}

static int
hash_name(struct search *s, struct twin *t, unsigned worker, const struct content_digest *before,
	struct content_digest *ret)
{
	int r = query_poll(s->opts);

	if (r == 0)
		r = content_hash(
			&s->reader[worker], s->snapshot, t->layer, t->entry, s->opts, before, ret);
	if (r < 0)
		return r;
	t->fate = (enum content_fate)r;
	t->hash = ret->hash;
	t->n_read = ret->n_read;
	t->opened = ret->opened;
	t->dev = ret->stamp.dev;
	t->ino = ret->stamp.ino;
	/* What it is now decides, not what it was when it was indexed. */
	if (t->fate == CONTENT_OK)
		t->size = (uint64_t)ret->stamp.size;
	return 0;
}

static int
hash_runs(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct search *s = ctx;

	for (; lo < hi; lo++) {
		const struct run *run = &s->runs.data[lo];
		struct content_digest digest[2]; /* of this name and of the last that was read */
		bool known = false;

		for (size_t i = 0; i < run->n; i++) {
			struct twin *t = &s->twins.data[run->first + i];
			int r = hash_name(s, t, worker, known ? &digest[1] : NULL, &digest[0]);

			if (r < 0)
				return r;
			if (t->fate == CONTENT_OK) {
				digest[1] = digest[0];
				known = true;
			}
		}
	}
	return 0;
}

static int
hash_all(struct search *s)
{
	unsigned n_workers = s->opts->io ? par_width(s->opts->io) : 1;
	int r = query_sort_array(
		s->opts, s->runs.data, s->runs.len, sizeof(struct run), compare_runs, NULL);

	if (r < 0)
		return r;
	s->reader = calloc(n_workers, sizeof(*s->reader));
	if (!s->reader)
		return -ENOMEM;
	for (; s->n_workers < n_workers; s->n_workers++)
		content_reader_init(&s->reader[s->n_workers], s->opts);
	return par_for(s->opts->io, TASK_QUERY, s->runs.len, 1, hash_runs, s, s->opts->stop);
}

static void
count_fates(const struct search *s, struct dupe_stats *st)
{
	VEC_EACH (&s->twins, t) {
		st->by_fate[t->fate]++;
		st->n_bytes += t->n_read;
		st->n_read += t->opened;
		st->n_cached += t->fate == CONTENT_OK && !t->opened;
	}
}

static bool
twin_inode(const struct twin *a, const struct twin *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* Names of an inode stand together, the first one before the others. */
static void
name_leaders(struct search *s)
{
	struct twin *t = s->twins.data;

	for (size_t i = 0; i < s->twins.len; i++) {
		bool first = i == 0 || compare_hashes(&t[i - 1], &t[i]) != 0 ||
		             !twin_inode(&t[i - 1], &t[i]);

		t[i].leader = first ? place_of(&t[i]) : t[i - 1].leader;
	}
}

/* Names with one hash: a group when they are of several files. */
static int
add_group(struct dupes *d, const struct twin *t, size_t n)
{
	struct dupe_group *g = &d->group[d->n_groups];
	uint32_t file = 0;

	/* A size of 0 is that of a file that was emptied meanwhile. */
	if (t[0].fate != CONTENT_OK || t[0].size == 0 || t[0].leader == t[n - 1].leader)
		return 0;
	*g = (struct dupe_group){.size = t[0].size, .n_names = (uint32_t)n, .first = d->n_names};
	for (size_t i = 0; i < n; i++) {
		file += i > 0 && t[i].leader != t[i - 1].leader;
		d->name[d->n_names++] = (struct dupe_name){t[i].layer, t[i].entry, file};
	}
	g->n_files = file + 1;
	d->n_groups++;
	return 0;
}

static int
compare_groups(const void *va, const void *vb, void *ctx)
{
	const struct dupe_group *a = va, *b = vb;
	const struct dupe_name *names = ctx;
	int r = compare_u64(dupe_waste(b), dupe_waste(a));

	if (r == 0)
		r = compare_u64(b->size, a->size);
	if (r == 0)
		r = compare_u64(names[a->first].layer, names[b->first].layer);
	return r ? r : compare_u64(names[a->first].entry, names[b->first].entry);
}

static int
make_groups(struct search *s, struct dupes *d)
{
	struct twin *t = s->twins.data;
	size_t n = s->twins.len;
	int r = query_sort_array(s->opts, t, n, sizeof(*t), compare_by_inode, NULL);

	if (r == 0) {
		name_leaders(s);
		r = query_sort_array(s->opts, t, n, sizeof(*t), compare_by_leader, NULL);
	}
	d->name = malloc((n + 1) * sizeof(*d->name));
	d->group = malloc((n / 2 + 1) * sizeof(*d->group));
	if (r == 0 && (!d->name || !d->group))
		r = -ENOMEM;
	for (size_t i = 0, end; r == 0 && i < n; i = end) {
		for (end = i + 1; end < n && compare_hashes(&t[i], &t[end]) == 0;)
			end++;
		r = add_group(d, t + i, end - i);
	}
	if (r == 0)
		r = query_sort_array(
			s->opts, d->group, d->n_groups, sizeof(*d->group), compare_groups, d->name);
	return r;
}

static void
search_fini(struct search *s)
{
	for (unsigned i = 0; i < s->n_workers; i++)
		content_reader_fini(&s->reader[i]);
	free(s->reader);
	VEC_FINI(&s->twins);
	VEC_FINI(&s->runs);
}

static int
find_twins(struct search *s, struct query *q, struct dupes *d)
{
	struct sizes sizes;
	int r = match_all(q, s->snapshot, s->opts, &sizes_fold, NULL, &sizes, &d->read);

	if (r < 0)
		return r;
	r = query_sort_array(s->opts, sizes.files.data, sizes.files.len, sizeof(struct sized),
		compare_sized, NULL);
	if (r == 0)
		r = pick_twins(s, &sizes);
	VEC_FINI(&sizes.files);
	return r < 0 ? r : hash_all(s);
}

int
dupes_find(struct query *q, struct snapshot *s, const struct cursor_opts *opts, struct dupes **ret)
{
	AUTO(search_fini) struct search search = {.snapshot = s, .opts = opts};
	struct dupes *d = calloc(1, sizeof(*d));
	int r = d ? find_twins(&search, q, d) : -ENOMEM;

	if (r == 0) {
		count_fates(&search, &d->stats);
		r = make_groups(&search, d);
	}
	if (r < 0)
		dupes_destroy(d);
	else
		*ret = d;
	return r;
}

void
dupes_destroy(struct dupes *d)
{
	if (!d)
		return;
	free(d->group);
	free(d->name);
	free(d);
}

static int
make_bits(const struct snapshot *s, struct dupe_set *d)
{
	for (uint32_t i = 0; i < s->n_layers; i++) {
		d->layer[i] = calloc(snapshot_cols(s, i)->n_entries / 64 + 1, sizeof(uint64_t));
		if (!d->layer[i])
			return -ENOMEM;
	}
	return 0;
}

static int
mark_all(struct snapshot *s, const struct cursor_opts *opts, struct dupe_set *set)
{
	struct query_env env = {0};
	struct query *q;
	struct dupes *d;
	int r = query_parse(SPAN_LIT("type:f size:>0"), &env, &q, NULL);

	if (r < 0)
		return r;
	r = dupes_find(q, s, opts, &d);
	query_unref(q);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d->n_names; i++) {
		const struct dupe_name *n = &d->name[i];

		set->layer[n->layer][n->entry / 64] |= 1ull << (n->entry % 64);
	}
	set->stats = d->stats;
	dupes_destroy(d);
	return 0;
}

int
dupe_set_create(struct snapshot *s, const struct cursor_opts *opts, struct dupe_set **ret)
{
	struct dupe_set *d = calloc(1, sizeof(*d) + s->n_layers * sizeof(d->layer[0]));
	int r;

	if (!d)
		return -ENOMEM;
	d->n_layers = s->n_layers;
	r = make_bits(s, d);
	if (r == 0)
		r = mark_all(s, opts, d);
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
	for (uint32_t i = 0; i < d->n_layers; i++)
		free(d->layer[i]);
	free(d);
}

void
dupe_add_stats(const struct dupe_stats *d, struct cursor_stats *ret)
{
	ret->n_verified += d->n_read;
	ret->n_bytes_read += d->n_bytes;
	ret->skipped.too_large += d->by_fate[CONTENT_TOO_LARGE];
	ret->skipped.unreadable += d->by_fate[CONTENT_UNREADABLE];
	ret->skipped.gone += d->by_fate[CONTENT_GONE];
	ret->skipped.changed += d->by_fate[CONTENT_CHANGED];
	ret->skipped.off += d->by_fate[CONTENT_OFF];
}
