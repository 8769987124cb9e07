#include "index/tree_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/bisect.h"

uint8_t
tree_type(const struct tree_cols *c, uint32_t entry)
{
	return (uint8_t)IFTODT(c->classes[tree_cls(c, entry)].mode);
}

/* A disk error makes zeros of bits or counts: the rank is then smaller, never greater. */
uint32_t
tree_dir(const struct tree_cols *c, uint32_t entry)
{
	uint64_t bits = c->dir_bits[entry / 64];
	uint32_t rank = c->dir_rank[entry / 64];

	if (!(bits >> entry % 64 & 1))
		return TREE_NO_DIR;
	rank += (uint32_t)__builtin_popcountll(bits & tree_packed_mask(entry % 64));
	return c->dir_order[rank];
}

static uint32_t
tree_above(const struct tree_cols *c, uint32_t entry)
{
	return c->dir_entry[tree_parent(c, entry)];
}

/* Twice up the parents, once for the length: no stack, whatever the depth. */
int
tree_path(const struct tree_cols *c, uint32_t entry, struct strbuf *out)
{
	size_t len = 0, at;
	int r;

	for (uint32_t e = entry; e != 0; e = tree_above(c, e))
		len += tree_name(c, e).len + 1;
	if (len == 0)
		return 0;
	r = strbuf_reserve(out, len); /* one more than the path: it starts without a slash */
	if (r < 0)
		return r;
	at = out->len + len - 1;
	for (uint32_t e = entry; e != 0; e = tree_above(c, e)) {
		struct span name = tree_name(c, e);

		at -= name.len;
		memcpy(out->data + at, name.data, name.len);
		if (at > out->len)
			out->data[--at] = '/';
	}
	out->len += len - 1;
	out->data[out->len] = '\0';
	return 0;
}

uint32_t
tree_depth(const struct tree_cols *c, uint32_t entry)
{
	uint32_t depth = 0;

	for (uint32_t e = entry; e != 0; e = tree_above(c, e))
		depth++;
	return depth;
}

int
tree_child(const struct tree_cols *c, uint32_t dir, struct span name, uint32_t *ret_entry)
{
	uint32_t lo = c->dir_first[dir], hi = c->dir_first[dir + 1];

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = span_cmp(tree_name(c, mid), name);

		if (order == 0) {
			*ret_entry = mid;
			return 0;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -ENOENT;
}

struct span
tree_component(struct span *path)
{
	struct span name = {path->data, 0};
	size_t n = 0;

	while (n < path->len && path->data[n] != '/')
		n++;
	name.len = n;
	while (n < path->len && path->data[n] == '/')
		n++;
	path->data += n;
	path->len -= n;
	return name;
}

int
tree_lookup(const struct tree_cols *c, struct span path, uint32_t *ret_entry)
{
	bool slash = span_ends(path, SPAN_LIT("/"));
	uint32_t e = 0;

	if (path.len > 0 && path.data[0] == '/')
		(void)tree_component(&path);
	while (path.len > 0) {
		struct span name = tree_component(&path);
		int r;

		if (tree_type(c, e) != DT_DIR)
			return -ENOTDIR;
		if (tree_dir(c, e) == TREE_NO_DIR)
			return -ENOENT;
		r = tree_child(c, tree_dir(c, e), name, &e);
		if (r < 0)
			return r;
	}
	if (slash && tree_type(c, e) != DT_DIR)
		return -ENOTDIR;
	*ret_entry = e;
	return 0;
}

void
tree_subtree(const struct tree_cols *c, uint32_t dir, uint32_t *ret_lo, uint32_t *ret_hi)
{
	*ret_lo = c->dir_first[dir];
	*ret_hi = c->dir_first[c->dir_end[dir]];
}

uint32_t
tree_list_from(const uint32_t *list, uint32_t n, uint32_t entry)
{
	return FIRST_NOT(i, n, list[i] < entry);
}
