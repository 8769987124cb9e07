/* Futures and stop tokens: who waits gets the result, a continuation runs once, and who was told to
 * stop is told before his memory goes. */
#include "model.h"

#include <errno.h>
#include <string.h>

#include "sync/future.h"
#include "sync/thread.h"

static struct future *future;
static uint32_t made, n_continued;
static struct stop stop, child;

/* Of malloc, and freed by who waits: future_set() must not touch it afterwards. */
static void
begin(void)
{
	future = malloc(sizeof(*future));
	future_init(future);
}

static int
set(void *arg)
{
	(void)arg;
	made = 7;
	future_set(future, future_cancelled(future) ? -ECANCELED : 1, &made);
	return 0;
}

static int
wait_for_it(void *arg)
{
	void *p;
	int value;

	(void)arg;
	CHECK_MODEL(future_wait(future, NULL, &value, &p) == 0);
	CHECK_MODEL(value == 1 && *(uint32_t *)p == 7);
	return 0;
}

static void
waited(void)
{
	struct thread t;

	begin();
	CHECK_MODEL(thread_start(&t, "producer", set, NULL) == 0);
	(void)wait_for_it(NULL);
	free(future);
	(void)thread_join(&t);
}

static void
two_wait(void)
{
	struct thread t[2];

	begin();
	CHECK_MODEL(thread_start(&t[0], "producer", set, NULL) == 0);
	CHECK_MODEL(thread_start(&t[1], "waiter", wait_for_it, NULL) == 0);
	(void)wait_for_it(NULL);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	free(future);
}

/* Frees the future: set and then have both had their last look at it. */
static void
go_on(struct future *f, void *arg)
{
	CHECK_MODEL(f == future && *(uint32_t *)f->ptr == 7);
	++*(uint32_t *)arg;
	free(f);
}

static void
then(void)
{
	struct thread t;

	begin();
	CHECK_MODEL(thread_start(&t, "producer", set, NULL) == 0);
	future_then(future, NULL, go_on, &n_continued);
	(void)thread_join(&t);
	CHECK_MODEL(n_continued == 1);
}

static void
then_on_a_loop(void)
{
	struct chan *loop = chan_create(1, NULL);
	struct thread t;
	void *f;

	begin();
	CHECK_MODEL(thread_start(&t, "producer", set, NULL) == 0);
	future_then(future, loop, go_on, &n_continued);
	CHECK_MODEL(chan_recv(loop, &f, NULL) == 0);
	future_run(f);
	CHECK_MODEL(n_continued == 1 && chan_try_recv(loop, &f) == -EAGAIN);
	(void)thread_join(&t);
	chan_destroy(loop);
}

/* Whoever heeds the wish sees what was written before it. */
static uint32_t wish;

static int
set_or_heed(void *arg)
{
	(void)arg;
	if (future_cancelled(future)) {
		CHECK_MODEL(wish == 5);
		future_set(future, -ECANCELED, NULL);
	} else {
		future_set(future, 1, NULL);
	}
	return 0;
}

static void
cancelled(void)
{
	struct thread t;
	int value;

	begin();
	CHECK_MODEL(thread_start(&t, "producer", set_or_heed, NULL) == 0);
	wish = 5;
	future_cancel(future);
	CHECK_MODEL(future_wait(future, NULL, &value, NULL) == 0);
	CHECK_MODEL(value == 1 || value == -ECANCELED);
	free(future);
	(void)thread_join(&t);
}

/* A wait ends because of the token, the deadline or the result; the producer still has it. */
static int
wait_with_token(void *arg)
{
	int r = future_wait_until(future, &stop, arg ? clock_mono() + 5 : USEC_NEVER, NULL, NULL);

	CHECK_MODEL(r == 0 || r == -ECANCELED || (arg && r == -ETIMEDOUT));
	return 0;
}

static void
token_ends_wait_with(void *arg)
{
	struct thread t[2];

	begin();
	stop_init(&stop, NULL);
	CHECK_MODEL(thread_start(&t[0], "waiter", wait_with_token, arg) == 0);
	if (arg)
		CHECK_MODEL(thread_start(&t[1], "producer", set, NULL) == 0);
	else
		stop_request(&stop);
	(void)thread_join(&t[0]);
	if (arg)
		(void)thread_join(&t[1]);
	stop_fini(&stop);
	free(future);
}

static void
token_ends_wait(void)
{
	token_ends_wait_with(NULL);
}

static void
deadline_ends_wait(void)
{
	token_ends_wait_with(&made);
}

/* A waiter of a token lives on its thread's stack; here, of malloc. */
struct told {
	struct stop_waiter waiter;
	uint32_t n;
};

static void
tell(void *arg)
{
	((struct told *)arg)->n++;
}

static int
add_and_remove(void *arg)
{
	struct told *w = malloc(sizeof(*w));

	(void)arg;
	*w = (struct told){.waiter = {.wake = tell, .arg = w}};
	stop_add(&stop, &w->waiter);
	stop_remove(&stop, &w->waiter);
	CHECK_MODEL(w->n <= 1);
	if (stop_requested(&stop))
		CHECK_MODEL(made == 3);
	free(w);
	return 0;
}

static int
request(void *arg)
{
	made = 3;
	stop_request(arg);
	return 0;
}

static void
request_meets_remove(void)
{
	struct thread t[2];

	stop_init(&stop, NULL);
	CHECK_MODEL(thread_start(&t[0], "request", request, &stop) == 0);
	CHECK_MODEL(thread_start(&t[1], "waiter", add_and_remove, NULL) == 0);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	stop_fini(&stop);
}

/* A child is made and ended while its parent fires: it fires too, or it is gone before. */
static int
have_child(void *arg)
{
	(void)arg;
	stop_init(&child, &stop);
	if (stop_requested(&child))
		CHECK_MODEL(stop_requested(&stop));
	stop_fini(&child);
	memset(&child, 0xa5, sizeof(child));
	return 0;
}

static void
request_meets_child(void)
{
	struct thread t[2];

	stop_init(&stop, NULL);
	CHECK_MODEL(thread_start(&t[0], "request", request, &stop) == 0);
	CHECK_MODEL(thread_start(&t[1], "child", have_child, NULL) == 0);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	stop_fini(&stop);
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 2, \
	.stale = 2, .weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "waited", .body = waited, .preempt = 5, .preempt_long = 7, .n_spurious = 1},
	{.name = "two_wait", .body = two_wait, .preempt = 4, .preempt_long = 5},
	{.name = "then", .body = then, .preempt = 5, .preempt_long = 7},
	{.name = "then_on_a_loop", .body = then_on_a_loop, .preempt = 3, .preempt_long = 4},
	{.name = "cancelled", .body = cancelled, .preempt = 4, .preempt_long = 6},
	{.name = "token_ends_wait", .body = token_ends_wait, .preempt = 3, .preempt_long = 4},
	{.name = "deadline_ends_wait", .body = deadline_ends_wait, .preempt = 3, .preempt_long = 4},
	{.name = "request_meets_remove",
		.body = request_meets_remove,
		.preempt = 3,
		.preempt_long = 4},
	{.name = "request_meets_child",
		.body = request_meets_child,
		.preempt = 3,
		.preempt_long = 4},
	{WEAKENED(waited, "future_set", "state", relaxed), .fails = "data race"},
	{WEAKENED(waited, "sleep_until_set", "state", relaxed), .fails = "data race"},
	{WEAKENED(waited, "future_is_set", "state", relaxed), .fails = "data race"},
	{WEAKENED(then, "future_then", "state", relaxed), .fails = "data race"},
	{WEAKENED(cancelled, "future_cancel", "state", relaxed), .fails = "data race"},
	{WEAKENED(cancelled, "future_cancelled", "state", relaxed), .fails = "data race"},
	{WEAKENED(request_meets_remove, "stop_request", "fired", relaxed), .fails = "data race"},
	{WEAKENED(request_meets_remove, "stop_requested", "fired", relaxed), .fails = "data race"},
};

MODEL_MAIN(models)
