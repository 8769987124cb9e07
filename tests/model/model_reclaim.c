/* Hazard pointers, and objects that are published and counted: nothing is destroyed while somebody
 * looks at it, and everything in the end. */
#include "model.h"

#include "sync/arc.h"
#include "sync/hazard.h"
#include "sync/thread.h"

static _Atomic uint32_t n_destroyed; /* relaxed: read after all have been joined */

struct object {
	struct hazard_item item;
	uint32_t value;
};

static struct hazard_domain domain;
static _Atomic(void *) current;

static struct object *
create(uint32_t value)
{
	struct object *o = malloc(sizeof(*o));

	o->value = value;
	return o;
}

static void
destroy(struct hazard_item *item)
{
	struct object *o = CONTAINER_OF(item, struct object, item);

	CHECK_MODEL(o->value != 0);
	o->value = 0;
	(void)add_rlx(&n_destroyed, 1);
	free(o);
}

/* Twice with one slot: the second may find it naming the object already. */
static int
read_protected(void *arg)
{
	struct hazard *h;

	(void)arg;
	CHECK_MODEL(hazard_acquire(&domain, "reader", &h) == 0);
	for (int i = 0; i < 2; i++) {
		struct object *o = hazard_protect(h, &current);

		CHECK_MODEL(o->value >= 1 && o->value <= 3);
		if (i == 0)
			hazard_clear(h);
	}
	hazard_release(h);
	return 0;
}

static void
replace(uint32_t value)
{
	struct object *old = swap_sc(&current, create(value));

	hazard_retire(&domain, &old->item, old, destroy);
}

static int
replace_and_scan(void *arg)
{
	(void)arg;
	replace(3);
	(void)hazard_scan(&domain);
	return 0;
}

static void
end_domain(uint32_t n)
{
	replace(9);
	free(load_sc(&current));
	hazard_domain_fini(&domain);
	CHECK_MODEL(n_destroyed == n);
}

static void
protect(void)
{
	struct thread t;

	hazard_domain_init(&domain);
	store_sc(&current, create(1));
	CHECK_MODEL(thread_start(&t, "reader", read_protected, NULL) == 0);
	replace(2);
	(void)hazard_scan(&domain);
	(void)thread_join(&t);
	end_domain(2);
}

static void
two_scans(void)
{
	struct thread t[2];

	hazard_domain_init(&domain);
	store_sc(&current, create(1));
	CHECK_MODEL(thread_start(&t[0], "reader", read_protected, NULL) == 0);
	CHECK_MODEL(thread_start(&t[1], "writer", replace_and_scan, NULL) == 0);
	replace(2);
	(void)hazard_scan(&domain);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	end_domain(3);
}

/* A look that is not repeated after the slot was written: what hazard_protect() is there for. */
static int
read_unprotected(void *arg)
{
	struct hazard *h;
	struct object *o;

	(void)arg;
	CHECK_MODEL(hazard_acquire(&domain, "reader", &h) == 0);
	o = load_sc(&current);
	hazard_set(h, o);
	CHECK_MODEL(o->value >= 1);
	hazard_release(h);
	return 0;
}

static void
look_once(void)
{
	struct thread t;

	hazard_domain_init(&domain);
	store_sc(&current, create(1));
	CHECK_MODEL(thread_start(&t, "reader", read_unprotected, NULL) == 0);
	replace(2);
	(void)hazard_scan(&domain);
	(void)thread_join(&t);
	end_domain(2);
}

/* Two own slots one after the other: the next owner finds the slot as the last one left it. */
static int
own_and_leave(void *arg)
{
	static const char *const names[] = {"a", "b"};
	struct hazard *h;

	CHECK_MODEL(hazard_acquire(&domain, names[arg != NULL], &h) == 0);
	hazard_set(h, arg);
	hazard_release(h);
	return 0;
}

static void
slots(void)
{
	struct thread t[2];
	struct hazard_holder holder;

	hazard_domain_init(&domain);
	CHECK_MODEL(thread_start(&t[0], "a", own_and_leave, NULL) == 0);
	CHECK_MODEL(thread_start(&t[1], "b", own_and_leave, &current) == 0);
	(void)thread_join(&t[0]);
	(void)thread_join(&t[1]);
	CHECK_MODEL(hazard_holders(&domain, &holder, 1) == 0);
	hazard_domain_fini(&domain);
}

/* What is published and counted. */
struct doc {
	struct shared shared;
	uint32_t value, n_uses;
};

static struct published published;

static void
fini_doc(struct shared *s)
{
	struct doc *d = CONTAINER_OF(s, struct doc, shared);

	CHECK_MODEL(d->value != 0);
	d->value = 0;
	(void)add_rlx(&n_destroyed, 1);
}

static void
release_doc(struct shared *s)
{
	free(CONTAINER_OF(s, struct doc, shared));
}

static struct shared *
create_doc(uint32_t value)
{
	struct doc *d = malloc(sizeof(*d));

	d->value = value;
	shared_init(&d->shared, fini_doc, release_doc);
	return &d->shared;
}

static int
acquire_and_put(void *arg)
{
	struct shared *s = published_acquire(&published);

	(void)arg;
	CHECK_MODEL(CONTAINER_OF(s, struct doc, shared)->value >= 1);
	arc_put(&s->arc);
	return 0;
}

static void
publish(void)
{
	struct thread t;

	CHECK_MODEL(epoch_set_mode(EPOCH_FENCED) == 0);
	published_init(&published, create_doc(1));
	CHECK_MODEL(thread_start(&t, "reader", acquire_and_put, NULL) == 0);
	published_set(&published, create_doc(2));
	for (int i = 0; i < 3; i++)
		(void)epoch_flush();
	(void)thread_join(&t);
	published_fini(&published);
	CHECK_MODEL(n_destroyed == 2);
	for (int i = 0; i < 4; i++)
		(void)epoch_flush();
	CHECK_MODEL(epoch_flush() == 0);
}

/* The last put of two, from two threads that both wrote. */
static struct doc counted;

static void
destroy_counted(struct arc *a)
{
	(void)a;
	CHECK_MODEL(counted.value + counted.n_uses == 2);
	(void)add_rlx(&n_destroyed, 1);
}

static int
use_and_put(void *arg)
{
	*(uint32_t *)arg = 1;
	arc_put(&counted.shared.arc);
	return 0;
}

static int
get_again(void *arg)
{
	(void)arg;
	if (arc_get_unless_zero(&counted.shared.arc))
		arc_put(&counted.shared.arc);
	return 0;
}

static void
last_put(void)
{
	struct thread t[3];

	arc_init(&counted.shared.arc, destroy_counted);
	arc_get(&counted.shared.arc);
	CHECK_MODEL(thread_start(&t[0], "a", use_and_put, &counted.value) == 0);
	CHECK_MODEL(thread_start(&t[1], "b", use_and_put, &counted.n_uses) == 0);
	CHECK_MODEL(thread_start(&t[2], "late", get_again, NULL) == 0);
	for (int i = 0; i < 3; i++)
		(void)thread_join(&t[i]);
	CHECK_MODEL(n_destroyed == 1);
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 2, \
	.stale = 2, .weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "protect", .body = protect, .preempt = 4, .preempt_long = 6},
	{.name = "two_scans", .body = two_scans, .preempt = 2, .preempt_long = 3},
	{.name = "look_once", .body = look_once, .preempt = 2, .fails = "was freed"},
	{.name = "slots", .body = slots, .preempt = 4, .preempt_long = 6},
	{.name = "publish", .body = publish, .preempt = 2, .preempt_long = 3, .keeps = true},
	{.name = "last_put", .body = last_put, .preempt = 4, .preempt_long = 6},
	{WEAKENED(protect, "hazard_set", "object", acq_rel), .fails = "data race"},
	{WEAKENED(protect, "hazard_protect", "src", acq_rel), .fails = "was freed"},
	{WEAKENED(protect, "read_held", "object", acquire), .fails = "data race"},
	{WEAKENED(protect, "hazard_clear", "object", relaxed), .fails = "data race"},
	{WEAKENED(protect, "add_slot", "slots", acq_rel), .fails = "data race"},
	{WEAKENED(protect, "hazard_scan", "slots", acquire), .fails = "data race"},
	{WEAKENED(protect, "replace", "current", acq_rel), .fails = "was freed"},
	{WEAKENED(two_scans, "hazard_scan", "retired", relaxed), .fails = "data race"},
	{WEAKENED(two_scans, "push_chain", "retired", relaxed), .fails = "data race"},
	{WEAKENED(slots, "take_free_slot", "slots", relaxed), .fails = "data race"},
	{WEAKENED(publish, "published_set", "pointer", acq_rel), .keeps = true,
		.fails = "was freed"},
	{WEAKENED(publish, "published_acquire", "pointer", acquire), .keeps = true,
		.fails = "was freed"},
	{WEAKENED(last_put, "arc_put", "refs", relaxed), .fails = "data race"},
};

MODEL_MAIN(models)
