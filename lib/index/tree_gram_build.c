#include "index/tree_gram_build.h"

#include "base/vec.h"
#include "index/tree_format.h"
#include "index/tree_gram_code.h"
#include "index/tree_par.h"

#include <errno.h>

struct gram_seen {
	uint64_t bits[TREE_N_GRAMS / 64]; /* grams that are there */
	uint64_t groups[TREE_N_GRAMS];    /* of the others: 0 */
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
gram_seen_add(struct gram_seen *s, struct span name, uint32_t group)
{
	const uint64_t bit = (uint64_t)1 << group;
	uint32_t gram = 0;
	size_t at = 0;

	if (name.len < 2)
		return;
	gram = gram_name_symbol(name, &at);
	gram = gram << 6 | gram_name_symbol(name, &at);
	while (at <= name.len) {
		gram = (gram << 6 | gram_name_symbol(name, &at)) & (TREE_N_GRAMS - 1);
		s->bits[gram / 64] |= (uint64_t)1 << gram % 64;
		s->groups[gram] |= bit;
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
gram_seen_take(struct gram_seen *s, uint32_t *ret_grams, uint64_t *ret_groups)
{
	for (uint32_t i = 0; i < ARRAY_LEN(s->bits); i++) {
		for (uint64_t word = s->bits[i]; word; word &= word - 1) {
			uint32_t gram = i * 64 + (uint32_t)__builtin_ctzll(word);

			*ret_grams++ = gram;
			*ret_groups++ = s->groups[gram];
			s->groups[gram] = 0;
		}
	}
	memset(s->bits, 0, sizeof(s->bits));
}

/* Lists are made for ranges of grams that share their first symbol, each by itself. */
#define N_RANGES 64u
#define RANGE_GRAMS (TREE_N_GRAMS / N_RANGES)
#define RANGE_ROWS (RANGE_GRAMS / TREE_GRAM_ROW)

struct range {
	uint8_t *lists;
	size_t len;
	uint32_t row_at[RANGE_ROWS]; /* in lists */
};

struct making {
	const struct gram_chunk *chunks;
	uint32_t n_chunks, n_groups;
	struct range ranges[N_RANGES];
};

/* The pairs of a range: group numbers by gram, ascending. */
struct pairs {
	uint32_t first[RANGE_GRAMS + 1]; /* into groups */
	uint32_t *groups;
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

/* `first` as in the second pass of sort_pairs(). */
static void
list_groups(struct pairs *p, uint32_t gram, uint64_t groups, uint32_t chunk)
{
	uint32_t at = p->first[gram + 1];

	for (; groups; groups &= groups - 1)
		p->groups[at++] = chunk * 64 + (uint32_t)__builtin_ctzll(groups);
	p->first[gram + 1] = at;
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
			p->first[c->grams[i] - base + 1] +=
				(uint32_t)__builtin_popcountll(c->groups[i]);
	}
	for (uint32_t g = 0; g <= RANGE_GRAMS; g++) {
		uint32_t n = p->first[g];

		p->first[g] = total;
		total += n;
	}
	/* Now first[g + 1] is where list g starts; filling it moves that to its end. */
	p->groups = malloc(((size_t)total + 1) * sizeof(*p->groups));
	if (!p->groups)
		return -ENOMEM;
	for (uint32_t k = 0; k < m->n_chunks; k++) {
		const struct gram_chunk *c = &m->chunks[k];

		for (uint32_t i = lower_bound(c, base);
			i < c->n && c->grams[i] < base + RANGE_GRAMS; i++)
			list_groups(p, c->grams[i] - base, c->groups[i], k);
	}
	return 0;
}

/* What is behind the mask of a row: all heads, then all lists. */
static int
put_lists(const struct making *m, const struct pairs *p, uint32_t row, struct range *r, size_t *cap)
{
	const size_t heads_at = r->len, room = (size_t)TREE_GRAM_ROW * GRAM_HEAD_MAX_BYTES;
	uint8_t heads[TREE_GRAM_ROW * GRAM_HEAD_MAX_BYTES];
	size_t n_heads = 0;

	if (vec_reserve((void **)&r->lists, r->len, cap, room, 1) < 0)
		return -ENOMEM;
	r->len += room;
	for (uint32_t g = row * TREE_GRAM_ROW; g < (row + 1) * TREE_GRAM_ROW; g++) {
		uint32_t n = p->first[g + 1] - p->first[g], head;

		if (n == 0)
			continue;
		if (vec_reserve((void **)&r->lists, r->len, cap, gram_list_max_bytes(m->n_groups),
			    1) < 0)
			return -ENOMEM;
		r->len += gram_list_put(
			p->groups + p->first[g], n, m->n_groups, r->lists + r->len, &head);
		n_heads += gram_head_put(heads + n_heads, head);
	}
	memmove(r->lists + heads_at + n_heads, r->lists + heads_at + room,
		r->len - heads_at - room);
	memcpy(r->lists + heads_at, heads, n_heads);
	r->len -= room - n_heads;
	return 0;
}

static int
put_row(const struct making *m, const struct pairs *p, uint32_t row, struct range *r, size_t *cap)
{
	uint64_t present = 0;

	for (uint32_t i = 0; i < TREE_GRAM_ROW; i++) {
		uint32_t g = row * TREE_GRAM_ROW + i;

		if (p->first[g + 1] > p->first[g])
			present |= (uint64_t)1 << i;
	}
	if (!present)
		return 0;
	if (vec_reserve((void **)&r->lists, r->len, cap, sizeof(present), 1) < 0)
		return -ENOMEM;
	memcpy(r->lists + r->len, &present, sizeof(present));
	r->len += sizeof(present);
	return put_lists(m, p, row, r, cap);
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
	for (uint32_t row = 0; row < RANGE_ROWS && error == 0; row++) {
		r->row_at[row] = (uint32_t)r->len;
		error = put_row(m, p, row, r, &cap);
		if (r->len > UINT32_MAX)
			error = -EFBIG;
	}
	free(p->groups);
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
	ret->index = malloc((TREE_N_GRAM_ROWS + 1) * sizeof(*ret->index));
	ret->lists = malloc(total + 1);
	if (!ret->index || !ret->lists)
		return -ENOMEM;
	for (uint32_t k = 0; k < N_RANGES; k++) {
		const struct range *r = &m->ranges[k];

		for (uint32_t row = 0; row < RANGE_ROWS; row++)
			ret->index[(size_t)k * RANGE_ROWS + row] =
				(uint32_t)ret->len + r->row_at[row];
		if (r->len > 0)
			memcpy(ret->lists + ret->len, r->lists, r->len);
		ret->len += r->len;
	}
	ret->index[TREE_N_GRAM_ROWS] = (uint32_t)ret->len;
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
