#include "query/sql_place.h"

#include <errno.h>

#include "query/eval.h"
#include "query/term.h"

int
sql_place_entry(const struct snapshot *s, uint32_t layer, struct span path, uint32_t *ret_entry)
{
	struct span above = span_of(snapshot_root(s, layer)->path);

	if (path.len == 0)
		return -ENOENT;
	if (span_eq(path, above)) {
		*ret_entry = 0;
		return 0;
	}
	if (above.len == 1) /* "/" */
		above.len = 0;
	if (!span_starts(path, above) || path.data[above.len] != '/')
		return -ENOENT;
	path = (struct span){path.data + above.len + 1, path.len - above.len - 1};
	return tree_lookup(snapshot_cols(s, layer), path, ret_entry) == 0 ? 0 : -ENOENT;
}

int
sql_place_dir(const struct snapshot *s, uint32_t layer, struct span path, uint32_t *ret_dir)
{
	uint32_t entry;
	int r = sql_place_entry(s, layer, path, &entry);

	if (r < 0)
		return r;
	*ret_dir = tree_dir(snapshot_cols(s, layer), entry);
	return *ret_dir == TREE_NO_DIR ? -ENOENT : 0;
}

int
sql_place_below(const struct snapshot *s, uint32_t layer, struct span where, uint32_t *ret_lo,
	uint32_t *ret_hi)
{
	AUTO(freep) char *plain = malloc(where.len + 1);

	*ret_lo = *ret_hi = 0;
	if (!plain)
		return -ENOMEM;
	where = (struct span){plain, path_squeeze(where, plain)};
	if (where.len > 0)
		eval_where(s, layer, where, ret_lo, ret_hi);
	return 0;
}

/* A subtree's first entry is a child of its directory, whose own number is one before those of the
 * directories in it. */
int
sql_place_dirs_below(const struct snapshot *s, uint32_t layer, struct span where, uint32_t *ret_lo,
	uint32_t *ret_hi)
{
	uint32_t lo, hi;
	int r = sql_place_below(s, layer, where, &lo, &hi);
	const struct tree_cols *c;

	*ret_lo = *ret_hi = 0;
	if (r < 0 || lo >= hi)
		return r;
	c = snapshot_cols(s, layer);
	*ret_lo = lo == 0 ? 0 : tree_parent(c, lo) + 1;
	*ret_hi = lo == 0 ? c->n_dirs : c->dir_end[tree_parent(c, lo)];
	return 0;
}
