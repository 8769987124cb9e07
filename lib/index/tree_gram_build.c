#include "index/tree_gram_build.h"

#include "base/bisect.h"
#include "base/vec.h"
#include "index/tree_format.h"
#include "index/tree_gram_code.h"
#include "index/tree_par.h"

#include <errno.h>

/* Neighbouring names have much in common: a pair that was met shortly before is not listed again.
 * Pairs whose grams fall on one element push each other out; what is listed twice for that, the
 * sort puts side by side. */
#define RECENT_BITS 12u
#define TWO_SYMBOLS (TREE_N_SYMBOLS * TREE_N_SYMBOLS)

struct gram_seen {
	VEC(uint32_t) pairs; /* by group, as the names come */
	VEC(uint32_t) other; /* of the sort */
	uint32_t recent[1u << RECENT_BITS];
	uint32_t n_last[TWO_SYMBOLS], n_first[TWO_SYMBOLS]; /* of the sort */
};

struct gram_seen *
gram_seen_create(void)
{
	return calloc(1, sizeof(struct gram_seen));
}

void
gram_seen_destroy(struct gram_seen *s)
{
	if (!s)
		return;
	VEC_FINI(&s->pairs);
	VEC_FINI(&s->other);
	free(s);
}

int
gram_seen_add(struct gram_seen *s, struct span name, uint32_t group)
{
	uint32_t gram = GRAM_SYMBOL_END, *out;
	size_t at = 0;

	if (name.len == 0)
		return 0;
	if (VEC_RESERVE(&s->pairs, name.len) < 0)
		return -ENOMEM;
	out = s->pairs.data + s->pairs.len;
	gram = gram << 6 | gram_name_symbol(name, &at);
	gram = gram << 6 | gram_name_symbol(name, &at);
	while (at < name.len + 2) {
		uint32_t pair, *recent;

		gram = (gram << 6 | gram_name_symbol(name, &at)) % TREE_N_GRAMS;
		pair = gram << 6 | group;
		recent = &s->recent[gram * 0x9e3779b1u >> (32 - RECENT_BITS)];
		*out = pair;
		out += *recent != pair;
		*recent = pair;
	}
	s->pairs.len = (size_t)(out - s->pairs.data);
	return 0;
}

/* Groups ascend already: by two symbols of the gram at a time, the last ones first. */
static void
sort_pass(const uint32_t *from, size_t n, unsigned shift, uint32_t *at, uint32_t *to)
{
	uint32_t before = 0;

	for (unsigned b = 0; b < TWO_SYMBOLS; b++) {
		uint32_t here = at[b];

		at[b] = before;
		before += here;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i] >> shift & (TWO_SYMBOLS - 1)]++] = from[i];
}

/* Of few of the many pairs of symbols there are any, so what a pass writes to stays in the cache:
 * two such passes take half the time of three by bytes. */
static void
sort_grams(struct gram_seen *s, size_t n)
{
	memset(s->n_last, 0, sizeof(s->n_last));
	memset(s->n_first, 0, sizeof(s->n_first));
	for (size_t i = 0; i < n; i++) {
		s->n_last[s->pairs.data[i] >> 6 & (TWO_SYMBOLS - 1)]++;
		s->n_first[s->pairs.data[i] >> 18 & (TWO_SYMBOLS - 1)]++;
	}
	sort_pass(s->pairs.data, n, 6, s->n_last, s->other.data);
	sort_pass(s->other.data, n, 18, s->n_first, s->pairs.data);
}

int
gram_seen_take(struct gram_seen *s, struct gram_chunk *ret)
{
	size_t n = s->pairs.len, kept = 0;
	uint32_t *pairs = s->pairs.data;

	*ret = (struct gram_chunk){0};
	if (n == 0)
		return 0;
	if (VEC_RESERVE(&s->other, n) < 0)
		return -ENOMEM;
	sort_grams(s, n);
	for (size_t i = 0; i < n; i++) {
		pairs[kept] = pairs[i];
		kept += i + 1 == n || pairs[i] != pairs[i + 1];
	}
	*ret = (struct gram_chunk){pairs, (uint32_t)kept};
	s->pairs.len = 0;
	memset(s->recent, 0, sizeof(s->recent));
	return 0;
}

/* Lists are made for ranges of grams that share their first symbol, each by itself; within it, a
 * node of grams that share two at a time. */
#define NODE_ROWS TREE_N_SYMBOLS
#define NODE_GRAMS (NODE_ROWS * TREE_GRAM_ROW)
#define RANGE_GRAMS (TREE_N_SYMBOLS * NODE_GRAMS)

_Static_assert(GRAM_INDEX_PARTS == TREE_N_SYMBOLS, "a part for each first symbol");

struct range {
	uint64_t seconds;              /* symbols that have a node */
	uint64_t rows[TREE_N_SYMBOLS]; /* of the nodes */
	VEC(uint32_t) row_at;          /* in the range's lists */
};

struct making {
	const struct gram_chunk *chunks;
	uint32_t n_chunks, n_groups;
	struct range ranges[GRAM_INDEX_PARTS];
	struct gram_index *index;
};

/* The pairs of a node: group numbers by gram, ascending. */
struct pairs {
	uint32_t first[NODE_GRAMS + 1]; /* into groups */
	VEC(uint32_t) groups;
	uint32_t at[]; /* [n_chunks] where the node begins in each */
};

static uint32_t
lower_bound(const struct gram_chunk *c, uint32_t gram)
{
	return FIRST_NOT(i, c->n, c->pairs[i] / 64 < gram);
}

/* How many pairs there are of each gram of the node that begins with gram `base`: false, none. */
static bool
count_pairs(const struct making *m, uint32_t base, struct pairs *p)
{
	bool any = false;

	for (uint32_t k = 0; k < m->n_chunks; k++) {
		const struct gram_chunk *c = &m->chunks[k];

		if (p->at[k] == c->n || c->pairs[p->at[k]] / 64 - base >= NODE_GRAMS)
			continue;
		if (!any)
			memset(p->first, 0, sizeof(p->first));
		any = true;
		for (uint32_t i = p->at[k]; i < c->n && c->pairs[i] / 64 - base < NODE_GRAMS; i++)
			p->first[c->pairs[i] / 64 - base + 1]++;
	}
	return any;
}

/* A counting sort: each chunk's pairs are looked at twice. `first` ends one place too far to the
 * right and is read so: list g is [first[g], first[g + 1]) after the second pass. */
static int
sort_pairs(const struct making *m, uint32_t base, struct pairs *p)
{
	uint32_t total = 0;

	for (uint32_t g = 0; g <= NODE_GRAMS; g++) {
		uint32_t n = p->first[g];

		p->first[g] = total;
		total += n;
	}
	/* Now first[g + 1] is where list g starts; filling it moves that to its end. */
	if (VEC_RESERVE(&p->groups, total) < 0)
		return -ENOMEM;
	for (uint32_t k = 0; k < m->n_chunks; k++) {
		const struct gram_chunk *c = &m->chunks[k];
		uint32_t i = p->at[k];

		for (; i < c->n && c->pairs[i] / 64 - base < NODE_GRAMS; i++)
			p->groups.data[p->first[c->pairs[i] / 64 - base + 1]++] =
				k * 64 + c->pairs[i] % 64;
		p->at[k] = i;
	}
	return 0;
}

/* What is behind the mask of a row: all heads, then all lists. */
static int
put_lists(const struct making *m, const struct pairs *p, uint32_t row, uint32_t k)
{
	const size_t room = (size_t)TREE_GRAM_ROW * GRAM_HEAD_MAX_BYTES;
	__typeof__(&m->index->lists[0]) out = &m->index->lists[k];
	const size_t heads_at = out->len;
	uint8_t heads[TREE_GRAM_ROW * GRAM_HEAD_MAX_BYTES];
	size_t n_heads = 0;

	if (VEC_RESERVE(out, room) < 0)
		return -ENOMEM;
	out->len += room;
	for (uint32_t g = row * TREE_GRAM_ROW; g < (row + 1) * TREE_GRAM_ROW; g++) {
		uint32_t n = p->first[g + 1] - p->first[g], head;

		if (n == 0)
			continue;
		if (VEC_RESERVE(out, gram_list_max_bytes(m->n_groups)) < 0)
			return -ENOMEM;
		out->len += gram_list_put(
			p->groups.data + p->first[g], n, m->n_groups, out->data + out->len, &head);
		n_heads += gram_head_put(heads + n_heads, head);
	}
	memmove(out->data + heads_at + n_heads, out->data + heads_at + room,
		out->len - heads_at - room);
	memcpy(out->data + heads_at, heads, n_heads);
	out->len -= room - n_heads;
	return 0;
}

/* 1: it has lists; 0: it has none and is left out. */
static int
put_row(const struct making *m, const struct pairs *p, uint32_t row, uint32_t k)
{
	__typeof__(&m->index->lists[0]) out = &m->index->lists[k];
	uint64_t present = 0;
	int r;

	for (uint32_t i = 0; i < TREE_GRAM_ROW; i++) {
		uint32_t g = row * TREE_GRAM_ROW + i;

		if (p->first[g + 1] > p->first[g])
			present |= (uint64_t)1 << i;
	}
	if (!present)
		return 0;
	if (VEC_RESERVE(out, sizeof(present)) < 0)
		return -ENOMEM;
	memcpy(out->data + out->len, &present, sizeof(present));
	out->len += sizeof(present);
	r = put_lists(m, p, row, k);
	return r < 0 ? r : 1;
}

/* The node of the first symbol k and a second one. */
static int
make_node(struct making *m, uint32_t k, uint32_t second, struct pairs *p)
{
	uint32_t base = k * RANGE_GRAMS + second * NODE_GRAMS;
	struct range *range = &m->ranges[k];
	int r;

	if (!count_pairs(m, base, p))
		return 0;
	r = sort_pairs(m, base, p);
	range->seconds |= (uint64_t)1 << second;
	for (uint32_t row = 0; row < NODE_ROWS && r >= 0; row++) {
		size_t at = m->index->lists[k].len;

		r = at > UINT32_MAX ? -EFBIG : put_row(m, p, row, k);
		if (r <= 0)
			continue;
		range->rows[second] |= (uint64_t)1 << row;
		r = VEC_PUSH(&range->row_at, (uint32_t)at);
	}
	return MIN(r, 0);
}

static int
make_range(struct making *m, uint32_t k)
{
	AUTO(freep) struct pairs *p = malloc(sizeof(*p) + m->n_chunks * sizeof(p->at[0]));
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->groups.data = NULL;
	p->groups.len = p->groups.cap = 0;
	for (uint32_t i = 0; i < m->n_chunks; i++)
		p->at[i] = lower_bound(&m->chunks[i], k * RANGE_GRAMS);
	for (uint32_t second = 0; second < TREE_N_SYMBOLS && r == 0; second++)
		r = make_node(m, k, second, p);
	VEC_FINI(&p->groups);
	return r;
}

static int
make_ranges(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	int r = 0;

	(void)worker;
	for (; lo < hi && r == 0; lo++)
		r = make_range(ctx, (uint32_t)lo);
	return r;
}

/* What the ranges have, as nodes. */
static void
join_nodes(const struct making *m, struct gram_index *ret)
{
	uint32_t n = 0, n_rows = 0;

	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++) {
		const struct range *r = &m->ranges[k];

		ret->nodes[k] = (struct tree_gram_node){r->seconds, n, 0};
		for (uint64_t left = r->seconds; left; left &= left - 1) {
			uint64_t rows = r->rows[__builtin_ctzll(left)];

			ret->nodes[TREE_N_SYMBOLS + n++] = (struct tree_gram_node){rows, n_rows, 0};
			n_rows += (uint32_t)__builtin_popcountll(rows);
		}
	}
	ret->n_nodes = TREE_N_SYMBOLS + n;
}

static int
join_ranges(const struct making *m, struct gram_index *ret)
{
	size_t n_rows = 0, n = 0;

	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++)
		n_rows += m->ranges[k].row_at.len;
	ret->nodes = malloc(TREE_GRAM_NODES * sizeof(*ret->nodes));
	ret->rows = malloc((n_rows + 1) * sizeof(*ret->rows));
	if (!ret->nodes || !ret->rows)
		return -ENOMEM;
	join_nodes(m, ret);
	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++) {
		VEC_EACH (&m->ranges[k].row_at, at)
			ret->rows[n++] = (uint32_t)ret->len + *at;
		ret->len += ret->lists[k].len;
		if (ret->len > UINT32_MAX)
			return -EFBIG;
	}
	ret->rows[n] = (uint32_t)ret->len;
	ret->n_rows = (uint32_t)n;
	return 0;
}

int
gram_index_make(const struct gram_chunk *chunks, uint32_t n_groups, struct pool *pool,
	struct stop *stop, struct gram_index *ret)
{
	AUTO(freep) struct making *m = calloc(1, sizeof(*m));
	int r;

	*ret = (struct gram_index){0};
	if (!m)
		return -ENOMEM;
	m->chunks = chunks;
	m->n_chunks = (n_groups - 1) / 64 + 1;
	m->n_groups = n_groups;
	m->index = ret;
	r = tree_par(pool, TASK_INDEX, GRAM_INDEX_PARTS, make_ranges, m, stop);
	if (r == 0)
		r = join_ranges(m, ret);
	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++)
		VEC_FINI(&m->ranges[k].row_at);
	return r;
}

void
gram_index_fini(struct gram_index *x)
{
	free(x->nodes);
	free(x->rows);
	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++)
		free(x->lists[k].data);
}
