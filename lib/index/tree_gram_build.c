#include "index/tree_gram_build.h"

#include "base/vec.h"
#include "index/tree_format.h"
#include "index/tree_gram_code.h"
#include "index/tree_par.h"

#include <errno.h>

struct gram_seen {
	uint64_t bits[TREE_N_GRAMS / 64];
};

struct gram_seen *
gram_seen_create(void)
{
	return calloc(1, sizeof(struct gram_seen));
}

void
gram_seen_destroy(struct gram_seen *s)
{
	free(s);
}

void
gram_seen_add(struct gram_seen *s, struct span name)
{
	uint64_t *bits = s->bits;
	uint32_t gram = 0;
	size_t at = 0;

	if (name.len < 2)
		return;
	gram = gram_name_symbol(name, &at);
	gram = gram << 6 | gram_name_symbol(name, &at);
	while (at <= name.len) {
		gram = (gram << 6 | gram_name_symbol(name, &at)) & (TREE_N_GRAMS - 1);
		bits[gram / 64] |= (uint64_t)1 << gram % 64;
	}
}

uint32_t
gram_seen_count(const struct gram_seen *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(s->bits); i++) {
		if (s->bits[i])
			n += (uint32_t)__builtin_popcountll(s->bits[i]);
	}
	return n;
}

void
gram_seen_take(struct gram_seen *s, uint32_t *ret)
{
	for (uint32_t i = 0; i < ARRAY_LEN(s->bits); i++) {
		for (uint64_t word = s->bits[i]; word; word &= word - 1)
			*ret++ = i * 64 + (uint32_t)__builtin_ctzll(word);
	}
	memset(s->bits, 0, sizeof(s->bits));
}

/* Lists are made for ranges of grams that share their first symbol, each by itself. */
#define N_RANGES 64u
#define RANGE_GRAMS (TREE_N_GRAMS / N_RANGES)
#define RANGE_GROUPS (RANGE_GRAMS / TREE_GRAM_GROUP)

struct range {
	uint8_t *lists;
	size_t len;
	uint32_t group_at[RANGE_GROUPS]; /* in lists */
};

struct making {
	const struct gram_chunk *chunks;
	uint32_t n_chunks;
	struct range ranges[N_RANGES];
};

/* The pairs of a range: chunk numbers by gram, in the order of the chunks. */
struct pairs {
	uint32_t first[RANGE_GRAMS + 1]; /* into chunks */
	uint32_t *chunks;
};

static uint32_t
lower_bound(const struct gram_chunk *c, uint32_t gram)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->grams[mid] < gram)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A counting sort: each chunk's grams are looked at twice. `first` ends one place too far to the
 * right and is read so: list g is [first[g], first[g + 1]) after the second pass. */
static int
sort_pairs(const struct making *m, uint32_t base, struct pairs *p)
{
	uint32_t total = 0;

	memset(p->first, 0, sizeof(p->first));
	for (uint32_t k = 0; k < m->n_chunks; k++) {
		const struct gram_chunk *c = &m->chunks[k];

		for (uint32_t i = lower_bound(c, base);
			i < c->n && c->grams[i] < base + RANGE_GRAMS; i++)
			p->first[c->grams[i] - base + 1]++;
	}
	for (uint32_t g = 0; g <= RANGE_GRAMS; g++) {
		uint32_t n = p->first[g];

		p->first[g] = total;
		total += n;
	}
	/* Now first[g + 1] is where list g starts; filling it moves that to its end. */
	p->chunks = malloc(((size_t)total + 1) * sizeof(*p->chunks));
	if (!p->chunks)
		return -ENOMEM;
	for (uint32_t k = 0; k < m->n_chunks; k++) {
		const struct gram_chunk *c = &m->chunks[k];

		for (uint32_t i = lower_bound(c, base);
			i < c->n && c->grams[i] < base + RANGE_GRAMS; i++)
			p->chunks[p->first[c->grams[i] - base + 1]++] = k;
	}
	return 0;
}

static int
put_group(
	const struct making *m, const struct pairs *p, uint32_t group, struct range *r, size_t *cap)
{
	uint64_t present = 0;
	size_t mask_at;

	for (uint32_t i = 0; i < TREE_GRAM_GROUP; i++) {
		uint32_t g = group * TREE_GRAM_GROUP + i;

		if (p->first[g + 1] > p->first[g])
			present |= (uint64_t)1 << i;
	}
	if (!present)
		return 0;
	if (vec_reserve((void **)&r->lists, r->len, cap, sizeof(present), 1) < 0)
		return -ENOMEM;
	mask_at = r->len;
	memcpy(r->lists + mask_at, &present, sizeof(present));
	r->len += sizeof(present);
	for (uint32_t i = 0; i < TREE_GRAM_GROUP; i++) {
		uint32_t g = group * TREE_GRAM_GROUP + i, n = p->first[g + 1] - p->first[g];

		if (n == 0)
			continue;
		if (vec_reserve((void **)&r->lists, r->len, cap,
			    gram_list_max_bytes(n, m->n_chunks), 1) < 0)
			return -ENOMEM;
		r->len += gram_list_put(p->chunks + p->first[g], n, m->n_chunks, r->lists + r->len);
	}
	return 0;
}

static int
make_range(struct making *m, uint32_t k)
{
	AUTO(freep) struct pairs *p = malloc(sizeof(*p));
	struct range *r = &m->ranges[k];
	size_t cap = 0;
	int error = p ? sort_pairs(m, k * RANGE_GRAMS, p) : -ENOMEM;

	if (error < 0)
		return error;
	for (uint32_t group = 0; group < RANGE_GROUPS && error == 0; group++) {
		r->group_at[group] = (uint32_t)r->len;
		error = put_group(m, p, group, r, &cap);
		if (r->len > UINT32_MAX)
			error = -EFBIG;
	}
	free(p->chunks);
	return error;
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

static int
join_ranges(const struct making *m, struct gram_index *ret)
{
	size_t total = 0;

	for (uint32_t k = 0; k < N_RANGES; k++)
		total += m->ranges[k].len;
	if (total > UINT32_MAX)
		return -EFBIG;
	ret->index = malloc((TREE_N_GRAM_GROUPS + 1) * sizeof(*ret->index));
	ret->lists = malloc(total + 1);
	if (!ret->index || !ret->lists)
		return -ENOMEM;
	for (uint32_t k = 0; k < N_RANGES; k++) {
		const struct range *r = &m->ranges[k];

		for (uint32_t group = 0; group < RANGE_GROUPS; group++)
			ret->index[(size_t)k * RANGE_GROUPS + group] =
				(uint32_t)ret->len + r->group_at[group];
		if (r->len > 0)
			memcpy(ret->lists + ret->len, r->lists, r->len);
		ret->len += r->len;
	}
	ret->index[TREE_N_GRAM_GROUPS] = (uint32_t)ret->len;
	return 0;
}

int
gram_index_make(const struct gram_chunk *chunks, uint32_t n_chunks, struct pool *pool,
	struct stop *stop, struct gram_index *ret)
{
	AUTO(freep) struct making *m = calloc(1, sizeof(*m));
	int r;

	*ret = (struct gram_index){0};
	if (!m)
		return -ENOMEM;
	m->chunks = chunks;
	m->n_chunks = n_chunks;
	r = tree_par(pool, TASK_INDEX, N_RANGES, make_ranges, m, stop);
	if (r == 0)
		r = join_ranges(m, ret);
	for (uint32_t k = 0; k < N_RANGES; k++)
		free(m->ranges[k].lists);
	return r;
}

void
gram_index_fini(struct gram_index *x)
{
	free(x->index);
	free(x->lists);
}
