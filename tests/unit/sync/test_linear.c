/* Histories of the rings, the deque and the channels under real threads, held against what a queue
 * may do (linear.h). Many small ones: four calls of each of three threads, then all look. */
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "sync/barrier.h"
#include "sync/chan.h"
#include "sync/deque.h"
#include "sync/ring_mpmc.h"
#include "sync/ring_spsc.h"
#include "sync/thread.h"

#include "linear.h"

#define N_THREADS 3u
#define OPS_EACH (LINEAR_MAX_OPS / N_THREADS)

/* One kind of object under test. */
struct subject {
	struct linear_spec spec;
	void *(*create)(void);
	void (*destroy)(void *object);
	/* What thread t calls as its ith: fills kind, item (of a put), makes the call between
	 * begin() and end(). */
	void (*call)(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op);
};

static struct round {
	const struct subject *subject;
	void *object;
	struct barrier start, end;
	/* One clock: a call that ended before another began has the lower number. seq_cst, which
	 * also keeps the calls between their two numbers. */
	_Atomic uint64_t clock;
	struct linear_op ops[N_THREADS][OPS_EACH];
	bool over; /* between end and start */
} game;

static void
begin(struct linear_op *op)
{
	op->from = add_sc(&game.clock, 1);
}

static void
end(struct linear_op *op, long r)
{
	op->till = add_sc(&game.clock, 1);
	op->result = r < 0 ? (int)r : 0;
}

static uint32_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

/* Items are different and not 0, also those of two threads. */
static uint32_t
item_of(unsigned t, unsigned i)
{
	return 1 + t * OPS_EACH + i;
}

static int
player(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg;
	uint64_t state = 0x9e3779b97f4a7c15ull * (t + 1);

	for (;;) {
		(void)barrier_wait(&game.start);
		if (game.over)
			return 0;
		for (unsigned i = 0; i < OPS_EACH; i++) {
			struct linear_op *op = &game.ops[t][i];

			*op = (struct linear_op){.thread = t, .item = item_of(t, i)};
			for (uint32_t pauses = draw(&state) % 64; pauses > 0; pauses--)
				cpu_pause();
			game.subject->call(game.object, t, i, draw(&state), op);
		}
		(void)barrier_wait(&game.end);
	}
}

/* How many histories until one was not linearizable; n when all were. */
static unsigned long
play(const struct subject *subject, unsigned long n)
{
	struct thread threads[N_THREADS];
	unsigned long i;
	bool ok = true;

	memset(&game, 0, sizeof(game));
	game.subject = subject;
	barrier_init(&game.start, N_THREADS + 1);
	barrier_init(&game.end, N_THREADS + 1);
	for (unsigned t = 0; t < N_THREADS; t++)
		CHECK_INT(thread_start(&threads[t], "player", player, (void *)(uintptr_t)t), 0);
	for (i = 0; i < n && ok; i++) {
		game.object = subject->create();
		(void)barrier_wait(&game.start);
		(void)barrier_wait(&game.end);
		ok = linear_check(&subject->spec, game.ops[0], N_THREADS * OPS_EACH);
		subject->destroy(game.object);
	}
	game.over = true;
	(void)barrier_wait(&game.start);
	for (unsigned t = 0; t < N_THREADS; t++)
		(void)thread_join(&threads[t]);
	return ok ? n : i - 1;
}

static void
check_linear(const struct subject *subject)
{
	unsigned long n = test_scale(500000);
	static char text[4096];

	if (play(subject, n) == n)
		return;
	linear_describe(game.ops[0], N_THREADS * OPS_EACH, text, sizeof(text));
	CHECK_SAY(false, "not linearizable:\n%s", text);
}

static void *
pointer(uint32_t item)
{
	return (void *)(uintptr_t)item;
}

static void
note_item(struct linear_op *op, void *item)
{
	op->item = op->result == 0 ? (uint32_t)(uintptr_t)item : 0;
}

/* ring_mpmc: any thread does anything, one closes now and then. */

static void *
create_mpmc(void)
{
	struct ring_mpmc *r = aligned_alloc(CACHELINE, sizeof(*r));

	CHECK(r && ring_mpmc_init(r, 2, 0) == 0);
	return r;
}

static void
destroy_mpmc(void *object)
{
	ring_mpmc_fini(object);
	free(object);
}

static void
put_mpmc(struct ring_mpmc *r, struct linear_op *op)
{
	void *item = pointer(op->item);

	op->kind = LINEAR_PUT;
	begin(op);
	end(op, ring_mpmc_send(r, &item, 1));
}

static void
take_mpmc(struct ring_mpmc *r, struct linear_op *op)
{
	void *item = NULL;

	op->kind = LINEAR_TAKE;
	begin(op);
	end(op, ring_mpmc_recv(r, &item, 1));
	note_item(op, item);
}

static void
call_mpmc(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op)
{
	if (t == 0 && i == OPS_EACH - 1 && dice % 4 == 0) {
		op->kind = LINEAR_CLOSE;
		begin(op);
		(void)ring_mpmc_close(object);
		end(op, 0);
	} else if (dice % 2 == 0) {
		put_mpmc(object, op);
	} else {
		take_mpmc(object, op);
	}
}

TEST(linear, the_ring_of_many_is_a_queue)
{
	check_linear(&(struct subject){{.cap = 2}, create_mpmc, destroy_mpmc, call_mpmc});
}

/* ring_spsc: one sends, one receives, the third closes late. */

static void *
create_spsc(void)
{
	struct ring_spsc *r = aligned_alloc(CACHELINE, sizeof(*r));

	CHECK(r && ring_spsc_init(r, 2) == 0);
	return r;
}

static void
destroy_spsc(void *object)
{
	ring_spsc_fini(object);
	free(object);
}

static void
call_spsc(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op)
{
	static const enum linear_kind kinds[] = {LINEAR_PUT, LINEAR_TAKE, LINEAR_CLOSE};
	void *item = pointer(op->item);

	op->kind = kinds[t];
	begin(op);
	if (t == 0) {
		end(op, ring_spsc_send(object, &item, 1));
	} else if (t == 1) {
		end(op, ring_spsc_recv(object, &item, 1));
		note_item(op, item);
	} else {
		if (i < OPS_EACH - 1 || dice % 2 == 0)
			op->kind = LINEAR_NOTHING;
		else
			(void)ring_spsc_close(object);
		end(op, 0);
	}
}

TEST(linear, the_ring_of_two_is_a_queue_that_never_lies)
{
	check_linear(&(struct subject){
		{.cap = 2, .strict = true}, create_spsc, destroy_spsc, call_spsc});
}

/* The deque: thread 0 owns it, the others steal. It grows at the third item. */

static void *
create_deque(void)
{
	struct deque *d = aligned_alloc(CACHELINE, sizeof(*d));

	CHECK(d && deque_init(d, 2, 64, SIZE_MAX) == 0);
	return d;
}

static void
destroy_deque(void *object)
{
	deque_fini(object);
	free(object);
}

static void
call_deque(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op)
{
	void *item;

	op->kind = t > 0 ? LINEAR_TAKE : i == 0 || dice % 2 == 0 ? LINEAR_PUT : LINEAR_TAKE_BACK;
	begin(op);
	if (op->kind == LINEAR_PUT) {
		end(op, deque_push(object, pointer(op->item)));
		return;
	}
	item = t > 0 ? deque_steal(object) : deque_pop(object);
	end(op, item ? 0 : -EAGAIN);
	note_item(op, item);
}

TEST(linear, the_deque_is_a_deque)
{
	check_linear(&(struct subject){{.cap = SIZE_MAX}, create_deque, destroy_deque, call_deque});
}

/* Channels: one sends and closes, so that those who sleep in a receive come back. */

static void *
create_chan_bounded(void)
{
	struct chan *c = chan_create(2, NULL);

	CHECK(c);
	return c;
}

static void *
create_chan_unbounded(void)
{
	struct chan *c = chan_create(CHAN_UNBOUNDED, NULL);

	CHECK(c);
	return c;
}

static void
destroy_chan(void *object)
{
	chan_destroy(object);
}

static void
send_or_close(struct chan *c, unsigned i, struct linear_op *op)
{
	op->kind = i < OPS_EACH - 1 ? LINEAR_PUT : LINEAR_CLOSE;
	begin(op);
	if (op->kind == LINEAR_CLOSE) {
		chan_close(c);
		end(op, 0);
	} else if (i < 2) {
		end(op, chan_send(c, pointer(op->item), NULL));
	} else {
		end(op, chan_try_send(c, pointer(op->item))); /* nobody may be left to receive */
	}
}

static void
call_chan(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op)
{
	void *item = NULL;

	if (t == 0) {
		send_or_close(object, i, op);
		return;
	}
	op->kind = LINEAR_TAKE;
	begin(op);
	if (dice % 2 == 0)
		end(op, chan_recv(object, &item, NULL));
	else
		end(op, chan_try_recv(object, &item));
	note_item(op, item);
}

TEST(linear, the_bounded_channel_is_a_queue)
{
	check_linear(&(struct subject){{.cap = 2}, create_chan_bounded, destroy_chan, call_chan});
}

TEST(linear, the_unbounded_channel_is_a_queue_that_never_lies)
{
	check_linear(&(struct subject){
		{.cap = SIZE_MAX, .strict = true}, create_chan_unbounded, destroy_chan, call_chan});
}

/* Not a queue: two of them, each linearizable, the receiver looks into the first one first. What
 * one thread sent to the second before another sent to the first comes out behind it. */

static void *
create_shards(void)
{
	struct ring_mpmc *r = aligned_alloc(CACHELINE, 2 * sizeof(*r));

	CHECK(r && ring_mpmc_init(&r[0], 8, 0) == 0 && ring_mpmc_init(&r[1], 8, 0) == 0);
	return r;
}

static void
destroy_shards(void *object)
{
	struct ring_mpmc *r = object;

	ring_mpmc_fini(&r[0]);
	ring_mpmc_fini(&r[1]);
	free(r);
}

static void
call_shards(void *object, unsigned t, unsigned i, uint32_t dice, struct linear_op *op)
{
	struct ring_mpmc *r = object;
	void *item = NULL;
	ssize_t got;

	(void)i;
	if (dice % 2 == 0) {
		put_mpmc(&r[t % 2], op);
		return;
	}
	op->kind = LINEAR_TAKE;
	begin(op);
	got = ring_mpmc_recv(&r[0], &item, 1);
	if (got < 0)
		got = ring_mpmc_recv(&r[1], &item, 1);
	end(op, got);
	note_item(op, item);
}

TEST(linear, two_queues_are_not_one)
{
	unsigned long n = 100000;

	CHECK(play(&(struct subject){{.cap = SIZE_MAX}, create_shards, destroy_shards, call_shards},
		      n) < n);
}

/* The checker, on histories made by hand: {kind, item, result, from, till}. */

static bool
judge(size_t cap, bool strict, const struct linear_op *ops, unsigned n)
{
	struct linear_spec spec = {.cap = cap, .strict = strict};

	return linear_check(&spec, ops, n);
}

TEST(linear, calls_that_overlap_may_come_in_any_order)
{
	const struct linear_op ops[] = {
		{LINEAR_PUT, 1, 0, 1, 6, 0},
		{LINEAR_PUT, 2, 0, 2, 5, 1},
		{LINEAR_TAKE, 2, 0, 3, 7, 2},
		{LINEAR_TAKE, 1, 0, 8, 9, 2},
	};

	CHECK(judge(2, true, ops, 4));
}

TEST(linear, one_after_the_other_must_stay_so)
{
	const struct linear_op ops[] = {
		{LINEAR_PUT, 1, 0, 1, 2, 0},
		{LINEAR_PUT, 2, 0, 3, 4, 1},
		{LINEAR_TAKE, 2, 0, 5, 6, 2},
	};

	CHECK(!judge(2, false, ops, 3));
	CHECK(judge(2, false, ops, 2));
}

TEST(linear, nothing_comes_out_twice_or_out_of_nothing)
{
	const struct linear_op twice[] = {
		{LINEAR_PUT, 1, 0, 1, 2, 0},
		{LINEAR_TAKE, 1, 0, 3, 6, 1},
		{LINEAR_TAKE, 1, 0, 4, 5, 2},
	};
	const struct linear_op early[] = {
		{LINEAR_TAKE, 1, 0, 1, 2, 1},
		{LINEAR_PUT, 1, 0, 3, 4, 0},
	};

	CHECK(!judge(2, false, twice, 3));
	CHECK(!judge(2, false, early, 2));
}

TEST(linear, a_queue_may_say_empty_only_when_it_is)
{
	struct linear_op ops[] = {
		{LINEAR_PUT, 1, 0, 1, 2, 0},
		{LINEAR_TAKE, 0, -EAGAIN, 3, 4, 1},
		{LINEAR_PUT, 2, 0, 5, 6, 2},
	};

	CHECK(!judge(2, false, ops, 3));
	ops[2].from = 3; /* now it overlaps the take: a peer half way, unless strict */
	ops[1].till = 5;
	CHECK(judge(2, false, ops, 3));
	CHECK(!judge(2, true, ops, 3));
}

TEST(linear, closed_means_closed_and_drained)
{
	const struct linear_op ops[] = {
		{LINEAR_PUT, 1, 0, 1, 2, 0},
		{LINEAR_CLOSE, 0, 0, 3, 4, 0},
		{LINEAR_TAKE, 0, -EPIPE, 5, 6, 1},
	};
	const struct linear_op late[] = {
		{LINEAR_CLOSE, 0, 0, 1, 2, 0},
		{LINEAR_PUT, 1, 0, 3, 4, 1},
	};

	CHECK(!judge(2, false, ops, 3));
	CHECK(judge(2, false, ops, 2));
	CHECK(!judge(2, false, late, 2));
}
