#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/stop.h"
#include "sync/thread.h"

static void
count_wake(void *arg)
{
	(void)add_rlx((_Atomic unsigned *)arg, 1);
}

TEST(stop, a_token_fires_once_and_stays_fired)
{
	_Atomic unsigned n = 0;
	struct stop_waiter w = {.wake = count_wake, .arg = &n};
	struct stop s;

	stop_init(&s, NULL);
	CHECK(!stop_requested(&s));
	CHECK(!stop_requested(NULL));
	stop_add(&s, &w);
	stop_request(&s);
	stop_request(&s);
	CHECK(stop_requested(&s));
	CHECK_INT(n, 1);
	stop_remove(&s, &w);
	stop_fini(&s);
}

TEST(stop, a_waiter_added_too_late_is_woken_at_once)
{
	_Atomic unsigned n = 0;
	struct stop_waiter w = {.wake = count_wake, .arg = &n};
	struct stop s;

	stop_init(&s, NULL);
	stop_request(&s);
	stop_add(&s, &w);
	CHECK_INT(n, 1);
	stop_remove(&s, &w);
	stop_fini(&s);
}

TEST(stop, a_removed_waiter_is_not_woken)
{
	_Atomic unsigned n = 0;
	struct stop_waiter w = {.wake = count_wake, .arg = &n};
	struct stop s;

	stop_init(&s, NULL);
	stop_add(&s, &w);
	stop_remove(&s, &w);
	stop_request(&s);
	CHECK_INT(n, 0);
	stop_add(NULL, &w);
	stop_remove(NULL, &w);
	stop_fini(&s);
}

TEST(stop, a_child_fires_with_its_parent_and_not_the_other_way)
{
	_Atomic unsigned n = 0;
	struct stop_waiter w = {.wake = count_wake, .arg = &n};
	struct stop parent, a, b, late;

	stop_init(&parent, NULL);
	stop_init(&a, &parent);
	stop_init(&b, &a);
	stop_add(&b, &w);
	stop_request(&b);
	CHECK(!stop_requested(&a) && !stop_requested(&parent));
	stop_request(&parent);
	CHECK(stop_requested(&a) && stop_requested(&b));
	stop_init(&late, &parent);
	CHECK(stop_requested(&late));
	CHECK_INT(n, 1);
	stop_fini(&late);
	stop_fini(&b);
	stop_fini(&a);
	stop_fini(&parent);
}

struct slow_wake {
	struct stop stop;
	struct lock lock; /* of a lower rank than the token's */
	_Atomic unsigned entered, left;
};

static void
wake_slowly(void *arg)
{
	struct slow_wake *s = arg;

	store_rel(&s->entered, 1);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	LOCK_SCOPE(&s->lock);
	store_rel(&s->left, 1);
}

static int
request(void *arg)
{
	stop_request(arg);
	return 0;
}

TEST(stop, remove_waits_for_a_wake_that_is_running)
{
	struct slow_wake s = {.lock = LOCK_INITIALIZER(RANK_WALK, "walk")};
	struct stop_waiter w = {.wake = wake_slowly, .arg = &s};
	struct thread t;

	stop_init(&s.stop, NULL);
	stop_add(&s.stop, &w);
	CHECK_INT(thread_start(&t, "request", request, &s.stop), 0);
	while (!load_acq(&s.entered))
		sched_yield();
	stop_remove(&s.stop, &w);
	CHECK_INT(load_acq(&s.left), 1);
	(void)thread_join(&t);
	stop_fini(&s.stop);
}

/* Children come and go, and waiters with them, while the parent fires. A use after free is found by
 * the sanitizers; an unwoken waiter by the count. */
static int
come_and_go(void *arg)
{
	struct stop *parent = arg;

	while (!stop_requested(parent)) {
		_Atomic unsigned n = 0;
		struct stop_waiter w = {.wake = count_wake, .arg = &n};
		struct stop *child = malloc(sizeof(*child));
		bool fired;

		stop_init(child, parent);
		stop_add(child, &w);
		fired = stop_requested(child);
		stop_remove(child, &w);
		if (fired && load_rlx(&n) > 1)
			return 1;
		stop_fini(child);
		free(child);
		/* With fewer CPUs than threads the one that fires gets its turn now, not when our
		 * time slice ends: nearly all of the rounds' time. */
		sched_yield();
	}
	return 0;
}

TEST(stop, children_come_and_go_while_the_parent_fires)
{
	for (unsigned long i = 0; i < test_scale(50000); i++) {
		struct thread t[2];
		struct stop parent;

		stop_init(&parent, NULL);
		for (size_t k = 0; k < ARRAY_LEN(t); k++)
			CHECK_INT(thread_start(&t[k], "child", come_and_go, &parent), 0);
		for (unsigned long k = 0; k < i % 16; k++)
			sched_yield();
		stop_request(&parent);
		for (size_t k = 0; k < ARRAY_LEN(t); k++)
			CHECK_INT(thread_join(&t[k]), 0);
		stop_fini(&parent);
	}
}

struct holding {
	unsigned n;
	int result;
};

static int
hold(void *ctx, struct stop *s)
{
	struct holding *h = ctx;

	CHECK(!stop_requested(s));
	h->n++;
	return h->result;
}

TEST(stop, work_is_held_up_where_it_passes_until_the_token_fires)
{
	struct holding h = {0};
	struct stop parent, child;

	CHECK_INT(stop_pass(NULL), 0);
	stop_init(&parent, NULL);
	CHECK_INT(stop_pass(&parent), 0);
	stop_set_hold(&parent, hold, &h);
	stop_init(&child, &parent);
	CHECK_INT(stop_pass(&child), 0); /* by what its parent has */
	CHECK_INT(h.n, 1);
	CHECK(!stop_requested(&child)); /* who only asks is not held */
	CHECK_INT(h.n, 1);
	h.result = -ETIMEDOUT;
	CHECK_INT(stop_pass(&parent), -ETIMEDOUT);
	stop_request(&parent);
	CHECK_INT(stop_pass(&child), -ECANCELED);
	CHECK_INT(h.n, 2);
	stop_fini(&child);
	stop_fini(&parent);
}
