/* Reclamation: a thread without a record of its own is a guest of the epoch, and nothing else
 * changes; hazards are refused; futures need nothing. */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>

#include "sync/arc.h"
#include "sync/epoch.h"
#include "sync/future.h"
#include "sync/hazard.h"
#include "sync/thread.h"

struct object {
	struct shared shared;
	uint32_t value;
};

static _Atomic long n_fini, n_released; /* relaxed: read when all threads are joined */

static void
object_fini(struct shared *s)
{
	CONTAINER_OF(s, struct object, shared)->value = 0;
	(void)add_rlx(&n_fini, 1);
}

static void
object_release(struct shared *s)
{
	free(CONTAINER_OF(s, struct object, shared));
	(void)add_rlx(&n_released, 1);
}

static struct object *
object_create(uint32_t value)
{
	struct object *o = malloc(sizeof(*o));

	if (o) {
		o->value = value;
		shared_init(&o->shared, object_fini, object_release);
	}
	return o;
}

#define N_OBJECTS 300

static struct published published;
static _Atomic bool ended; /* seq_cst */

static int
read_objects(void *arg)
{
	uint32_t last = 0;

	(void)arg;
	while (!load_sc(&ended)) {
		struct shared *s = published_acquire(&published);
		struct object *o = CONTAINER_OF(s, struct object, shared);

		FAULT_CHECK(s && o->value >= last);
		last = o->value;
		arc_put(&s->arc);
	}
	return 0;
}

static int
publish_objects(long *ret_made)
{
	int r = 0;

	for (uint32_t i = 2; i < N_OBJECTS; i++) {
		struct object *o = object_create(i);

		if (!o) {
			r = -ENOMEM;
			continue;
		}
		(*ret_made)++;
		published_set(&published, &o->shared);
	}
	return r;
}

/* Two readers and a publisher, none of which may have a record. */
static int
publish(void *arg)
{
	struct object *first = object_create(1);
	struct thread readers[2];
	long n_made = 1;
	unsigned n = 0;
	int r = first ? 0 : -ENOMEM;

	(void)arg;
	if (r < 0)
		return r;
	published_init(&published, &first->shared);
	while (r == 0 && n < ARRAY_LEN(readers)) {
		r = thread_start(&readers[n], "reader", read_objects, NULL);
		n += r == 0;
	}
	if (r == 0)
		r = publish_objects(&n_made);
	store_sc(&ended, true);
	while (n > 0)
		FAULT_CHECK(thread_join(&readers[--n]) == 0);
	published_fini(&published);
	FAULT_CHECK(epoch_flush() == 0);
	FAULT_CHECK(load_rlx(&n_fini) == n_made && load_rlx(&n_released) == n_made);
	return r;
}

/* One record that fails, on this thread: pins nest, deferred calls come, nobody is left pinned. */
struct late {
	struct epoch_item item;
	unsigned *n;
};

static void
count_late(struct epoch_item *item)
{
	struct late *l = CONTAINER_OF(item, struct late, item);

	++*l->n;
}

static int
pin_as_guest(void *arg)
{
	static struct late late[100];
	static unsigned n;
	struct epoch_stats stats;

	(void)arg;
	epoch_pin();
	epoch_pin();
	FAULT_CHECK(epoch_pinned());
	epoch_repin();
	epoch_unpin();
	FAULT_CHECK(epoch_pinned());
	late[0].n = &n;
	epoch_defer(&late[0].item, count_late);
	epoch_get_stats(&stats);
	FAULT_CHECK(stats.n_guests == (fault_hit() ? 1 : 0));
	epoch_unpin();
	FAULT_CHECK(!epoch_pinned());
	for (size_t i = 1; i < ARRAY_LEN(late); i++) {
		late[i].n = &n;
		epoch_defer(&late[i].item, count_late);
	}
	while (epoch_flush() > 0)
		;
	FAULT_CHECK(n == ARRAY_LEN(late));
	epoch_get_stats(&stats);
	FAULT_CHECK(stats.n_guests == 0 && stats.n_pinned == 0);
	return 0;
}

/* A guest keeps what it sees: nothing is called while it is pinned. */
static _Atomic unsigned step; /* seq_cst, futex */

static void
reach(unsigned n)
{
	store_sc(&step, n);
	park_wake(&step, UINT32_MAX);
}

static void
await(unsigned n)
{
	unsigned now;

	while ((now = load_sc(&step)) < n)
		(void)park_wait(&step, now, USEC_NEVER);
}

static int
stay_pinned(void *arg)
{
	(void)arg;
	epoch_pin();
	reach(1);
	await(2);
	epoch_unpin();
	return 0;
}

static int
guest_holds_back(void *arg)
{
	static struct late late;
	static unsigned n;
	struct thread t;
	int r = thread_start(&t, "guest", stay_pinned, NULL);

	(void)arg;
	if (r < 0)
		return r;
	await(1);
	late.n = &n;
	epoch_defer(&late.item, count_late);
	for (int i = 0; i < 100; i++)
		FAULT_CHECK(epoch_flush() == 1);
	FAULT_CHECK(n == 0);
	reach(2);
	FAULT_CHECK(thread_join(&t) == 0);
	FAULT_CHECK(epoch_flush() == 0 && n == 1);
	return 0;
}

struct named {
	struct hazard_item item;
	uint32_t value;
};

static void
free_named(struct hazard_item *item)
{
	free(CONTAINER_OF(item, struct named, item));
}

static int
replace(struct hazard_domain *d, _Atomic(void *) *at, uint32_t value)
{
	struct named *n = malloc(sizeof(*n)), *old;

	if (!n)
		return -ENOMEM;
	n->value = value;
	old = swap_sc(at, n);
	if (old)
		hazard_retire(d, &old->item, old, free_named);
	return 0;
}

static int
hazards(void *arg)
{
	struct hazard_domain d;
	struct hazard *h[10] = {0};
	_Atomic(void *) at = NULL; /* seq_cst: hazard.h */
	int r = 0, failure = 0;

	(void)arg;
	hazard_domain_init(&d);
	for (uint32_t i = 0; i < 200; i++) {
		unsigned k = i % ARRAY_LEN(h);
		struct named *n;

		r = replace(&d, &at, i);
		failure = r < 0 ? r : failure;
		r = h[k] ? 0 : hazard_acquire(&d, "fault", &h[k]);
		FAULT_CHECK((r == 0) == (h[k] != NULL));
		failure = r < 0 ? r : failure;
		n = h[k] ? hazard_protect(h[k], &at) : NULL;
		FAULT_CHECK(!n || n->value <= i);
		if (i % 7 == 0) {
			hazard_release(h[k]);
			h[k] = NULL;
		}
	}
	for (size_t k = 0; k < ARRAY_LEN(h); k++)
		hazard_release(h[k]);
	FAULT_CHECK(hazard_scan(&d) == 0);
	hazard_domain_fini(&d);
	free(load_sc(&at));
	return failure;
}

static int
set_soon(void *arg)
{
	struct future *f = arg;

	future_set(f, 42, f);
	return 0;
}

static void
note_then(struct future *f, void *arg)
{
	int value = 0;

	FAULT_CHECK(future_wait(f, NULL, &value, NULL) == 0);
	*(int *)arg = value;
}

static int
futures(void *arg)
{
	struct chan *loop = chan_create(1, NULL);
	struct future f, g;
	struct thread t;
	int then = 0, value = 0, r;
	void *item;

	(void)arg;
	if (!loop)
		return -ENOMEM;
	future_init(&f);
	future_init(&g);
	future_then(&g, loop, note_then, &then);
	future_set(&g, 7, NULL);
	FAULT_CHECK(chan_try_recv(loop, &item) == 0 && item == &g);
	future_run(item);
	FAULT_CHECK(then == 7);
	chan_destroy(loop);
	r = thread_start(&t, "set", set_soon, &f);
	if (r < 0)
		return r;
	FAULT_CHECK(future_wait(&f, NULL, &value, &item) == 0 && value == 42 && item == &f);
	return thread_join(&t);
}

static const struct fault_case cases[] = {
	{.name = "publish", .run = publish, .min_calls = N_OBJECTS + 1},
	{.name = "a guest pins", .run = pin_as_guest, .flags = FAULT_NEVER, .min_calls = 1},
	{.name = "a guest holds back", .run = guest_holds_back, .min_calls = 3},
	{.name = "hazards", .run = hazards, .min_calls = 209},
	{.name = "futures", .run = futures, .min_calls = 3},
};

FAULT_MAIN(cases)
