#include "sync/par_bridge.h"

#include <errno.h>

#include "sync/par_cost.h"
#include "sync/par_team.h"
#include "sync/par_verdict.h"
#include "sync/park.h"

#define TURN_SPINS 64u /* pauses: a quick source is pulled from in less */
/* Batches whose work pays for calling a helper, counted together because one is short. */
#define PAYS_BATCHES 4u

struct batch {
	uint64_t first; /* place of its first item in the source's order */
	unsigned n, n_made;
	/* Ordered: 1 when worked on; seq_cst, see note: emit. */
	_Atomic uint32_t done;
	char *items, *results;
};

struct bridge {
	/* Fixed before the first invitation. */
	const struct par_bridge *b;
	struct stop *stop;
	struct team *team;
	unsigned batch, window;
	struct batch *slots; /* ordered: `window` of them; batch k is in slot k mod window */

	/* 1: somebody pulls. Taken with acquire, given back with seq_cst, as note: wakeup asks;
	 * guards what the source keeps and n_items. */
	_Atomic uint32_t turn;
	uint64_t n_items; /* pulled */
	/* Pulled; written by who has the turn. Relaxed: the caller, looking from outside, at worst
	 * sees room that was taken. */
	_Atomic uint64_t n_batches;

	/* Set once: nothing more is pulled. seq_cst: the caller waits for it. */
	_Atomic uint32_t ended;
	/* Batches that are emitted; written by who has emit_turn, seq_cst (acquire and release for
	 * the slot that becomes free; the caller waits for it). */
	_Atomic uint64_t n_emitted;
	_Atomic uint32_t emit_turn; /* 1: somebody emits; seq_cst, see note: emit */

	struct eventcount moved; /* turn free, room in the window, ended: for the caller */
	struct verdict verdict;
};

struct bridger {
	struct bridge *br;
	unsigned worker;
	struct par_pace pace; /* of fn alone */
	bool apart;           /* pulling is timed apart from working */
	struct batch own;     /* unordered */
};

static void
end_bridge(struct bridge *br)
{
	(void)swap_sc(&br->ended, 1);
	eventcount_notify(&br->moved, UINT32_MAX);
}

static void
give_turn(struct bridge *br)
{
	(void)swap_sc(&br->turn, 0);
	eventcount_notify(&br->moved, 1);
}

static bool
has_room(struct bridge *br)
{
	return !br->slots || load_rlx(&br->n_batches) - load_sc(&br->n_emitted) < br->window;
}

/* Items into the batch, by who has the turn. *ret_end: why the source ended, if it failed. */
static unsigned
pull_items(struct bridge *br, char *items, unsigned max, int *ret_end)
{
	const struct par_bridge *b = br->b;
	unsigned n = 0;
	int r;

	if (b->pull) {
		r = b->pull(b->source, items, max);
		*ret_end = MIN(r, 0);
		if (r <= 0)
			end_bridge(br);
		return r > 0 ? (unsigned)r : 0;
	}
	for (; n < max; n++, items += b->item_bytes) {
		r = b->next(b->source, items);
		if (r <= 0) {
			*ret_end = r;
			end_bridge(br);
			return n;
		}
	}
	return n;
}

static struct batch *
pull_in_turn(struct bridger *g)
{
	struct bridge *br = g->br;
	struct batch *batch =
		br->slots ? &br->slots[load_rlx(&br->n_batches) % br->window] : &g->own;
	int end = 0;

	if (load_sc(&br->ended))
		return NULL;
	if (verdict_canceled(&br->verdict, br->stop)) {
		end_bridge(br);
		return NULL;
	}
	batch->n = pull_items(br, batch->items, (unsigned)MIN(g->pace.size, br->batch), &end);
	batch->first = br->n_items;
	br->n_items += batch->n;
	(void)add_rlx(&br->n_batches, batch->n > 0);
	if (end < 0)
		verdict_stop(&br->verdict, br->n_items, end);
	return batch->n > 0 ? batch : NULL;
}

/* NULL: somebody else has the turn, or there is no room, or nothing more comes. */
static struct batch *
try_pull(struct bridger *g)
{
	struct bridge *br = g->br;
	struct batch *batch = NULL;
	uint32_t is_free = 0;

	for (unsigned i = 0; i < TURN_SPINS && load_rlx(&br->turn); i++)
		cpu_pause();
	if (!cas_acq(&br->turn, &is_free, 1))
		return NULL;
	if (has_room(br))
		batch = pull_in_turn(g);
	give_turn(br);
	return batch;
}

static void
drop_items(struct bridge *br, struct batch *batch, unsigned from)
{
	for (; br->b->drop && from < batch->n; from++)
		br->b->drop(batch->items + from * br->b->item_bytes, br->b->ctx);
}

static void
work_on(struct bridger *g, struct batch *batch)
{
	struct bridge *br = g->br;
	const struct par_bridge *b = br->b;
	unsigned i;
	int r = 0;

	batch->n_made = 0;
	for (i = 0; i < batch->n && r == 0; i++) {
		if (verdict_beyond(&br->verdict, batch->first + i) ||
			verdict_canceled(&br->verdict, br->stop))
			break;
		r = b->fn(batch->items + i * b->item_bytes,
			br->slots ? batch->results + i * b->result_bytes : NULL, g->worker, b->ctx);
		batch->n_made += r == 0;
	}
	if (r != 0)
		verdict_stop(&br->verdict, batch->first + i - 1, r);
	if (batch->n_made < batch->n) {
		end_bridge(br);
		drop_items(br, batch, i);
	}
}

static void
emit_batch(struct bridge *br, struct batch *batch)
{
	const struct par_bridge *b = br->b;

	for (unsigned i = 0; i < batch->n_made; i++) {
		char *result = batch->results + i * b->result_bytes;
		int r;

		if (verdict_beyond(&br->verdict, batch->first + i) ||
			load_rlx(&br->verdict.canceled)) {
			if (b->drop_result)
				b->drop_result(result, b->ctx);
			continue;
		}
		r = b->emit(result, b->ctx);
		if (r != 0) {
			verdict_stop(&br->verdict, batch->first + i, r);
			end_bridge(br);
		}
	}
}

/*
 * note: emit. Who ends a batch marks it done, then tries for emit_turn; who has that turn emits all
 * batches that follow each other and are done, gives it back, and looks once more. Marks, turn and
 * looks are seq_cst: when the try fails, it comes before the giving back in the single order, hence
 * the mark before that last look, which sees it. So no batch that is done waits for ever. A slot is
 * marked not done before n_emitted lets the source use it again.
 */
static void
emit_done(struct bridge *br)
{
	uint32_t is_free = 0;
	uint64_t k = load_sc(&br->n_emitted);

	while (load_sc(&br->slots[k % br->window].done) && cas_sc(&br->emit_turn, &is_free, 1)) {
		struct batch *batch;

		k = load_sc(&br->n_emitted);
		while (load_sc(&(batch = &br->slots[k % br->window])->done)) {
			emit_batch(br, batch);
			store_sc(&batch->done, 0);
			(void)add_sc(&br->n_emitted, 1);
			eventcount_notify(&br->moved, 1);
			k++;
		}
		(void)swap_sc(&br->emit_turn, 0);
		is_free = 0;
		k = load_sc(&br->n_emitted);
	}
}

/* What pulling and working take together is not told apart until it is more than nothing. */
static void
keep_pace(struct bridger *g, unsigned n)
{
	usec_t now = clock_mono(), took = now - g->pace.last;

	if (g->apart || took < PAR_TRUST_USEC)
		par_pace_add(&g->pace, took, n, 1);
	else
		g->apart = true;
	g->pace.last = now;
}

/* One batch; false: try_pull() gave none. */
static bool
bridge_batch(struct bridger *g)
{
	struct bridge *br = g->br;
	struct batch *batch = try_pull(g);

	if (!batch)
		return false;
	if (br->team &&
		(g->pace.n_done == 0 || par_pace_pays(&g->pace, (size_t)PAYS_BATCHES * br->batch)))
		(void)team_invite(br->team);
	if (g->apart)
		g->pace.last = clock_mono();
	work_on(g, batch);
	keep_pace(g, batch->n);
	if (br->slots) {
		store_sc(&batch->done, 1);
		emit_done(br);
	}
	return true;
}

static void
help(void *arg, unsigned worker)
{
	struct bridger g = {.br = arg, .worker = worker};
	AUTO(freep) char *items = NULL;

	if (!g.br->slots) {
		items = g.own.items = malloc(g.br->batch * g.br->b->item_bytes);
		if (!items)
			return;
	}
	par_pace_start(&g.pace, 1);
	while (bridge_batch(&g))
		;
}

/* The caller alone waits: somebody has the turn and will give it back, or has the oldest batch of
 * the window and will emit it. */
static void
wait_for_move(struct bridge *br)
{
	uint32_t key;

	eventcount_prepare(&br->moved, &key);
	if (load_sc(&br->ended) || (load_sc(&br->turn) == 0 && has_room(br)))
		eventcount_cancel(&br->moved);
	else
		(void)eventcount_wait(&br->moved, key, USEC_NEVER);
}

static void
run_bridge(struct bridge *br, struct pool *p, enum task_class cls, char *items)
{
	struct bridger g = {.br = br};
	size_t pays = (size_t)PAYS_BATCHES * br->batch;
	bool called = !p;

	g.own.items = items;
	par_pace_start(&g.pace, 1);
	while (!load_sc(&br->ended)) {
		if (!called && (par_cost_pays((uintptr_t)br->b->fn, pays) ||
				       par_pace_pays(&g.pace, pays))) {
			called = true;
			br->team = team_create(p, cls, SIZE_MAX, help, br);
		}
		if (!bridge_batch(&g))
			wait_for_move(br);
	}
	par_pace_note(&g.pace, (uintptr_t)br->b->fn, 1);
	team_close(br->team);
}

/* The slots and what is in them, in one piece of memory. */
static struct batch *
make_slots(const struct par_bridge *b, unsigned window, unsigned batch)
{
	size_t item_bytes = ALIGN_UP(b->item_bytes * batch, sizeof(max_align_t));
	size_t result_bytes = ALIGN_UP(b->result_bytes * batch, sizeof(max_align_t));
	size_t slots_bytes = ALIGN_UP(window * sizeof(struct batch), sizeof(max_align_t));
	struct batch *slots = calloc(1, slots_bytes + window * (item_bytes + result_bytes));

	for (unsigned i = 0; slots && i < window; i++) {
		slots[i].items = (char *)slots + slots_bytes + i * (item_bytes + result_bytes);
		slots[i].results = slots[i].items + item_bytes;
	}
	return slots;
}

int
par_bridge(struct pool *p, enum task_class cls, const struct par_bridge *b, struct stop *stop)
{
	unsigned width = p ? par_width(p) : 1;
	struct bridge br = {.b = b,
		.stop = stop,
		.batch = b->batch ? b->batch : PAR_BRIDGE_BATCH,
		.window = b->window ? b->window : 4 * width,
		.verdict = VERDICT_NONE};
	AUTO(freep) void *memory = NULL;

	lock_assert_none();
	if (b->emit)
		memory = br.slots = make_slots(b, br.window, br.batch);
	else
		memory = malloc(br.batch * b->item_bytes);
	if (!memory)
		return -ENOMEM;
	run_bridge(&br, p, cls, b->emit ? NULL : memory);
	return verdict_value(&br.verdict);
}

int
par_chan_pull(void *source, void *ret_items, unsigned max)
{
	struct par_chan *c = source;
	ssize_t r = chan_recv_many(c->chan, ret_items, max, c->stop, USEC_NEVER);

	return r == -EPIPE ? 0 : (int)r;
}
