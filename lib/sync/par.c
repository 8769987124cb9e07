#include "sync/par.h"

#include <errno.h>

#include "sync/par_cost.h"
#include "sync/par_team.h"
#include "sync/par_verdict.h"

/* One loop, on the caller's stack: helpers see it only inside the team's door. */
struct par_loop {
	/* Fixed before the first invitation. */
	size_t n, grain;
	par_fn fn;
	void *ctx;
	uintptr_t cost_key; /* the function whose cost is remembered */
	struct stop *stop;
	struct team *team; /* NULL: alone so far */
	unsigned width;    /* 1 while alone */

	/* First position nobody took. Relaxed: what pieces write is published by the door. */
	_Atomic size_t next;
	struct verdict verdict;
};

unsigned
par_width(const struct pool *p)
{
	return pool_threads(p) + 1;
}

/* Positions are taken in ascending order. A compare-and-exchange and not an addition: `next` never
 * passes n, which may be SIZE_MAX. */
static bool
take_piece(struct par_loop *l, const struct par_pace *pace, size_t *ret_lo, size_t *ret_hi)
{
	size_t lo = load_rlx(&l->next), hi;

	do {
		if (lo >= l->n || verdict_beyond(&l->verdict, lo))
			return false;
		hi = lo + par_pace_piece(pace, l->n - lo, l->width, l->grain);
	} while (!cas_weak_rlx(&l->next, &lo, hi));
	*ret_lo = lo;
	*ret_hi = hi;
	return true;
}

/* One piece; false: there is none any more, or the loop was stopped. */
static bool
run_piece(struct par_loop *l, struct par_pace *pace, unsigned worker)
{
	size_t lo, hi;
	int r;

	if (load_rlx(&l->next) >= l->n || verdict_canceled(&l->verdict, l->stop))
		return false;
	if (!take_piece(l, pace, &lo, &hi))
		return false;
	r = l->fn(lo, hi, worker, l->ctx);
	if (r != 0) {
		verdict_stop(&l->verdict, lo, r);
		return false;
	}
	par_pace_step(pace, hi - lo, l->grain);
	return true;
}

/* Each that comes in asks two more, so that no thread pays for all the wake-ups. */
static void
help(void *arg, unsigned worker)
{
	struct par_loop *l = arg;
	struct par_pace pace;

	if (load_rlx(&l->next) >= l->n)
		return;
	(void)(team_invite(l->team) && team_invite(l->team));
	par_pace_start(&pace, l->grain);
	while (run_piece(l, &pace, worker))
		;
}

static void
call_help(struct par_loop *l, struct pool *p, enum task_class cls, size_t left)
{
	l->team = team_create(p, cls, (left - 1) / l->grain, help, l);
	if (!l->team)
		return;
	l->width = (unsigned)MIN((left - 1) / l->grain, (size_t)pool_threads(p)) + 1;
	(void)team_invite(l->team);
}

/* More than one piece. */
static int
run_loop(struct par_loop *l, struct pool *p, enum task_class cls)
{
	struct par_pace pace;
	bool called = par_cost_pays(l->cost_key, l->n);

	if (called)
		call_help(l, p, cls, l->n);
	par_pace_start(&pace, l->grain);
	while (run_piece(l, &pace, 0)) {
		size_t left = l->n - load_rlx(&l->next);

		if (!called && left > l->grain && par_pace_pays(&pace, left)) {
			called = true;
			call_help(l, p, cls, left);
		}
	}
	par_pace_note(&pace, l->cost_key, 1);
	team_close(l->team);
	return verdict_value(&l->verdict);
}

static int
loop(struct par_loop *l, struct pool *p, enum task_class cls)
{
	lock_assert_none();
	l->grain = MAX(l->grain, (size_t)1);
	if (l->n > l->grain)
		return run_loop(l, p, cls);
	if (l->n > 0 && stop_requested(l->stop))
		return -ECANCELED;
	return l->n > 0 ? l->fn(0, l->n, 0, l->ctx) : 0;
}

int
par_for(struct pool *p, enum task_class cls, size_t n, size_t grain, par_fn fn, void *ctx,
	struct stop *stop)
{
	struct par_loop l = {.n = n,
		.grain = grain,
		.fn = fn,
		.ctx = ctx,
		.cost_key = (uintptr_t)fn,
		.stop = stop,
		.width = 1,
		.verdict = VERDICT_NONE};

	return loop(&l, p, cls);
}

static int
map_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct par_map *map = ctx;
	const char *item = (const char *)map->items + lo * map->item_bytes;
	char *result = (char *)map->results + lo * map->result_bytes;

	for (; lo < hi; lo++, item += map->item_bytes, result += map->result_bytes) {
		int r = map->fn(item, result, worker, map->ctx);

		if (r != 0)
			return r;
	}
	return 0;
}

int
par_map(struct pool *p, enum task_class cls, size_t n, size_t grain, const struct par_map *map,
	struct stop *stop)
{
	struct par_map m = *map;
	struct par_loop l = {.n = n,
		.grain = grain,
		.fn = map_piece,
		.ctx = &m,
		.cost_key = (uintptr_t)map->fn,
		.stop = stop,
		.width = 1,
		.verdict = VERDICT_NONE};

	return loop(&l, p, cls);
}
