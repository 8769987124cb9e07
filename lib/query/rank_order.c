#include "query/rank_order.h"

#include <errno.h>

#include "base/vec.h"
#include "query/rank_place.h"

#define NO_GROUP UINT32_MAX
#define N_PLACES (1 - RANK_PLACE_MIN)
#define N_SCORES (N_PLACES + RANK_NAME_MAX)

/* Candidates among 64 entries that no head has taken. They mostly are in one directory, so that the
 * points of most groups need not be told apart. */
struct pool_group {
	uint64_t bits;
	uint32_t layer, first;
	uint32_t next; /* in its bucket */
};

struct bucket {
	uint32_t first, last;
};

struct rank_order {
	struct {
		const struct snapshot *s;
		const int8_t **places; /* [n_layers]; NULL: not asked for yet */
	} of;
	struct rank_scorer *scorer;
	struct sweep *sweep;

	/* The pool. No group has a candidate of more points than its bucket. */
	VEC(struct pool_group) groups;
	uint32_t n_pool;                /* candidates */
	struct bucket bucket[N_PLACES]; /* by points less RANK_PLACE_MIN */

	/* The head, by score, those before `sorted` in the order in which they are given. Those
	 * before `at` were. */
	VEC(struct rank_place) taken;
	VEC(struct rank_place) head;
	size_t at, sorted;
	struct rank_cost cost;
};

int
rank_order_create(const struct snapshot *s, struct rank_scorer *scorer, struct sweep *sweep,
	struct rank_order **ret)
{
	struct rank_order *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->of.s = s;
	o->scorer = scorer;
	o->sweep = sweep;
	o->of.places = calloc(s->n_layers + 1, sizeof(*o->of.places));
	if (!o->of.places) {
		rank_order_destroy(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

void
rank_order_destroy(struct rank_order *o)
{
	if (!o)
		return;
	VEC_FINI(&o->groups);
	VEC_FINI(&o->taken);
	VEC_FINI(&o->head);
	free(o->of.places);
	free(o);
}

static int
places_of(const struct rank_order *o, uint32_t layer, const int8_t **ret)
{
	if (!o->of.places[layer])
		o->of.places[layer] = rank_places(o->of.s->layers[layer].tree);
	*ret = o->of.places[layer];
	return *ret ? 0 : -ENOMEM;
}

static void
put_group(struct rank_order *o, uint32_t group, int place)
{
	struct bucket *b = &o->bucket[place - RANK_PLACE_MIN];

	o->groups.data[group].next = NO_GROUP;
	if (b->first == NO_GROUP)
		b->first = group;
	else
		o->groups.data[b->last].next = group;
	b->last = group;
}

/* Of any of the entries, candidates or not. */
static int
best_place(const int8_t *places)
{
	int8_t best = RANK_PLACE_MIN;

	for (uint32_t i = 0; i < RANK_GROUP; i++)
		best = MAX(best, places[i]);
	return best;
}

static int
add_chunk(struct rank_order *o, uint32_t layer, uint32_t lo, const struct bits *bits)
{
	const int8_t *places;
	int r = places_of(o, layer, &places);

	for (uint32_t i = 0; i < EVAL_CHUNK / RANK_GROUP && r == 0; i++) {
		struct pool_group g = {bits->word[i], layer, lo + i * RANK_GROUP, NO_GROUP};

		if (!g.bits)
			continue;
		r = VEC_PUSH(&o->groups, g);
		if (r < 0)
			break;
		o->n_pool += (uint32_t)__builtin_popcountll(g.bits);
		put_group(o, (uint32_t)o->groups.len - 1, best_place(places + g.first));
	}
	return r;
}

/* 0, or an error; an empty pool is the end. */
static int
fill_pool(struct rank_order *o)
{
	int r = 1;

	o->groups.len = 0;
	for (uint32_t i = 0; i < N_PLACES; i++)
		o->bucket[i].first = NO_GROUP;
	while (r > 0 && o->n_pool < RANK_CANDIDATES) {
		const struct bits *bits;
		uint32_t layer, lo;

		r = sweep_next_chunk(o->sweep, &layer, &lo, &bits);
		if (r > 0)
			r = add_chunk(o, layer, lo, bits) < 0 ? -ENOMEM : 1;
	}
	return MIN(r, 0);
}

/* The first group of the bucket: its candidates of just these points are taken, as long as there is
 * room, and the others go where they belong. */
static int
take_group(struct rank_order *o, int place)
{
	struct bucket *b = &o->bucket[place - RANK_PLACE_MIN];
	uint32_t group = b->first;
	struct pool_group *g = &o->groups.data[group];
	const int8_t *places = o->of.places[g->layer] + g->first;
	int best = RANK_PLACE_MIN;

	b->first = g->next;
	for (uint64_t left = g->bits; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(left);

		if (places[i] < place || o->taken.len == RANK_HEAD) {
			best = MAX(best, places[i]);
			continue;
		}
		if (VEC_PUSH(&o->taken,
			    (struct rank_place){
				    .score = place, .layer = g->layer, .entry = g->first + i}) < 0)
			return -ENOMEM;
		g->bits &= ~((uint64_t)1 << i);
		o->n_pool--;
	}
	if (g->bits)
		put_group(o, group, best);
	return 0;
}

/* The best of the pool into o->taken. */
static int
take_head(struct rank_order *o)
{
	int r = 0;

	o->taken.len = 0;
	for (int place = 0; place >= RANK_PLACE_MIN && o->n_pool > 0; place--) {
		const struct bucket *b = &o->bucket[place - RANK_PLACE_MIN];

		while (r == 0 && b->first != NO_GROUP && o->taken.len < RANK_HEAD)
			r = take_group(o, place);
		if (r < 0 || o->taken.len == RANK_HEAD)
			return r;
	}
	return 0;
}

static uint32_t
slot_of(const struct rank_place *p)
{
	return (uint32_t)(RANK_NAME_MAX - p->score); /* best first */
}

static void
score_name(struct rank_order *o, struct rank_place *p)
{
	p->score += rank_name(o->scorer, tree_name(snapshot_cols(o->of.s, p->layer), p->entry));
}

/* o->taken by score into o->head. */
static int
order_head(struct rank_order *o)
{
	uint32_t start[N_SCORES + 1] = {0};

	o->head.len = o->at = o->sorted = 0;
	if (VEC_RESERVE(&o->head, o->taken.len) < 0)
		return -ENOMEM;
	VEC_EACH (&o->taken, p) {
		score_name(o, p);
		start[slot_of(p) + 1]++;
	}
	for (uint32_t i = 1; i <= N_SCORES; i++)
		start[i] += start[i - 1];
	VEC_EACH (&o->taken, p)
		o->head.data[start[slot_of(p)]++] = *p;
	o->head.len = o->taken.len;
	return 0;
}

/* The next head: 0, or an error; an empty one is the end. */
static int
next_head(struct rank_order *o)
{
	uint64_t began;
	int r = o->n_pool == 0 ? fill_pool(o) : 0;

	if (r < 0)
		return r;
	began = clock_mono_ns();
	r = take_head(o);
	if (r == 0)
		r = order_head(o);
	o->cost.n_candidates += o->head.len;
	o->cost.nsec += clock_mono_ns() - began;
	return r;
}

int
rank_order_compare(const struct rank_place *a, const struct rank_place *b)
{
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	if (a->mtime != b->mtime)
		return a->mtime > b->mtime ? -1 : 1;
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static int
compare_places(const void *a, const void *b)
{
	return rank_order_compare(a, b);
}

/* Those that have the score of the next, newest first. */
static void
sort_equals(struct rank_order *o)
{
	size_t end = o->at;

	for (; end < o->head.len && o->head.data[end].score == o->head.data[o->at].score; end++) {
		struct rank_place *p = &o->head.data[end];

		p->mtime = tree_mtime(snapshot_cols(o->of.s, p->layer), p->entry);
	}
	qsort(o->head.data + o->at, end - o->at, sizeof(struct rank_place), compare_places);
	o->sorted = end;
}

int
rank_order_next(struct rank_order *o, uint32_t *ret_layer, uint32_t *ret_entry)
{
	int r = o->at == o->head.len ? next_head(o) : 0;

	if (r < 0 || o->head.len == 0)
		return r;
	if (o->at == o->sorted)
		sort_equals(o);
	*ret_layer = o->head.data[o->at].layer;
	*ret_entry = o->head.data[o->at].entry;
	o->at++;
	return 1;
}

uint64_t
rank_order_left(const struct rank_order *o)
{
	return o->n_pool + o->head.len - o->at;
}

void
rank_order_get_cost(const struct rank_order *o, struct rank_cost *ret)
{
	ret->n_candidates += o->cost.n_candidates;
	ret->nsec += o->cost.nsec;
}

int
rank_order_place(struct rank_order *o, uint32_t layer, uint32_t entry, struct rank_place *ret)
{
	const int8_t *places;
	int r = places_of(o, layer, &places);

	if (r < 0)
		return r;
	*ret = (struct rank_place){.score = places[entry],
		.layer = layer,
		.entry = entry,
		.mtime = tree_mtime(snapshot_cols(o->of.s, layer), entry)};
	score_name(o, ret);
	return 0;
}
