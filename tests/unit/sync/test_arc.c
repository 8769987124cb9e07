#include "test.h"

#include "sync/arc.h"
#include "sync/thread.h"

struct object {
	struct arc arc;
	uint64_t a, b; /* equal while the object lives */
};

static _Atomic long n_alive;

static void
object_destroy(struct arc *arc)
{
	struct object *o = CONTAINER_OF(arc, struct object, arc);

	o->a = 1;
	o->b = 2;
	(void)sub_rlx(&n_alive, 1);
	free(o);
}

static struct object *
object_create(uint64_t v)
{
	struct object *o = malloc(sizeof(*o));

	arc_init(&o->arc, object_destroy);
	o->a = o->b = v;
	(void)add_rlx(&n_alive, 1);
	return o;
}

TEST(arc, the_last_put_destroys)
{
	struct object *o = object_create(1);

	arc_get(&o->arc);
	CHECK_INT(arc_refs(&o->arc), 2);
	arc_put(&o->arc);
	CHECK_INT(n_alive, 1);
	arc_put(&o->arc);
	CHECK_INT(n_alive, 0);
	arc_put(NULL);
}

TEST(arc, a_slot_holds_one_reference_and_acquiring_gives_another)
{
	struct object *o = object_create(1);
	struct arc_slot s;
	struct arc *a;

	arc_slot_init(&s, &o->arc);
	a = arc_slot_acquire(&s);
	CHECK(a == &o->arc);
	CHECK_INT(arc_refs(a), 2);
	arc_slot_publish(&s, NULL);
	CHECK_INT(arc_refs(a), 1);
	CHECK(arc_slot_acquire(&s) == NULL);
	arc_put(a);
	CHECK_INT(n_alive, 0);
	arc_slot_fini(&s);
}

TEST(arc, a_slot_drops_its_object_at_the_end)
{
	struct arc_slot s;

	arc_slot_init(&s, NULL);
	arc_slot_publish(&s, &object_create(1)->arc);
	arc_slot_publish(&s, &object_create(2)->arc);
	CHECK_INT(n_alive, 1);
	arc_slot_fini(&s);
	CHECK_INT(n_alive, 0);
}

static int
get_and_put(void *arg)
{
	struct object *o = arg;

	for (unsigned long i = 0; i < test_scale(10000000); i++) {
		arc_get(&o->arc);
		arc_put(&o->arc);
	}
	arc_put(&o->arc);
	return 0;
}

TEST(arc, many_holders_destroy_once)
{
	struct object *o = object_create(1);
	struct thread t[4];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		arc_get(&o->arc);
		CHECK_INT(thread_start(&t[i], "hold", get_and_put, o), 0);
	}
	arc_put(&o->arc);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		(void)thread_join(&t[i]);
	CHECK_INT(n_alive, 0);
}

struct theatre {
	struct arc_slot slot;
	_Atomic uint32_t over;
};

static int
acquire_many(void *arg)
{
	struct theatre *th = arg;
	uint64_t seen = 0;

	while (!load_acq(&th->over)) {
		struct arc *arc = arc_slot_acquire(&th->slot);
		struct object *o = CONTAINER_OF(arc, struct object, arc);

		if (!arc)
			continue;
		if (o->a != o->b || o->a < seen)
			return 1;
		seen = o->a;
		arc_put(arc);
	}
	return 0;
}

TEST(arc, readers_hold_what_a_publisher_replaces)
{
	struct theatre th = {0};
	struct thread t[3];

	arc_slot_init(&th.slot, &object_create(0)->arc);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "read", acquire_many, &th), 0);
	for (uint64_t i = 1; i < test_scale(10000000); i++)
		arc_slot_publish(&th.slot, i % 16 ? &object_create(i)->arc : NULL);
	store_rel(&th.over, 1);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	arc_slot_fini(&th.slot);
	CHECK_INT(n_alive, 0);
}

static int
acquire_any(void *arg)
{
	struct theatre *th = arg;

	while (!load_acq(&th->over)) {
		struct arc *arc = arc_slot_acquire(&th->slot);

		if (arc && arc_refs(arc) < 1)
			return 1;
		arc_put(arc);
	}
	return 0;
}

/* The same two objects come back again and again, so that readers meet an object's second
 * publication with the announcement of its first (note: split count). */
TEST(arc, an_object_published_again_keeps_its_count)
{
	struct object *o[2] = {object_create(0), object_create(1)};
	struct theatre th = {0};
	struct thread t[3];

	arc_slot_init(&th.slot, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "read", acquire_any, &th), 0);
	for (unsigned long i = 0; i < test_scale(20000000); i++) {
		arc_get(&o[i % 2]->arc);
		arc_slot_publish(&th.slot, &o[i % 2]->arc);
	}
	store_rel(&th.over, 1);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	arc_slot_fini(&th.slot);
	CHECK_INT(arc_refs(&o[0]->arc), 1);
	CHECK_INT(arc_refs(&o[1]->arc), 1);
	arc_put(&o[0]->arc);
	arc_put(&o[1]->arc);
	CHECK_INT(n_alive, 0);
}
