#include "query/pieces.h"

#include <dirent.h>
#include <errno.h>

#include "query/halt.h"

#define READ_ENTRIES 256u       /* values read at a time: two blocks of bounds */
#define SKIP_ENTRIES (1u << 14) /* passed over at a time */

struct link {
	uint64_t dev, ino, size, blocks;
};

struct links {
	VEC(struct link) all;
};

/* Values of one column of some entries of a piece, one of which may be what is looked for. */
struct values {
	const struct tree_cols *cols;
	const struct tree_dead *dead;
	uint64_t dev; /* of the piece */
	uint32_t lo, n;
	uint64_t value[READ_ENTRIES];
};

typedef int (*values_fn)(const struct values *v, void *ctx);

int
pieces_add(struct pieces *p, const struct piece *one)
{
	return one->lo < one->hi ? VEC_PUSH(&p->all, *one) : 0;
}

void
pieces_fini(struct pieces *p)
{
	VEC_FINI(&p->all);
}

static int
compare_pieces(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

void
pieces_join(struct pieces *p)
{
	struct piece *a = p->all.data;
	size_t n = 0;

	if (p->all.len > 1)
		qsort(a, p->all.len, sizeof(*a), compare_pieces);
	for (size_t i = 0; i < p->all.len; i++) {
		struct piece *last = n > 0 ? &a[n - 1] : NULL;

		if (last && last->dev == a[i].dev && last->layer == a[i].layer &&
			a[i].lo <= last->hi)
			last->hi = MAX(last->hi, a[i].hi);
		else
			a[n++] = a[i];
	}
	p->all.len = n;
}

bool
layer_on_device(const struct tree_cols *c, uint64_t dev)
{
	for (uint32_t k = 0; k < c->n_classes; k++) {
		if (c->classes[k].dev != dev)
			return false;
	}
	return true;
}

static bool
reaches(const struct tree_cols *c, enum tree_column col, uint32_t lo, uint32_t n, uint64_t least)
{
	uint64_t min, max;

	return !tree_bounds(c, col, lo, n, &min, &max) || max >= least;
}

/* What each_value() does of entries [lo, hi). */
static int
each_block(struct values *v, uint32_t lo, uint32_t hi, enum tree_column col, uint64_t least,
	values_fn fn, void *ctx)
{
	int r = 0;

	for (uint32_t n; r == 0 && lo < hi; lo += n) {
		n = MIN(hi - lo, READ_ENTRIES - lo % READ_ENTRIES);
		if (!reaches(v->cols, col, lo, n, least))
			continue;
		v->lo = lo;
		v->n = n;
		tree_read(v->cols, col, lo, n, v->value);
		r = fn(v, ctx);
	}
	return r;
}

/* Call fn for all blocks of the piece in which a value of the column may be at least `least`. */
static int
each_value(const struct pieces *p, const struct piece *one, enum tree_column col, uint64_t least,
	values_fn fn, void *ctx)
{
	const struct snap_layer *l = &p->snapshot->layers[one->layer];
	struct values v = {.cols = tree_cols(l->tree), .dead = l->dead, .dev = one->dev};
	int r = 0;

	for (uint32_t lo = one->lo, n; r == 0 && lo < one->hi; lo += n) {
		n = MIN(one->hi - lo, SKIP_ENTRIES - lo % SKIP_ENTRIES);
		if (reaches(v.cols, col, lo, n, least))
			r = each_block(&v, lo, lo + n, col, least, fn, ctx);
		if (r == 0)
			r = query_poll(p->halt);
	}
	return r;
}

static bool
is_foreign(const struct values *v, uint32_t cls)
{
	return v->dev != 0 && v->cols->classes[cls].dev != v->dev;
}

static int
gather_links(const struct values *v, void *ctx)
{
	const struct tree_cols *c = v->cols;
	struct links *links = ctx;

	for (uint32_t i = 0; i < v->n; i++) {
		uint32_t e = v->lo + i;

		if (v->value[i] < 2 || tree_type(c, e) == DT_DIR || is_foreign(v, tree_cls(c, e)) ||
			tree_is_dead(v->dead, e))
			continue;
		if (VEC_PUSH(&links->all,
			    (struct link){c->classes[tree_cls(c, e)].dev, tree_ino(c, e),
				    tree_size(c, e), tree_blocks(c, e)}) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
compare_links(const void *va, const void *vb, void *ctx)
{
	const struct link *a = va, *b = vb;

	(void)ctx;
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/* Take off what an inode counts for more than once. */
static int
count_once(const struct pieces *p, struct total *sum)
{
	struct links links = {0};
	struct link *l;
	int r = 0;

	VEC_EACH (&p->all, one) {
		if (r == 0)
			r = each_value(p, one, TREE_NLINK, 2, gather_links, &links);
	}
	l = links.all.data;
	if (r == 0) /* stable: which of its links counts hangs on nothing else */
		r = query_sort_array(p->halt, l, links.all.len, sizeof(*l), compare_links, NULL);
	for (size_t i = 1; r == 0 && i < links.all.len; i++) {
		if (l[i - 1].dev == l[i].dev && l[i - 1].ino == l[i].ino) {
			sum->size -= l[i].size;
			sum->blocks -= l[i].blocks;
		}
	}
	VEC_FINI(&links.all);
	return r;
}

static int
take_foreign(const struct values *v, void *ctx)
{
	struct total *sum = ctx;

	for (uint32_t i = 0; i < v->n; i++) {
		uint32_t e = v->lo + i;

		if (is_foreign(v, (uint32_t)v->value[i]) && !tree_is_dead(v->dead, e)) {
			sum->size -= tree_size(v->cols, e);
			sum->blocks -= tree_blocks(v->cols, e);
			sum->n_entries--;
		}
	}
	return 0;
}

/* Every link. */
static int
add_piece(const struct pieces *p, const struct piece *one, struct total *sum)
{
	const struct snap_layer *l = &p->snapshot->layers[one->layer];
	const struct tree_cols *c = tree_cols(l->tree);
	struct tree_sum all, dead;

	tree_sum(c, one->lo, one->hi, &all);
	sum->n_entries += one->hi - one->lo - tree_dead_sum(l->dead, c, one->lo, one->hi, &dead);
	sum->size += all.size - dead.size;
	sum->blocks += all.blocks - dead.blocks;
	if (one->dev == 0 || layer_on_device(c, one->dev))
		return 0;
	return each_value(p, one, TREE_CLS, 0, take_foreign, sum);
}

int
pieces_sum(const struct pieces *p, bool every_link, struct total *ret)
{
	struct total sum = {0};
	int r = 0;

	VEC_EACH (&p->all, one) {
		if (r == 0)
			r = add_piece(p, one, &sum);
	}
	if (r == 0 && !every_link)
		r = count_once(p, &sum);
	*ret = sum;
	return r;
}

uint64_t
pieces_unread(const struct pieces *p)
{
	uint64_t n = 0;

	VEC_EACH (&p->all, one) {
		const struct snap_layer *l = &p->snapshot->layers[one->layer];
		const struct tree_cols *c = tree_cols(l->tree);
		uint32_t i = tree_list_from(c->unread, c->n_unread, one->lo);

		for (; i < c->n_unread && c->unread[i] < one->hi; i++) {
			uint64_t dev = c->classes[tree_cls(c, c->unread[i])].dev;

			n += (one->dev == 0 || one->dev == dev) &&
			     !tree_is_dead(l->dead, c->unread[i]);
		}
	}
	return n;
}
