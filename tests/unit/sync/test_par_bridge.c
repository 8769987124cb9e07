#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/par_bridge.h"
#include "sync/thread.h"

static struct pool *pool;

static void
make_pool(void)
{
	CHECK_INT(pool_create("test", 3, &pool), 0);
}

static void
remove_pool(void)
{
	pool_destroy(pool);
}

#define N_MAX 20000u

struct flow {
	uint32_t n;              /* items of the source */
	uint32_t at;             /* the next one; only who has the turn */
	_Atomic uint32_t inside; /* next or emit; never two */
	_Atomic uint32_t emitting;
	int end; /* what next returns at the end */
	uint32_t stop_at, emit_stop_at, fire_at;
	struct stop *fire;
	bool uses_pool;
	uint32_t slow; /* every so many items wait a little; 0 none */
	_Atomic uint32_t n_pulled, n_dropped, n_results_dropped;
	_Atomic uint32_t n_done, sum;
	uint32_t n_emitted;
	_Atomic uint8_t seen[N_MAX];
};

static int
nothing(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)add_rlx((_Atomic uint32_t *)ctx, (uint32_t)(hi - lo));
	return 0;
}

static int
flow_next(void *source, void *ret_item)
{
	struct flow *f = source;

	if (add_rlx(&f->inside, 1) != 0)
		abort();
	if (f->uses_pool)
		CHECK_INT(par_for(pool, TASK_QUERY, 20, 1, nothing, &f->sum, NULL), 0);
	(void)sub_rlx(&f->inside, 1);
	if (f->at == f->n) {
		f->n = UINT32_MAX; /* asked again: it would go on */
		return f->end;
	}
	/* Or all might be done before the item that fires. */
	while (f->fire && f->at > f->fire_at + 3000 && !stop_requested(f->fire))
		sched_yield();
	(void)add_rlx(&f->n_pulled, 1);
	*(uint32_t *)ret_item = f->at++;
	return 1;
}

static int
flow_fn(void *item, void *result, unsigned worker, void *ctx)
{
	uint32_t i = *(uint32_t *)item;
	struct flow *f = ctx;

	if (worker >= par_width(pool) || add_rlx(&f->seen[i], 1) != 0)
		abort();
	if (f->slow && i % f->slow == 0)
		sched_yield();
	if (f->fire && i == f->fire_at)
		stop_request(f->fire);
	if (i >= f->stop_at)
		return (int)i + 1;
	if (result)
		*(uint64_t *)result = (uint64_t)i * i;
	(void)add_rlx(&f->n_done, 1);
	return 0;
}

static int
flow_emit(void *result, void *ctx)
{
	struct flow *f = ctx;

	if (add_rlx(&f->emitting, 1) != 0 ||
		*(uint64_t *)result != (uint64_t)f->n_emitted * f->n_emitted)
		abort();
	if (f->n_emitted >= f->emit_stop_at)
		return -ENOSPC;
	f->n_emitted++;
	(void)sub_rlx(&f->emitting, 1);
	return 0;
}

static void
flow_drop(void *item, void *ctx)
{
	struct flow *f = ctx;

	if (add_rlx(&f->seen[*(uint32_t *)item], 1) != 0)
		abort();
	(void)add_rlx(&f->n_dropped, 1);
}

static void
flow_drop_result(void *result, void *ctx)
{
	(void)result;
	(void)add_rlx(&((struct flow *)ctx)->n_results_dropped, 1);
}

static int
run_flow(struct flow *f, bool ordered, unsigned batch, unsigned window)
{
	struct par_bridge b = {.item_bytes = sizeof(uint32_t),
		.next = flow_next,
		.source = f,
		.fn = flow_fn,
		.drop = flow_drop,
		.ctx = f,
		.batch = batch,
		.window = window};

	if (ordered) {
		b.emit = flow_emit;
		b.drop_result = flow_drop_result;
		b.result_bytes = sizeof(uint64_t);
	}
	return par_bridge(pool, TASK_QUERY, &b, f->fire);
}

static struct flow *
make_flow(uint32_t n)
{
	static struct flow f;

	f = (struct flow){.n = n, .stop_at = UINT32_MAX, .emit_stop_at = UINT32_MAX};
	return &f;
}

TEST(par_bridge, each_item_is_worked_on_once, .init = make_pool, .fini = remove_pool)
{
	for (uint32_t n = 0; n < 10000; n += MAX(5000 / (uint32_t)test_scale(50000), 1u)) {
		struct flow *f = make_flow(n);

		f->slow = n % 5;
		CHECK_INT(run_flow(f, false, n % 3 * 5, 0), 0);
		CHECK_INT(f->n_done, n);
		for (uint32_t i = 0; i < n; i++)
			CHECK_INT(f->seen[i], 1);
	}
}

TEST(par_bridge, ordered_output_equals_the_input, .init = make_pool, .fini = remove_pool)
{
	for (uint32_t n = 0; n < 10000; n += MAX(5000 / (uint32_t)test_scale(50000), 1u)) {
		struct flow *f = make_flow(n);

		f->slow = n % 5;
		CHECK_INT(run_flow(f, true, n % 3 * 5, n % 4), 0);
		CHECK_INT(f->n_emitted, n);
	}
}

TEST(par_bridge, a_source_may_use_the_pool, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(2000), 10ul); i++) {
		struct flow *f = make_flow(500);

		f->uses_pool = true;
		f->slow = 2;
		CHECK_INT(run_flow(f, i % 2, 0, 0), 0);
		CHECK_INT(f->n_done, 500);
		CHECK_INT(f->sum, 501 * 20);
	}
}

/* Below the lowest that stopped nothing is left out; every item and result goes somewhere. */
static void
check_stopped(struct flow *f, uint32_t at, bool ordered)
{
	for (uint32_t i = 0; i < at; i++)
		CHECK_INT(f->seen[i], 1);
	CHECK(f->n_done >= at);
	for (uint32_t i = 0; i < f->n_pulled; i++)
		CHECK_INT(f->seen[i], 1);
	if (ordered) {
		CHECK_INT(f->n_emitted, at);
		CHECK(f->n_emitted + f->n_results_dropped >= f->n_done - 1);
	}
}

TEST(par_bridge, the_lowest_stop_decides, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(100000), 50ul); i++) {
		struct flow *f = make_flow(5000);

		f->stop_at = (uint32_t)(i * 7919 % 4000);
		f->slow = i % 7;
		CHECK_INT(run_flow(f, i % 2, 0, 0), (int)f->stop_at + 1);
		check_stopped(f, f->stop_at, i % 2);
	}
}

TEST(par_bridge, a_failing_source_counts_after_its_items, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(50000), 50ul); i++) {
		struct flow *f = make_flow((uint32_t)(i * 7919 % 4000));
		uint32_t n = f->n;

		f->end = -EIO;
		f->slow = i % 7;
		CHECK_INT(run_flow(f, i % 2, 0, 0), -EIO);
		check_stopped(f, n, i % 2);
	}
}

TEST(par_bridge, a_failing_emit_ends_it, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(50000), 50ul); i++) {
		struct flow *f = make_flow(5000);

		f->emit_stop_at = (uint32_t)(i * 7919 % 4000);
		f->slow = i % 7;
		CHECK_INT(run_flow(f, true, 0, i % 5), -ENOSPC);
		check_stopped(f, f->emit_stop_at, true);
	}
}

TEST(par_bridge, a_fired_token_ends_it, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(20000), 50ul); i++) {
		struct flow *f = make_flow(10000);
		struct stop s;

		stop_init(&s, NULL);
		f->fire = &s;
		f->fire_at = (uint32_t)(i * 7919 % 4000);
		f->slow = i % 7;
		CHECK_INT(run_flow(f, i % 2, 0, 0), -ECANCELED);
		CHECK_INT(f->n_done + f->n_dropped, f->n_pulled);
		if (i % 2)
			CHECK_INT(f->n_emitted + f->n_results_dropped, f->n_done);
		stop_fini(&s);
	}
}

TEST(par_bridge, a_closed_pool_leaves_the_work_to_the_caller, .init = make_pool,
	.fini = remove_pool)
{
	struct flow *f = make_flow(1000);

	pool_close(pool);
	f->slow = 1;
	CHECK_INT(run_flow(f, true, 0, 1), 0);
	CHECK_INT(f->n_emitted, 1000);
}

static int
feed(void *arg)
{
	static char items[1000];
	struct chan *c = arg;

	for (size_t i = 0; i < sizeof(items); i++)
		CHECK_INT(chan_send(c, &items[i], NULL), 0);
	chan_close(c);
	return 0;
}

static int
count_pointer(void *item, void *result, unsigned worker, void *ctx)
{
	(void)result;
	(void)worker;
	sched_yield();
	(void)add_rlx((_Atomic uint32_t *)ctx, *(void **)item != NULL);
	return 0;
}

TEST(par_bridge, a_channel_is_a_source, .init = make_pool, .fini = remove_pool)
{
	for (unsigned long i = 0; i < MAX(test_scale(2000), 10ul); i++) {
		struct par_chan source = {.chan = chan_create(16, NULL)};
		_Atomic uint32_t n = 0;
		struct par_bridge b = {.item_bytes = sizeof(void *),
			.pull = par_chan_pull,
			.source = &source,
			.fn = count_pointer,
			.ctx = &n};
		struct thread t;

		CHECK_INT(thread_start(&t, "feed", feed, source.chan), 0);
		CHECK_INT(par_bridge(pool, TASK_INDEX, &b, NULL), 0);
		CHECK_INT(thread_join(&t), 0);
		CHECK_INT(n, 1000);
		chan_destroy(source.chan);
	}
}

TEST(par_bridge, a_pull_takes_what_is_there_and_no_more_than_asked)
{
	struct stop s;
	struct par_chan source = {.chan = chan_create(16, NULL), .stop = &s};
	char sent[7];
	void *got[5];

	stop_init(&s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		CHECK_INT(chan_send(source.chan, &sent[i], NULL), 0);
	CHECK_INT(par_chan_pull(&source, got, 1), 1);
	CHECK(got[0] == &sent[0]);
	CHECK_INT(par_chan_pull(&source, got, 5), 5);
	for (size_t i = 0; i < 5; i++)
		CHECK(got[i] == &sent[i + 1]);
	CHECK_INT(par_chan_pull(&source, got, 5), 1);
	CHECK(got[0] == &sent[6]);
	stop_request(&s);
	CHECK_INT(par_chan_pull(&source, got, 5), -ECANCELED);
	chan_close(source.chan);
	source.stop = NULL;
	CHECK_INT(par_chan_pull(&source, got, 5), 0);
	chan_destroy(source.chan);
	stop_fini(&s);
}

TEST(par_bridge, many_more_threads_than_processors)
{
	CHECK_INT(pool_create("test", 16, &pool), 0);
	for (unsigned long i = 0; i < MAX(test_scale(5000), 10ul); i++) {
		struct flow *f = make_flow(5000);

		f->slow = 1;
		CHECK_INT(run_flow(f, true, i % 4, i % 3 * 10), 0);
		CHECK_INT(f->n_emitted, 5000);
	}
	pool_destroy(pool);
}
