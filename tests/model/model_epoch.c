/* The epoch: nothing is freed while a pinned reader can see it. */
#include "model.h"

#include "sync/epoch.h"
#include "sync/thread.h"

struct object {
	struct epoch_item item;
	uint32_t value;
};

static _Atomic(struct object *) current;

static void
free_object(struct epoch_item *item)
{
	free(CONTAINER_OF(item, struct object, item));
}

static struct object *
create(uint32_t value)
{
	struct object *o = malloc(sizeof(*o));

	o->value = value;
	return o;
}

static int
read_current(void *arg)
{
	struct object *o;

	(void)arg;
	epoch_pin();
	o = load_sc(&current);
	CHECK_MODEL(o->value >= 1 && o->value <= 3);
	epoch_unpin();
	return 0;
}

static int
read_twice(void *arg)
{
	(void)read_current(arg);
	return read_current(arg);
}

static void
replace(uint32_t value)
{
	struct object *old = swap_sc(&current, create(value));

	epoch_defer(&old->item, free_object);
}

static void
run_readers(enum epoch_mode mode, int (*fn)(void *), unsigned n)
{
	struct thread t[2];

	CHECK_MODEL(epoch_set_mode(mode) == 0);
	store_sc(&current, create(1));
	for (unsigned i = 0; i < n; i++)
		CHECK_MODEL(thread_start(&t[i], i ? "reader 2" : "reader 1", fn, NULL) == 0);
	replace(2);
	(void)epoch_flush();
	(void)epoch_flush();
	(void)epoch_flush();
	for (unsigned i = 0; i < n; i++)
		(void)thread_join(&t[i]);
	for (int i = 0; i < 4; i++)
		(void)epoch_flush();
	CHECK_MODEL(epoch_flush() == 0);
	free(load_sc(&current));
}

static void
one_reader(void)
{
	run_readers(EPOCH_FENCED, read_twice, 1);
}

static void
one_light_reader(void)
{
	run_readers(EPOCH_MEMBARRIER, read_twice, 1);
}

static void
two_light_readers(void)
{
	run_readers(EPOCH_MEMBARRIER, read_current, 2);
}

static void
two_readers(void)
{
	run_readers(EPOCH_FENCED, read_current, 2);
}

#define WEAKENED(func_, expr_, order_, fails_)                                          \
	{                                                                               \
		.name = "one_reader, " func_ " " expr_ " " #order_, .body = one_reader, \
		.preempt = 2, .stale = 4, .keeps = true,                                \
		.weaken = {{func_, expr_, memory_order_##order_}}, .fails = fails_      \
	}

static const struct model models[] = {
	{.name = "one_reader", .body = one_reader, .preempt = 3, .preempt_long = 5, .keeps = true},
	{.name = "two_readers",
		.body = two_readers,
		.preempt = 2,
		.preempt_long = 3,
		.keeps = true},
	{.name = "one_light_reader",
		.body = one_light_reader,
		.preempt = 3,
		.preempt_long = 5,
		.keeps = true,
		.membarrier = true},
	{.name = "two_light_readers",
		.body = two_light_readers,
		.preempt = 2,
		.preempt_long = 3,
		.keeps = true,
		.membarrier = true},
	{.name = "one_light_reader, no barrier",
		.body = one_light_reader,
		.preempt = 2,
		.stale = 4,
		.keeps = true,
		.membarrier = true,
		.weaken = {{"membarrier_all", "every_thread", memory_order_relaxed}},
		.fails = "data race"},
	WEAKENED("announce", "word", relaxed, "data race"),
	WEAKENED("epoch_unpin", "word", relaxed, "race"),
};

MODEL_MAIN(models)
