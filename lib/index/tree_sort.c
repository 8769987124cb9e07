#include "index/tree_rows.h"

#include <errno.h>

/* A natural merge sort: the pieces are sorted runs already, so their number, not that of the
 * entries, decides how many passes there are. The first bytes of a name travel with the row's
 * pointer; most comparisons then touch neither row nor name. */
struct key {
	uint64_t head; /* first 8 bytes of the name, the first the most significant, 0 after the end
	                */
	struct walk_entry *row;
};

typedef VEC(uint32_t) run_vec;

static uint64_t
name_head(const struct walk_entry *r)
{
	uint64_t head = 0;

	memcpy(&head, r->name, MIN(r->name_len, (uint16_t)sizeof(head)));
	return __builtin_bswap64(head);
}

static inline int
key_cmp(const struct key *a, const struct key *b)
{
	if (a->head != b->head)
		return a->head < b->head ? -1 : 1;
	return row_cmp(a->row, b->row);
}

/* Starts of the runs, and the end. */
static int
find_runs(const struct key *k, uint32_t n, run_vec *runs)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((i == 0 || key_cmp(&k[i - 1], &k[i]) > 0) && VEC_PUSH(runs, i) < 0)
			return -ENOMEM;
	}
	return VEC_PUSH(runs, n);
}

/* Stable: of equals the one from the left comes first. */
static void
merge_runs(const struct key *from, uint32_t lo, uint32_t mid, uint32_t hi, struct key *to)
{
	uint32_t a = lo, b = mid;

	for (uint32_t i = lo; i < hi; i++) {
		if (b == hi || (a < mid && key_cmp(&from[a], &from[b]) <= 0))
			to[i] = from[a++];
		else
			to[i] = from[b++];
	}
}

/* Merge neighbouring runs from one array into the other until one run is left; returns the array
 * that holds it. */
static struct key *
merge_all(struct key *k, struct key *spare, run_vec *runs)
{
	while (runs->len > 2) {
		size_t kept = 0, last = runs->len - 1;
		struct key *swap = k;

		for (size_t i = 0; i < last; i += 2) {
			size_t mid = MIN(i + 1, last), end = MIN(i + 2, last);

			merge_runs(k, runs->data[i], runs->data[mid], runs->data[end], spare);
			runs->data[kept++] = runs->data[i];
		}
		runs->data[kept++] = runs->data[last];
		runs->len = kept;
		k = spare;
		spare = swap;
	}
	return k;
}

static bool
row_listed(const struct walk_entry *r, const struct build_dirs *all)
{
	return r->dir != ROW_NO_DIR && dir_entered(&all->data[r->dir]);
}

static void
keep_unique(struct build_dir *d, const struct key *k, uint32_t n, const struct build_dirs *all)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct walk_entry *before = kept > 0 ? d->order[kept - 1] : NULL;

		if (!before || row_cmp(before, k[i].row) != 0) {
			d->order[kept++] = k[i].row;
			continue;
		}
		d->n--;
		if (!row_listed(before, all) || row_listed(k[i].row, all))
			d->order[kept - 1] = k[i].row;
	}
}

int
dir_sort(struct build_dir *d, const struct build_dirs *all)
{
	AUTO(freep) struct key *keys = malloc(2 * sizeof(*keys) * d->n);
	struct row_cursor rows = dir_rows(d, 0);
	struct walk_entry *row;
	run_vec runs = {0};
	uint32_t n = 0, cls;
	int r;

	d->order = NULL;
	if (!keys)
		return -ENOMEM;
	while ((row = row_next(&rows, &cls))) {
		row->cls = cls;
		keys[n++] = (struct key){name_head(row), row};
	}
	r = find_runs(keys, n, &runs);
	d->order = r == 0 ? malloc(sizeof(struct walk_entry *) * n) : NULL;
	if (d->order)
		keep_unique(d, merge_all(keys, keys + n, &runs), n, all);
	VEC_FINI(&runs);
	return d->order ? 0 : -ENOMEM;
}
