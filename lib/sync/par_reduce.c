#include "sync/par_reduce.h"

#include <errno.h>
#include <string.h>

#include "sync/par_cost.h"
#include "sync/par_team.h"
#include "sync/par_verdict.h"

#define MAX_UNITS ((size_t)1 << 31) /* of a range: note: ranges */
#define CRUMBS 16u                  /* of a piece: two microseconds or so */

/*
 * note: ranges. Each thread's range of units is one word, lo << 32 | hi. The owner takes from below
 * by moving lo up, a thief takes the upper half by moving hi down; only the owner puts a range into
 * its empty word. All but the putting are compare-and-exchanges of the whole word, and the word is
 * the whole state: its units are nobody else's, so a success that was prepared from an older look
 * at an equal word is right too. All is relaxed, for the words publish nothing: items are the
 * caller's and were there before, and what was folded reaches the caller through the team's door.
 *
 * Between a theft and the putting a range is in no word. Who looks then sees less work than there
 * is and may go home; the thief does it.
 */
struct range {
	ON_OWN_LINE _Atomic uint64_t units;
};

/* An accumulator and where its items begin. Runs tile what has been folded. */
struct run {
	struct run *next;
	size_t lo;
	max_align_t acc[];
};

struct reduce {
	/* Fixed before the first invitation. */
	size_t n, n_units, unit; /* items, units, items a unit */
	const struct par_reduction *op;
	void *ctx;
	struct stop *stop;
	struct team *team;
	struct range *ranges; /* width of them; the caller's is 0 */
	unsigned width;       /* 1 while alone */

	struct range own; /* ranges[0] while alone */
	/* Pushed only; relaxed, for it is read after the door was shut. */
	_Atomic(struct run *) runs;
	struct verdict verdict;
};

/* What one thread is doing. */
struct folder {
	struct reduce *red;
	struct par_pace pace;
	unsigned worker;
	void *acc;
	struct run *fresh; /* made for the next theft, not pushed */
};

static uint64_t
pack(uint64_t lo, uint64_t hi)
{
	return lo << 32 | hi;
}

static size_t
range_lo(uint64_t units)
{
	return units >> 32;
}

static size_t
range_left(uint64_t units)
{
	return (uint32_t)units - (units >> 32);
}

/* The next units of the thread's own range. */
static bool
take_units(struct folder *f, size_t *ret_lo, size_t *ret_hi)
{
	struct reduce *red = f->red;
	struct range *own = &red->ranges[f->worker];
	uint64_t seen = load_rlx(&own->units);
	size_t n;

	do {
		if (range_left(seen) == 0 || verdict_beyond(&red->verdict, range_lo(seen)))
			return false;
		n = par_pace_piece(&f->pace, range_left(seen), red->width, 1);
	} while (!cas_weak_rlx(&own->units, &seen, seen + pack(n, 0)));
	*ret_lo = range_lo(seen);
	*ret_hi = *ret_lo + n;
	return true;
}

/* False: no more of the own range, or the loop was stopped. */
static bool
fold_piece(struct folder *f)
{
	struct reduce *red = f->red;
	size_t lo, hi;
	int r;

	if (verdict_canceled(&red->verdict, red->stop) || !take_units(f, &lo, &hi))
		return false;
	r = red->op->fold(f->acc, lo * red->unit, hi < red->n_units ? hi * red->unit : red->n,
		f->worker, red->ctx);
	if (r != 0) {
		verdict_stop(&red->verdict, lo, r);
		return false;
	}
	par_pace_step(&f->pace, hi - lo, 1);
	return true;
}

static struct range *
largest_range(struct reduce *red)
{
	struct range *best = &red->ranges[0];

	for (unsigned i = 1; i < red->width; i++) {
		if (range_left(load_rlx(&red->ranges[i].units)) >
			range_left(load_rlx(&best->units)))
			best = &red->ranges[i];
	}
	return best;
}

/* The accumulator is made before the theft: without memory for it nothing is taken, and the owner
 * does the work. */
static bool
make_fresh(struct folder *f)
{
	if (!f->fresh) {
		f->fresh = malloc(sizeof(*f->fresh) + f->red->op->acc_bytes);
		if (f->fresh)
			f->red->op->init(f->fresh->acc, f->red->ctx);
	}
	return f->fresh;
}

static void
begin_run(struct folder *f, size_t lo, size_t hi)
{
	struct run *run = TAKE_PTR(f->fresh);

	run->lo = lo;
	run->next = load_rlx(&f->red->runs);
	while (!cas_weak_rlx(&f->red->runs, &run->next, run))
		;
	f->acc = run->acc;
	store_rlx(&f->red->ranges[f->worker].units, pack(lo, hi));
}

/* Take the upper half of the largest range, unless what is left ends before a thief has begun. */
static bool
steal_range(struct folder *f)
{
	struct reduce *red = f->red;

	while (!verdict_canceled(&red->verdict, red->stop)) {
		struct range *victim = largest_range(red);
		uint64_t seen = load_rlx(&victim->units);
		size_t lo = range_lo(seen), left = range_left(seen), mid = lo + left / 2;

		if (left == 0 || left < f->pace.size / CRUMBS ||
			verdict_beyond(&red->verdict, lo) || !make_fresh(f))
			return false;
		if (cas_weak_rlx(&victim->units, &seen, pack(lo, mid))) {
			begin_run(f, mid, lo + left);
			return true;
		}
	}
	return false;
}

static void
drop_acc(const struct reduce *red, void *acc)
{
	if (red->op->fini)
		red->op->fini(acc, red->ctx);
}

static void
end_folder(struct folder *f)
{
	if (f->fresh)
		drop_acc(f->red, f->fresh->acc);
	free(f->fresh);
}

static void
help(void *arg, unsigned worker)
{
	struct folder f = {.red = arg, .worker = worker};

	par_pace_start(&f.pace, 1);
	if (steal_range(&f)) {
		(void)(team_invite(f.red->team) && team_invite(f.red->team));
		do {
			while (fold_piece(&f))
				;
		} while (steal_range(&f));
	}
	end_folder(&f);
}

static void
call_help(struct reduce *red, struct pool *p, enum task_class cls)
{
	size_t left = range_left(load_rlx(&red->own.units));
	unsigned width = p ? (unsigned)MIN(left, (size_t)par_width(p)) : 1;
	struct range *ranges = width > 1 ? aligned_alloc(CACHELINE, width * sizeof(*ranges)) : NULL;

	if (!ranges)
		return;
	memset(ranges, 0, width * sizeof(*ranges));
	red->team = team_create(p, cls, width - 1, help, red);
	if (!red->team) {
		free(ranges);
		return;
	}
	store_rlx(&ranges[0].units, load_rlx(&red->own.units));
	red->ranges = ranges;
	red->width = width;
	(void)team_invite(red->team);
}

static void
fold_all(struct reduce *red, struct pool *p, enum task_class cls, void *acc)
{
	struct folder f = {.red = red, .acc = acc};
	uintptr_t cost_key = red->op->cost_key ? red->op->cost_key : (uintptr_t)red->op->fold;
	bool called = par_cost_pays(cost_key, red->n);

	if (called)
		call_help(red, p, cls);
	par_pace_start(&f.pace, 1);
	do {
		while (fold_piece(&f)) {
			size_t left = range_left(load_rlx(&red->ranges[0].units));

			if (!called && left > 1 && par_pace_pays(&f.pace, left)) {
				called = true;
				call_help(red, p, cls);
			}
		}
	} while (red->team && steal_range(&f));
	par_pace_note(&f.pace, cost_key, red->unit);
	team_close(red->team);
	end_folder(&f);
	if (red->ranges != &red->own)
		free(red->ranges);
}

/* There is one run a theft: few, and nearly in order, for the latest thefts were pushed last. */
static struct run *
sort_runs(struct run *runs)
{
	struct run *sorted = NULL;

	while (runs) {
		struct run *run = runs, **at = &sorted;

		runs = run->next;
		while (*at && (*at)->lo < run->lo)
			at = &(*at)->next;
		run->next = *at;
		*at = run;
	}
	return sorted;
}

/* Consumes the runs; `acc` too when r, or what merge returns, is not 0. */
static int
merge_runs(struct reduce *red, void *acc, int r)
{
	struct run *run = sort_runs(load_rlx(&red->runs));

	while (run) {
		struct run *next = run->next;

		if (r == 0)
			r = red->op->merge(acc, run->acc, red->ctx);
		else
			drop_acc(red, run->acc);
		free(run);
		run = next;
	}
	if (r != 0)
		drop_acc(red, acc);
	return r;
}

int
par_reduce(struct pool *p, enum task_class cls, size_t n, size_t grain,
	const struct par_reduction *op, void *ctx, struct stop *stop, void *ret_acc)
{
	struct reduce red = {.n = n,
		.unit = MAX(MAX(grain, (size_t)1), n / MAX_UNITS + 1),
		.op = op,
		.ctx = ctx,
		.stop = stop,
		.ranges = &red.own,
		.width = 1,
		.verdict = VERDICT_NONE};
	int r;

	lock_assert_none();
	op->init(ret_acc, ctx);
	red.n_units = n / red.unit + (n % red.unit != 0);
	if (red.n_units > 1) {
		store_rlx(&red.own.units, red.n_units);
		fold_all(&red, p, cls, ret_acc);
		return merge_runs(&red, ret_acc, verdict_value(&red.verdict));
	}
	r = n > 0 && stop_requested(stop) ? -ECANCELED : 0;
	if (r == 0 && n > 0)
		r = op->fold(ret_acc, 0, n, 0, ctx);
	return merge_runs(&red, ret_acc, r);
}
