#include "index/tree_rows.h"

#include <errno.h>

/* A stack of directories yet to be visited, so that depth costs no C stack. Only directories are
 * looked at: a piece lists its sub-directories apart from its rows. */
struct visit {
	uint32_t dir;    /* index into dirs */
	uint32_t parent; /* number */
};

struct numbering {
	struct build_dirs *dirs;
	VEC(struct visit) stack;
	struct build_plan *out;
	uint32_t n_dirs;
	uint64_t n_entries;
};

struct sorting {
	struct build_dirs *dirs;
	VEC(uint32_t) unsorted; /* indices into dirs */
};

static int
sort_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sorting *s = ctx;
	int r = 0;

	(void)worker;
	for (; lo < hi && r == 0; lo++)
		r = dir_sort(&s->dirs->data[s->unsorted.data[lo]], s->dirs);
	return r;
}

static int
sort_dirs(struct build_dirs *dirs, struct pool *pool, struct stop *stop)
{
	struct sorting s = {.dirs = dirs};
	int r = 0;

	for (uint32_t i = 0; i < dirs->len && r == 0; i++) {
		if (dirs->data[i].unsorted)
			r = VEC_PUSH(&s.unsorted, i);
	}
	if (r == 0)
		r = par_for(pool, TASK_INDEX, s.unsorted.len, 1, sort_some, &s, stop);
	VEC_FINI(&s.unsorted);
	return r;
}

static int
push_sub(struct numbering *n, uint32_t sub, uint32_t parent)
{
	if (!dir_entered(&n->dirs->data[sub]))
		return 0;
	return VEC_PUSH(&n->stack, (struct visit){sub, parent});
}

static int
push_in_order(struct numbering *n, const struct build_dir *d)
{
	int r = 0;

	if (!d->order) {
		for (const struct piece *p = d->first; p && r == 0; p = p->next) {
			for (uint32_t i = 0; i < p->n_subs && r == 0; i++)
				r = push_sub(n, p->subs[i], d->number);
		}
		return r;
	}
	for (uint32_t i = 0; i < d->n && r == 0; i++) {
		if (d->order[i]->dir != ROW_NO_DIR)
			r = push_sub(n, d->order[i]->dir, d->number);
	}
	return r;
}

/* Sub-directories on the stack, the first by name on top. */
static int
push_subs(struct numbering *n, const struct build_dir *d)
{
	size_t bottom = n->stack.len;
	int r = push_in_order(n, d);

	for (size_t lo = bottom, hi = n->stack.len; lo + 1 < hi; lo++, hi--) {
		struct visit swap = n->stack.data[lo];

		n->stack.data[lo] = n->stack.data[hi - 1];
		n->stack.data[hi - 1] = swap;
	}
	return r;
}

static int
visit_dir(struct numbering *n, struct visit v)
{
	struct build_dir *d = &n->dirs->data[v.dir];
	uint32_t number = n->n_dirs++;

	d->number = number;
	n->out->sequence[number] = v.dir;
	n->out->plan.parent[number] = v.parent;
	n->out->plan.dir_first[number] = (uint32_t)n->n_entries;
	n->n_entries += d->n;
	return push_subs(n, d);
}

/* Children have greater numbers than their parent: backwards, each range is complete when it is
 * handed to the parent's. */
void
tree_plan_ranges(struct tree_plan *plan, uint32_t n_dirs)
{
	for (uint32_t d = 0; d < n_dirs; d++)
		plan->dir_end[d] = d + 1;
	for (uint32_t d = n_dirs; d-- > 1;) {
		uint32_t *end = &plan->dir_end[plan->parent[d]];

		*end = MAX(*end, plan->dir_end[d]);
	}
}

static int
visit_all(struct numbering *n, struct stop *stop)
{
	int r = VEC_PUSH(&n->stack, (struct visit){0, 0});

	while (r == 0 && n->stack.len > 0) {
		r = visit_dir(n, VEC_POP(&n->stack));
		if (r == 0 && n->n_dirs % 1024 == 0 && stop_requested(stop))
			r = -ECANCELED;
	}
	return r;
}

/* One table for five: none has more elements than there are directories, and one more. */
static int
plan_alloc(struct build_plan *b, size_t n_dirs)
{
	struct tree_plan *plan = &b->plan;
	uint32_t *p = n_dirs < SIZE_MAX / 32 ? malloc((5 * n_dirs + 1) * sizeof(*p)) : NULL;

	if (!p)
		return -ENOMEM;
	b->sequence = p;
	plan->parent = p + n_dirs;
	plan->dir_end = p + 2 * n_dirs;
	plan->dir_entry = p + 3 * n_dirs;
	plan->dir_first = p + 4 * n_dirs;
	return 0;
}

/* The root, and the rest of the first part or all of another. */
static int
gather_rows(const struct tree_plan *plan, uint32_t first, uint32_t n, struct plan_rows *ret)
{
	const struct build_plan *b = (const void *)plan;
	uint32_t k = 0, entry = first;

	if (entry == 0) {
		ret->rows[k] = b->root;
		ret->classes[k] = b->root->cls;
		ret->parents[k++] = 0;
		entry++;
	}
	for (uint32_t d = k < n ? tree_plan_dir(plan, entry) : 0; k < n; d++) {
		struct row_cursor rows =
			dir_rows(&b->dirs->data[b->sequence[d]], entry - plan->dir_first[d]);

		for (; entry < plan->dir_first[d + 1] && k < n; entry++) {
			ret->rows[k] = row_next(&rows, &ret->classes[k]);
			ret->parents[k++] = d;
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct walk_entry *row = ret->rows[i];

		ret->numbers[i] =
			row->dir == ROW_NO_DIR ? TREE_NO_DIR : b->dirs->data[row->dir].number;
		ret->flags[i] = row_flags(row, plan->classes[ret->classes[i]].mode, b->dirs);
	}
	return 0;
}

int
tree_number(struct build_dirs *dirs, struct pool *pool, struct stop *stop, struct build_plan *ret)
{
	struct numbering n = {.dirs = dirs, .out = ret, .n_entries = 1};
	int r;

	*ret = (struct build_plan){.plan.gather = gather_rows, .dirs = dirs};
	r = sort_dirs(dirs, pool, stop);
	if (r == 0)
		r = plan_alloc(ret, dirs->len);
	if (r == 0)
		r = visit_all(&n, stop);
	VEC_FINI(&n.stack);
	if (r < 0)
		return r;
	ret->plan.dir_first[n.n_dirs] = (uint32_t)n.n_entries;
	ret->plan.dir_entry[0] = 0;
	tree_plan_ranges(&ret->plan, n.n_dirs);
	ret->plan.counts = (struct tree_cols){
		.n_entries = (uint32_t)n.n_entries,
		.n_dirs = n.n_dirs,
	};
	return 0;
}

void
build_plan_fini(struct build_plan *plan)
{
	free(plan->sequence);
}
