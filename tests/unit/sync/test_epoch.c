#include "test.h"

#include <errno.h>
#include <string.h>

#include "sync/epoch.h"
#include "sync/park.h"
#include "sync/thread.h"

#define MAGIC 0x600d600du
#define POISON 0xdead0badu

static _Atomic bool out_of_memory;

/* Takes the place of the library's: the only allocation that the epoch makes. */
void *
aligned_alloc(size_t alignment, size_t n)
{
	void *p = NULL;

	if (load_acq(&out_of_memory) || posix_memalign(&p, alignment, n) != 0)
		return NULL;
	return p;
}

struct object {
	struct epoch_item item;
	uint32_t magic;
};

static _Atomic long n_alive;

static struct object *
object_create(void)
{
	struct object *o = malloc(sizeof(*o));

	*o = (struct object){.magic = MAGIC};
	(void)add_rlx(&n_alive, 1);
	return o;
}

static void
object_free(struct epoch_item *item)
{
	struct object *o = CONTAINER_OF(item, struct object, item);

	o->magic = POISON;
	free(o);
	(void)sub_rlx(&n_alive, 1);
}

static void
say(_Atomic uint32_t *word)
{
	store_rel(word, 1);
	park_wake(word, UINT32_MAX);
}

static void
await(_Atomic uint32_t *word)
{
	while (!load_acq(word))
		(void)park_wait(word, 0, USEC_NEVER);
}

/* Nobody is pinned, so every item's time comes. */
static void
drain(void)
{
	while (epoch_flush() > 0)
		;
}

struct visit {
	_Atomic uint32_t inside, leave;
};

static int
stay_pinned(void *arg)
{
	struct visit *v = arg;

	(void)pthread_setname_np(pthread_self(), "sleeper");
	epoch_pin();
	epoch_pin();
	epoch_unpin(); /* an inner pin's end ends nothing */
	say(&v->inside);
	await(&v->leave);
	epoch_unpin();
	return 0;
}

TEST(epoch, an_item_waits_for_the_reader_that_was_pinned_before)
{
	struct visit v = {0};
	struct thread t;

	CHECK_INT(thread_start(&t, "", stay_pinned, &v), 0);
	await(&v.inside);
	epoch_defer(&object_create()->item, object_free);
	for (int i = 0; i < 10; i++)
		CHECK_INT(epoch_flush(), 1);
	CHECK_INT(n_alive, 1);
	say(&v.leave);
	(void)thread_join(&t);
	CHECK_INT(epoch_flush(), 0);
	CHECK_INT(n_alive, 0);
}

TEST(epoch, a_stalled_reader_is_named_with_its_time)
{
	usec_t before = clock_mono();
	struct epoch_stats st;
	struct visit v = {0};
	struct thread t;

	CHECK_INT(thread_start(&t, "", stay_pinned, &v), 0);
	await(&v.inside);
	epoch_get_stats(&st);
	CHECK_INT(st.stalled_tid, 0);
	CHECK_INT(st.n_pinned, 1);
	epoch_defer(&object_create()->item, object_free);
	(void)epoch_flush();
	epoch_get_stats(&st);
	CHECK(st.stalled_tid > 0);
	CHECK_STR(st.stalled_name, "sleeper");
	CHECK(st.stalled_since >= before && st.stalled_since <= clock_mono());
	CHECK_INT(st.n_deferred - st.n_freed, 1);
	say(&v.leave);
	(void)thread_join(&t);
	drain();
	epoch_get_stats(&st);
	CHECK_INT(st.stalled_tid, 0);
	CHECK_INT(st.n_pinned, 0);
	CHECK_INT(st.n_deferred - st.n_freed, 0);
	CHECK_INT(st.n_threads, 1);
}

TEST(epoch, a_reader_pinned_in_the_same_epoch_counts_as_earlier)
{
	struct visit v = {0};
	struct thread t;

	epoch_defer(&object_create()->item, object_free);
	CHECK_INT(epoch_flush(), 0);
	epoch_defer(&object_create()->item, object_free);
	CHECK_INT(thread_start(&t, "", stay_pinned, &v), 0);
	await(&v.inside);
	/* In the same epoch as the item, so it cannot be told from one that was there before. */
	CHECK_INT(epoch_flush(), 1);
	say(&v.leave);
	(void)thread_join(&t);
	CHECK_INT(epoch_flush(), 0);
}

static int
repin_and_stay(void *arg)
{
	struct visit *v = arg;

	epoch_pin();
	say(&v[0].inside);
	await(&v[0].leave);
	epoch_pin();
	epoch_repin(); /* nested: nothing */
	epoch_unpin();
	say(&v[1].inside);
	await(&v[1].leave);
	epoch_repin();
	say(&v[2].inside);
	await(&v[2].leave);
	epoch_unpin();
	return 0;
}

TEST(epoch, repinning_lets_go_of_what_was_deferred_before)
{
	struct visit v[3] = {0};
	struct thread t;

	CHECK_INT(thread_start(&t, "", repin_and_stay, v), 0);
	await(&v[0].inside);
	epoch_defer(&object_create()->item, object_free);
	CHECK_INT(epoch_flush(), 1);
	say(&v[0].leave);
	await(&v[1].inside);
	CHECK_INT(epoch_flush(), 1);
	say(&v[1].leave);
	await(&v[2].inside);
	CHECK_INT(epoch_flush(), 0);
	say(&v[2].leave);
	(void)thread_join(&t);
}

static int
defer_three(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		epoch_defer(&object_create()->item, object_free);
	return 0;
}

TEST(epoch, a_thread_that_ends_hands_its_items_over)
{
	struct thread t;

	CHECK_INT(thread_start(&t, "defer", defer_three, NULL), 0);
	(void)thread_join(&t);
	CHECK_INT(n_alive, 3);
	CHECK_INT(epoch_flush(), 0);
	CHECK_INT(n_alive, 0);
}

TEST(epoch, a_thread_that_only_defers_frees_as_it_goes)
{
	for (int i = 0; i < 10000; i++)
		epoch_defer(&object_create()->item, object_free);
	CHECK(n_alive <= 4 * 64);
	drain();
	CHECK_INT(n_alive, 0);
}

TEST(epoch, a_thread_frees_by_pinning_what_it_deferred)
{
	epoch_defer(&object_create()->item, object_free);
	for (int i = 0; i < 4 * 128; i++) {
		epoch_pin();
		epoch_unpin();
	}
	CHECK_INT(n_alive, 0);
}

static unsigned n_links;

static void
defer_again(struct epoch_item *item)
{
	epoch_pin();
	epoch_unpin();
	if (++n_links < 100)
		epoch_defer(item, defer_again);
	else
		object_free(item);
}

TEST(epoch, a_function_may_pin_and_defer)
{
	epoch_defer(&object_create()->item, defer_again);
	drain();
	CHECK_INT(n_links, 100);
	CHECK_INT(n_alive, 0);
}

TEST(epoch, the_mode_is_chosen_once)
{
	CHECK_INT(epoch_set_mode(EPOCH_FENCED), 0);
	CHECK_INT(epoch_mode(), EPOCH_FENCED);
	CHECK_INT(epoch_set_mode(EPOCH_MEMBARRIER), -EBUSY);
	epoch_pin();
	epoch_unpin();
	CHECK_INT(epoch_mode(), EPOCH_FENCED);
}

static int
visit_as_guest(void *arg)
{
	struct visit *v = arg;

	epoch_defer(&object_create()->item, object_free);
	epoch_pin();
	epoch_pin();
	epoch_repin();
	epoch_unpin();
	CHECK(epoch_pinned());
	say(&v->inside);
	await(&v->leave);
	epoch_unpin();
	CHECK(!epoch_pinned());
	return 0;
}

TEST(epoch, threads_without_memory_pin_as_guests)
{
	struct epoch_stats st;
	struct visit v[2] = {0};
	struct thread t[2];

	store_rel(&out_of_memory, true);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(thread_start(&t[i], "guest", visit_as_guest, &v[i]), 0);
		await(&v[i].inside);
	}
	CHECK_INT(epoch_flush(), 2);
	epoch_get_stats(&st);
	CHECK_INT(st.n_guests, 2);
	CHECK_INT(st.n_threads, 0);
	CHECK_INT(st.stalled_tid, -1);
	say(&v[0].leave);
	(void)thread_join(&t[0]);
	CHECK_INT(epoch_flush(), 2);
	say(&v[1].leave);
	(void)thread_join(&t[1]);
	CHECK_INT(epoch_flush(), 0);
	CHECK_INT(n_alive, 0);
	epoch_get_stats(&st);
	CHECK_INT(st.n_deferred, st.n_freed);
	store_rel(&out_of_memory, false);
	epoch_pin();
	epoch_unpin();
	epoch_get_stats(&st);
	CHECK_INT(st.n_threads, 1);
}

struct storm {
	_Atomic(struct object *) slots[4];
	_Atomic uint32_t begun, over;
};

static int
read_storm(void *arg)
{
	struct storm *s = arg;
	long bad = 0;

	say(&s->begun);
	for (unsigned i = 0; !load_acq(&s->over); i++) {
		epoch_pin();
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			struct object *o = load_sc(&s->slots[(i + k) % 4]);

			for (unsigned late = i % 64; late > 0; late--)
				cpu_pause();
			bad += o->magic != MAGIC;
			if (i % 7 == 0)
				epoch_repin();
		}
		epoch_unpin();
	}
	return (int)bad;
}

static int
replace_storm(void *arg)
{
	struct storm *s = arg;

	for (unsigned long i = 0; i < test_scale(4000000); i++) {
		bool pinned = i % 3 == 0;
		struct object *old;

		if (pinned)
			epoch_pin();
		old = swap_sc(&s->slots[i % 4], object_create());
		epoch_defer(&old->item, object_free);
		if (pinned)
			epoch_unpin();
	}
	return 0;
}

/* Replacers that come and go, so that records are used again and items handed over. */
static void
storm(unsigned n_readers, unsigned n_replacers, unsigned rounds)
{
	struct storm s = {.over = 0};
	struct thread readers[16], replacers[16];

	for (unsigned i = 0; i < 4; i++)
		store_sc(&s.slots[i], object_create());
	for (unsigned i = 0; i < n_readers; i++)
		CHECK_INT(thread_start(&readers[i], "read", read_storm, &s), 0);
	while (rounds-- > 0) {
		for (unsigned i = 0; i < n_replacers; i++)
			CHECK_INT(thread_start(&replacers[i], "replace", replace_storm, &s), 0);
		for (unsigned i = 0; i < n_replacers; i++)
			(void)thread_join(&replacers[i]);
	}
	store_rel(&s.over, 1);
	for (unsigned i = 0; i < n_readers; i++)
		CHECK_INT(thread_join(&readers[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		epoch_defer(&load_sc(&s.slots[i])->item, object_free);
	drain();
	CHECK_INT(n_alive, 0);
}

TEST(epoch, readers_never_see_what_was_freed)
{
	storm(2, 2, 2);
}

TEST(epoch, readers_never_see_what_was_freed_with_fenced_pins)
{
	CHECK_INT(epoch_set_mode(EPOCH_FENCED), 0);
	storm(2, 2, 2);
}

TEST(epoch, readers_never_see_what_was_freed_on_a_crowded_machine)
{
	storm(12, 4, 1);
}

static int
be_guest(void *arg)
{
	store_rel(&out_of_memory, true);
	return read_storm(arg);
}

TEST(epoch, guests_never_see_what_was_freed)
{
	struct storm s = {.over = 0};
	struct thread guest;

	epoch_pin(); /* this thread keeps its record */
	epoch_unpin();
	for (unsigned i = 0; i < 4; i++)
		store_sc(&s.slots[i], object_create());
	CHECK_INT(thread_start(&guest, "guest", be_guest, &s), 0);
	await(&s.begun);
	CHECK_INT(replace_storm(&s), 0);
	store_rel(&s.over, 1);
	CHECK_INT(thread_join(&guest), 0);
	for (unsigned i = 0; i < 4; i++)
		epoch_defer(&load_sc(&s.slots[i])->item, object_free);
	drain();
	CHECK_INT(n_alive, 0);
}
