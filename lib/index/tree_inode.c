#include "index/tree_inode.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/bisect.h"

struct tree_inode {
	struct arc arc;
	/* Of what it was made. */
	uint64_t tree_sum;
	uint32_t n_entries;

	uint32_t n;
	uint64_t *ino;   /* [n] ascending */
	uint32_t *entry; /* [n] */
};

struct pair {
	uint64_t ino;
	uint32_t entry;
};

static void
inode_destroy(struct arc *a)
{
	struct tree_inode *t = CONTAINER_OF(a, struct tree_inode, arc);

	free(t->ino);
	free(t->entry);
	free(t);
}

static int
by_ino(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Which classes are directories. */
static int
dir_classes(const struct tree_cols *c, bool **ret)
{
	bool *is_dir = calloc(c->n_classes + 1, sizeof(*is_dir));

	if (!is_dir)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_classes; i++)
		is_dir[i] = S_ISDIR(c->classes[i].mode);
	*ret = is_dir;
	return 0;
}

/* All of them: a layer may tell a directory anew that it has not entered, for it is entered below.
 */
static uint32_t
collect(const struct tree_cols *c, const bool *is_dir, struct pair *to)
{
	uint64_t cls[TREE_CHUNK];
	uint32_t n = 0;

	for (uint32_t lo = 0; lo < c->n_entries; lo += TREE_CHUNK) {
		uint32_t len = MIN(c->n_entries - lo, TREE_CHUNK);

		tree_read(c, TREE_CLS, lo, len, cls);
		for (uint32_t i = 0; i < len; i++) {
			if (!is_dir[cls[i]])
				continue;
			if (to)
				to[n] = (struct pair){tree_ino(c, lo + i), lo + i};
			n++;
		}
	}
	return n;
}

static int
fill(struct tree_inode *t, const struct tree_cols *c)
{
	AUTO(freep) struct pair *all = NULL;
	AUTO(freep) bool *is_dir = NULL;

	if (dir_classes(c, &is_dir) < 0)
		return -ENOMEM;
	t->n = collect(c, is_dir, NULL);
	all = malloc(t->n * sizeof(*all));
	t->ino = malloc(t->n * sizeof(*t->ino));
	t->entry = malloc(t->n * sizeof(*t->entry));
	if (!all || !t->ino || !t->entry)
		return -ENOMEM;
	(void)collect(c, is_dir, all);
	qsort(all, t->n, sizeof(*all), by_ino);
	for (uint32_t i = 0; i < t->n; i++) {
		t->ino[i] = all[i].ino;
		t->entry[i] = all[i].entry;
	}
	return 0;
}

static int
inode_create(const struct tree *tree, struct tree_inode **ret)
{
	struct tree_inode *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	arc_init(&t->arc, inode_destroy);
	t->tree_sum = tree_header_sum(tree);
	t->n_entries = tree_cols(tree)->n_entries;
	r = fill(t, tree_cols(tree));
	if (r < 0) {
		arc_put(&t->arc);
		return r;
	}
	*ret = t;
	return 0;
}

static bool
is_of(const struct tree_inode *t, const struct tree *tree)
{
	return t->tree_sum == tree_header_sum(tree) && t->n_entries == tree_cols(tree)->n_entries;
}

static struct tree_inode *
inode_before(const struct tree_inodes *before, const struct tree *tree)
{
	for (uint32_t i = 0; before && i < before->n_layers; i++) {
		if (is_of(before->of[i], tree))
			return before->of[i];
	}
	return NULL;
}

static void
inodes_destroy(struct arc *a)
{
	struct tree_inodes *t = CONTAINER_OF(a, struct tree_inodes, arc);

	for (uint32_t i = 0; i < t->n_layers; i++)
		arc_put(&t->of[i]->arc);
	free(t);
}

int
tree_inodes_create(
	const struct tree_stack *s, const struct tree_inodes *before, struct tree_inodes **ret)
{
	struct tree_inodes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	arc_init(&t->arc, inodes_destroy);
	for (; t->n_layers < s->n_layers; t->n_layers++) {
		const struct tree *tree = s->layer[t->n_layers].tree;
		struct tree_inode *old = inode_before(before, tree);
		int r = old ? 0 : inode_create(tree, &t->of[t->n_layers]);

		if (r < 0) {
			tree_inodes_unref(t);
			return r;
		}
		if (old) {
			arc_get(&old->arc);
			t->of[t->n_layers] = old;
		}
	}
	*ret = t;
	return 0;
}

struct tree_inodes *
tree_inodes_ref(struct tree_inodes *t)
{
	arc_get(&t->arc);
	return t;
}

void
tree_inodes_unref(struct tree_inodes *t)
{
	if (t)
		arc_put(&t->arc);
}

bool
tree_inodes_fit(const struct tree_inodes *t, const struct tree_stack *s)
{
	if (t->n_layers != s->n_layers)
		return false;
	for (uint32_t i = 0; i < t->n_layers; i++) {
		if (!is_of(t->of[i], s->layer[i].tree))
			return false;
	}
	return true;
}

/* The first place that is not below `ino`. */
static uint32_t
first_of(const struct tree_inode *t, uint64_t ino)
{
	return FIRST_NOT(i, t->n, t->ino[i] < ino);
}

bool
tree_inodes_have(const struct tree_inodes *t, uint64_t ino)
{
	for (uint32_t i = 0; i < t->n_layers; i++) {
		uint32_t at = first_of(t->of[i], ino);

		if (at < t->of[i]->n && t->of[i]->ino[at] == ino)
			return true;
	}
	return false;
}

bool
tree_inodes_next(const struct tree_inodes *t, const struct tree_stack *s, uint64_t ino,
	struct tree_inode_at *at, struct tree_at *ret)
{
	for (; at->layer < t->n_layers; *at = (struct tree_inode_at){at->layer + 1, 0}) {
		const struct tree_inode *of = t->of[at->layer];
		uint32_t i = at->next ? at->next - 1 : first_of(of, ino);

		while (i < of->n && of->ino[i] == ino) {
			struct tree_at found = {at->layer, of->entry[i++]};

			at->next = i + 1;
			if (tree_is_dead(s->layer[found.layer].dead, found.entry))
				continue;
			*ret = found;
			return true;
		}
	}
	return false;
}

static bool
has_table(const struct tree_inodes *t, const struct tree_inode *of)
{
	for (uint32_t i = 0; t && i < t->n_layers; i++) {
		if (t->of[i] == of)
			return true;
	}
	return false;
}

bool
tree_inodes_each(const struct tree_inodes *t, const struct tree_stack *s,
	const struct tree_inodes *before, struct tree_inode_walk *walk, uint64_t *ret_ino,
	struct tree_at *ret)
{
	for (; walk->layer < t->n_layers; *walk = (struct tree_inode_walk){walk->layer + 1, 0}) {
		const struct tree_inode *of = t->of[walk->layer];

		if (walk->next == 0 && has_table(before, of))
			continue;
		while (walk->next < of->n) {
			uint32_t i = walk->next++;

			if (tree_is_dead(s->layer[walk->layer].dead, of->entry[i]))
				continue;
			*ret_ino = of->ino[i];
			*ret = (struct tree_at){walk->layer, of->entry[i]};
			return true;
		}
	}
	return false;
}

bool
tree_inodes_after(const struct tree_inodes *t, uint64_t ino, uint64_t *ret_ino)
{
	uint64_t least = UINT64_MAX;
	bool any = false;

	for (uint32_t i = 0; i < t->n_layers && ino < UINT64_MAX; i++) {
		const struct tree_inode *of = t->of[i];
		uint32_t at = first_of(of, ino + 1);

		if (at < of->n) {
			least = MIN(least, of->ino[at]);
			any = true;
		}
	}
	*ret_ino = any ? least : ino;
	return any;
}

uint64_t
tree_inodes_count(const struct tree_inodes *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_layers; i++)
		n += t->of[i]->n;
	return n;
}
