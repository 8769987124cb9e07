#include "index/snapshot_link.h"

#include <dirent.h>
#include <errno.h>

#include "base/vec.h"

#define READ_ENTRIES (2 * TREE_BLOCK)

struct entries {
	VEC(uint32_t) all;
};

/* Links among the entries [lo, lo + n), n <= READ_ENTRIES. */
static int
add_block(struct entries *to, const struct tree_cols *c, uint32_t lo, uint32_t n)
{
	uint64_t nlink[READ_ENTRIES], min, max;

	if (tree_bounds(c, TREE_NLINK, lo, n, &min, &max) && max < 2)
		return 0;
	tree_read(c, TREE_NLINK, lo, n, nlink);
	for (uint32_t i = 0; i < n; i++) {
		if (nlink[i] < 2 || tree_type(c, lo + i) == DT_DIR)
			continue;
		if (VEC_PUSH(&to->all, lo + i) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
add_range(struct entries *to, const struct tree_cols *c, uint32_t lo, uint32_t hi)
{
	int r = 0;

	for (uint32_t n; lo < hi && r == 0; lo += n) {
		n = MIN(hi - lo, READ_ENTRIES - lo % READ_ENTRIES);
		r = add_block(to, c, lo, n);
	}
	return r;
}

static int
add_layer(struct entries *to, const struct snap_layer *l)
{
	const struct tree_cols *c = tree_cols(l->tree);
	const struct tree_range *dead;
	uint32_t n = tree_dead_ranges(l->dead, &dead);
	int r = 0;

	if (l->layer > 0)
		return add_range(to, c, 0, c->n_entries);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = add_range(to, c, dead[i].lo, dead[i].hi);
	return r;
}

static int
find_links(void *arg)
{
	const struct snapshot *s = arg;
	AUTO(freep) size_t *first = calloc(s->n_layers + 1, sizeof(*first));
	struct entries found = {0};
	int r = first ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->n_layers && r == 0; i++) {
		r = add_layer(&found, &s->layers[i]);
		first[i + 1] = found.all.len;
	}
	if (r < 0) {
		VEC_FINI(&found.all);
		return r;
	}
	s->links->first = TAKE_PTR(first);
	s->links->entry = found.all.data;
	return 0;
}

bool
snapshot_links_doubted(const struct snapshot *s, uint32_t layer, uint32_t lo, uint32_t hi)
{
	const struct snap_links *l = s->links;
	size_t at, end;

	if (snapshot_root(s, layer)->stack->n_layers == 1)
		return false;
	if (once_run(&s->links->found, find_links, (void *)(uintptr_t)s) < 0)
		return true;
	at = l->first[layer];
	end = l->first[layer + 1];
	while (at < end) {
		size_t mid = at + (end - at) / 2;

		if (l->entry[mid] < lo)
			at = mid + 1;
		else
			end = mid;
	}
	return at < l->first[layer + 1] && l->entry[at] < hi;
}

void
snap_links_fini(struct snap_links *l)
{
	free(l->first);
	free(l->entry);
}
