/* The deque: each item is taken once, by its owner or a thief, as it was when it was pushed. */
#include "model.h"

#include "sync/deque.h"
#include "sync/thread.h"

#define N_ITEMS 3u

static struct deque deque;
static uint32_t items[N_ITEMS]; /* 1 when pushed, one more by who takes it */

static void
take(uint32_t *item)
{
	if (item)
		CHECK_MODEL((*item)++ == 1);
}

static int
steal_two(void *arg)
{
	(void)arg;
	take(deque_steal(&deque));
	take(deque_steal(&deque));
	return 0;
}

static int
steal_one(void *arg)
{
	(void)arg;
	take(deque_steal(&deque));
	return 0;
}

static void
push(uint32_t i)
{
	items[i] = 1;
	CHECK_MODEL(deque_push(&deque, &items[i]) == 0);
}

static void
check_all_taken(void)
{
	uint32_t *item;

	while ((item = deque_pop(&deque)))
		take(item);
	for (uint32_t i = 0; i < N_ITEMS; i++)
		CHECK_MODEL(items[i] == 2);
	deque_fini(&deque);
}

static void
two_thieves_with(size_t n_public)
{
	struct thread t[2];

	CHECK_MODEL(deque_init(&deque, 2, 64, n_public) == 0);
	CHECK_MODEL(thread_start(&t[0], "thief", steal_two, NULL) == 0);
	CHECK_MODEL(thread_start(&t[1], "other thief", steal_two, NULL) == 0);
	push(0);
	push(1);
	take(deque_pop(&deque));
	push(2);
	take(deque_pop(&deque));
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	check_all_taken();
}

static void
two_thieves(void)
{
	two_thieves_with(SIZE_MAX);
}

static void
two_thieves_private(void)
{
	two_thieves_with(1);
}

/* The last item, for which owner and thief race. */
static void
last_item(void)
{
	struct thread t;

	CHECK_MODEL(deque_init(&deque, 2, 64, SIZE_MAX) == 0);
	items[2] = 2;
	push(0);
	push(1);
	CHECK_MODEL(thread_start(&t, "thief", steal_two, NULL) == 0);
	take(deque_pop(&deque));
	take(deque_pop(&deque));
	(void)thread_join(&t);
	check_all_taken();
}

/* A third item makes the ring grow while a thief reads it. */
static void
growing(void)
{
	struct thread t[2];

	CHECK_MODEL(deque_init(&deque, 2, 64, SIZE_MAX) == 0);
	CHECK_MODEL(thread_start(&t[0], "thief", steal_one, NULL) == 0);
	CHECK_MODEL(thread_start(&t[1], "other thief", steal_one, NULL) == 0);
	push(0);
	push(1);
	push(2);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	check_all_taken();
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 3, \
	.weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "last_item", .body = last_item, .preempt = MODEL_ALL, .stale = 2},
	{.name = "growing", .body = growing, .preempt = 3, .preempt_long = 5},
	{.name = "two_thieves", .body = two_thieves, .preempt = 3, .preempt_long = 4},
	{.name = "two_thieves_private",
		.body = two_thieves_private,
		.preempt = 3,
		.preempt_long = 4},
	{WEAKENED(last_item, "deque_pop_public", "bottom", acq_rel), .fails = "data race"},
	{WEAKENED(last_item, "deque_pop_public", "top", acquire), .fails = "data race"},
	{WEAKENED(last_item, "deque_steal_at", "bottom", acquire), .fails = "data race"},
	{WEAKENED(two_thieves, "deque_steal_at", "bottom", relaxed),
		.fails = "Segmentation fault"}, /* the slot is read before it was written */
	{WEAKENED(growing, "deque_steal_at", "ring", relaxed), .fails = "data race"},
	{WEAKENED(growing, "grow", "ring", relaxed), .fails = "data race"},
	{WEAKENED(two_thieves, "deque_publish", "bottom", relaxed), .fails = "data race"},
};

MODEL_MAIN(models)
