#include "index/tree_check.h"
#include "index/tree_gram_build.h"
#include "index/tree_gram_code.h"
#include "index/tree_link.h"
#include "index/tree_par.h"

#include <sys/stat.h>

/* What decides only whether an answer is right is made once more, from the columns, and compared.
 */

typedef VEC(struct link_seed) seed_vec;

static int
collect_seeds(const struct tree_cols *c, seed_vec *ret)
{
	int r = 0;

	for (uint32_t e = 0; e < c->n_entries && r == 0; e++) {
		const struct tree_class *cls = &c->classes[tree_cls(c, e)];

		if (tree_nlink(c, e) > 1 && !S_ISDIR(cls->mode))
			r = VEC_PUSH(ret, (struct link_seed){
						  .dev = cls->dev,
						  .ino = tree_ino(c, e),
						  .sum = {tree_size(c, e), tree_blocks(c, e)},
						  .entry = e,
						  .parent = tree_parent(c, e),
					  });
	}
	return r;
}

static enum flaw
compare_links(const struct tree_cols *c, const struct tree_links *l)
{
	if (l->links.len != c->n_links ||
		(c->n_links > 0 &&
			memcmp(l->links.data, c->links, c->n_links * sizeof(*c->links)) != 0))
		return FLAW_LINKS_DEEP;
	if (l->sums.len != c->n_link_sums ||
		(c->n_link_sums > 0 && memcmp(l->sums.data, c->link_sums,
					       c->n_link_sums * sizeof(*c->link_sums)) != 0))
		return FLAW_LINK_SUMS;
	return FLAW_NONE;
}

int
check_links_deep(const struct tree_cols *c, struct pool *pool)
{
	AUTO(freep) uint32_t *parent = malloc(c->n_dirs * sizeof(*parent));
	struct link_dirs dirs = {.end = c->dir_end, .parent = parent};
	struct tree_links links = {0};
	seed_vec seeds = {0};
	int r;

	if (!parent)
		return -ENOMEM;
	for (uint32_t d = 0; d < c->n_dirs; d++)
		parent[d] = tree_parent(c, c->dir_entry[d]);
	r = collect_seeds(c, &seeds);
	if (r == 0)
		r = tree_links_make(seeds.data, seeds.len, &dirs, pool, NULL, &links);
	if (r == 0)
		r = (int)compare_links(c, &links);
	tree_links_fini(&links);
	VEC_FINI(&seeds);
	return r;
}

struct chunk_grams {
	const struct tree_cols *c;
	struct gram_seen **seen;   /* by worker */
	struct gram_chunk *chunks; /* what is in them is of malloc */
};

static int
chunk_grams(
	const struct tree_cols *c, uint32_t chunk, struct gram_seen *seen, struct gram_chunk *ret)
{
	uint32_t lo = chunk * TREE_CHUNK, hi = MIN(c->n_entries - lo, TREE_CHUNK) + lo;
	struct gram_chunk own = {0};
	uint32_t *pairs;
	int r = 0;

	for (uint32_t e = lo; e < hi && r == 0; e++)
		r = gram_seen_add(seen, tree_name(c, e), (e - lo) / TREE_NAME_GROUP);
	if (r == 0)
		r = gram_seen_take(seen, &own);
	if (r < 0)
		return r;
	ret->n = own.n;
	ret->pairs = pairs = malloc((own.n + 1) * sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	if (own.n > 0)
		memcpy(pairs, own.pairs, own.n * sizeof(*pairs));
	return 0;
}

static int
grams_of_chunks(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct chunk_grams *g = ctx;
	int r = 0;

	if (!g->seen[worker])
		g->seen[worker] = gram_seen_create();
	if (!g->seen[worker])
		return -ENOMEM;
	for (; lo < hi && r == 0; lo++)
		r = chunk_grams(g->c, (uint32_t)lo, g->seen[worker], &g->chunks[lo]);
	return r;
}

static int
compare_grams(const struct tree_cols *c, const struct gram_index *x)
{
	size_t at = 0;

	if (x->len != c->gram_bytes || x->n_nodes != c->n_gram_nodes ||
		x->n_rows != c->n_gram_rows ||
		memcmp(x->nodes, c->gram_nodes, x->n_nodes * sizeof(*x->nodes)) != 0 ||
		memcmp(x->rows, c->gram_rows, (x->n_rows + 1) * sizeof(*x->rows)) != 0)
		return FLAW_GRAMS;
	for (uint32_t i = 0; i < ARRAY_LEN(x->lists); i++) {
		if (x->lists[i].len > 0 &&
			memcmp(x->lists[i].data, c->gram_lists + at, x->lists[i].len) != 0)
			return FLAW_GRAMS;
		at += x->lists[i].len;
	}
	return 0;
}

int
check_grams_deep(const struct tree_cols *c, struct pool *pool)
{
	uint32_t n_chunks = (c->n_entries - 1) / TREE_CHUNK + 1;
	unsigned width = tree_par_width(pool);
	struct chunk_grams g = {.c = c};
	struct gram_index x = {0};
	int r = -ENOMEM;

	if (!c->gram_nodes)
		return 0;
	g.seen = calloc(width, sizeof(struct gram_seen *));
	g.chunks = calloc(n_chunks, sizeof(*g.chunks));
	if (g.seen && g.chunks)
		r = tree_par(pool, TASK_QUERY, n_chunks, grams_of_chunks, &g, NULL);
	if (r == 0)
		r = gram_index_make(g.chunks, tree_n_groups(c), pool, NULL, &x);
	if (r == 0)
		r = compare_grams(c, &x);
	gram_index_fini(&x);
	for (unsigned i = 0; g.seen && i < width; i++)
		gram_seen_destroy(g.seen[i]);
	for (uint32_t i = 0; g.chunks && i < n_chunks; i++)
		free((void *)(uintptr_t)g.chunks[i].pairs);
	free(g.seen);
	free(g.chunks);
	return r;
}

/* The bits of nodes [lo, hi) are counted by their ranks. */
static bool
count_bits(const struct tree_cols *c, uint32_t lo, uint32_t hi, uint32_t *ret)
{
	uint32_t n = 0;

	for (; lo < hi; lo++) {
		if (c->gram_nodes[lo].rank != n || c->gram_nodes[lo].reserved)
			return false;
		if (lo >= TREE_N_SYMBOLS && !c->gram_nodes[lo].bits)
			return false;
		n += (uint32_t)__builtin_popcountll(c->gram_nodes[lo].bits);
	}
	*ret = n;
	return true;
}

enum flaw
check_gram_nodes(const struct tree_cols *c)
{
	uint32_t n;

	if (!count_bits(c, 0, TREE_N_SYMBOLS, &n) || n != c->n_gram_nodes - TREE_N_SYMBOLS ||
		!count_bits(c, TREE_N_SYMBOLS, c->n_gram_nodes, &n))
		return FLAW_GRAM_NODES;
	if (n != c->n_gram_rows || c->gram_rows[0] != 0 || c->gram_rows[n] != c->gram_bytes)
		return FLAW_GRAM_ROWS;
	return FLAW_NONE;
}

enum flaw
check_gram_rows(const struct tree_cols *c, uint32_t lo, uint32_t hi)
{
	for (; lo < hi; lo++) {
		uint32_t at = c->gram_rows[lo], end = c->gram_rows[lo + 1];

		if (at >= end || end > c->gram_bytes)
			return FLAW_GRAM_ROWS;
		if (!gram_row_check(c->gram_lists + at, c->gram_lists + end))
			return FLAW_GRAM_ROW;
	}
	return FLAW_NONE;
}
