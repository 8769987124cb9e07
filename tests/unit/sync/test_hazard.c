#include "test.h"

#include <errno.h>
#include <string.h>

#include "sync/hazard.h"
#include "sync/park.h"
#include "sync/thread.h"

#define MAGIC 0x600d600du
#define POISON 0xdead0badu

static _Atomic bool out_of_memory;

/* Takes the place of the library's: the only allocation that hazards make. */
void *
aligned_alloc(size_t alignment, size_t n)
{
	void *p = NULL;

	if (load_acq(&out_of_memory) || posix_memalign(&p, alignment, n) != 0)
		return NULL;
	return p;
}

struct object {
	struct hazard_item item;
	uint32_t magic;
};

static struct hazard_domain domain;
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
object_free(struct hazard_item *item)
{
	struct object *o = CONTAINER_OF(item, struct object, item);

	o->magic = POISON;
	free(o);
	(void)sub_rlx(&n_alive, 1);
}

static void
retire(struct object *o)
{
	hazard_retire(&domain, &o->item, o, object_free);
}

static struct hazard *
acquire(const char *what)
{
	struct hazard *h = NULL;

	CHECK_INT(hazard_acquire(&domain, what, &h), 0);
	return h;
}

TEST(hazard, what_is_named_stays_until_it_is_cleared)
{
	struct object *o = object_create(), *other = object_create();
	_Atomic(void *) src = o;
	struct hazard *h;

	hazard_domain_init(&domain);
	h = acquire("test");
	CHECK(hazard_protect(h, &src) == o);
	store_sc(&src, NULL);
	retire(o);
	retire(other);
	CHECK_INT(hazard_scan(&domain), 1);
	CHECK_INT(n_alive, 1);
	CHECK_INT(o->magic, MAGIC);
	CHECK(hazard_protect(h, &src) == NULL); /* clears */
	CHECK_INT(hazard_scan(&domain), 0);
	CHECK_INT(n_alive, 0);
	hazard_release(h);
	hazard_release(NULL);
	hazard_domain_fini(&domain);
}

TEST(hazard, protecting_another_lets_go_of_the_first)
{
	struct object *a = object_create(), *b = object_create();
	_Atomic(void *) src = a;
	struct hazard *h;

	hazard_domain_init(&domain);
	h = acquire("test");
	CHECK(hazard_protect(h, &src) == a);
	CHECK(hazard_protect(h, &src) == a);
	store_sc(&src, b);
	retire(a);
	CHECK(hazard_protect(h, &src) == b);
	CHECK_INT(hazard_scan(&domain), 0);
	CHECK_INT(n_alive, 1);
	hazard_set(h, NULL);
	retire(b);
	hazard_release(h);
	hazard_domain_fini(&domain);
	CHECK_INT(n_alive, 0);
}

TEST(hazard, slots_are_used_again)
{
	hazard_domain_init(&domain);
	for (int i = 0; i < 1000; i++) {
		struct hazard *a = acquire("a"), *b = acquire("b");

		hazard_release(a);
		hazard_release(b);
	}
	CHECK_INT(domain.n_slots, 2);
	hazard_domain_fini(&domain);
}

TEST(hazard, without_memory_there_is_no_slot_and_nothing_else_fails)
{
	struct hazard *h, *none = NULL;

	hazard_domain_init(&domain);
	h = acquire("first");
	store_rel(&out_of_memory, true);
	CHECK_INT(hazard_acquire(&domain, "second", &none), -ENOMEM);
	CHECK(none == NULL);
	hazard_set(h, &domain);
	retire(object_create());
	CHECK_INT(hazard_scan(&domain), 0);
	hazard_release(h);
	CHECK_INT(hazard_acquire(&domain, "again", &none), 0);
	hazard_release(none);
	hazard_domain_fini(&domain);
}

TEST(hazard, holders_are_listed_with_their_time)
{
	usec_t before = clock_mono();
	struct hazard_holder got[2];
	struct hazard *a, *b;

	hazard_domain_init(&domain);
	a = acquire("a");
	b = acquire("b");
	CHECK_INT(hazard_holders(&domain, got, 2), 0);
	hazard_set(b, &before);
	CHECK_INT(hazard_holders(&domain, got, 2), 1);
	CHECK_STR(got[0].what, "b");
	CHECK(got[0].object == &before);
	CHECK(got[0].since >= before && got[0].since <= clock_mono());
	hazard_set(a, &before);
	CHECK_INT(hazard_holders(&domain, got, 1), 2);
	hazard_release(a);
	hazard_release(b);
	CHECK_INT(hazard_holders(&domain, got, 2), 0);
	hazard_domain_fini(&domain);
}

/* More than a scan reads at once. */
TEST(hazard, many_holders_keep_each_its_own)
{
	struct object *o[200];
	struct hazard *h[200];

	hazard_domain_init(&domain);
	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		h[i] = acquire("test");
		o[i] = object_create();
		hazard_set(h[i], o[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		retire(o[i]);
		retire(object_create());
	}
	CHECK_INT(hazard_scan(&domain), 200);
	CHECK_INT(n_alive, 200);
	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		CHECK_INT(o[i]->magic, MAGIC);
		hazard_release(h[i]);
		CHECK_INT(hazard_scan(&domain), 199 - i);
		CHECK_INT(n_alive, 199 - i);
	}
	hazard_domain_fini(&domain);
}

struct visit {
	_Atomic uint32_t inside, leave;
	_Atomic(void *) *src;
	struct hazard *h;
};

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

static int
stay(void *arg)
{
	struct visit *v = arg;
	struct object *o = hazard_protect(v->h, v->src);

	say(&v->inside);
	await(&v->leave);
	return o->magic == MAGIC ? 0 : -1;
}

TEST(hazard, a_sleeping_holder_keeps_one_object_and_not_the_garbage_of_others)
{
	_Atomic(void *) src = object_create();
	struct visit v = {.src = &src};
	struct thread t;

	hazard_domain_init(&domain);
	v.h = acquire("sleeper");
	CHECK_INT(thread_start(&t, "sleep", stay, &v), 0);
	await(&v.inside);
	for (unsigned long i = 0; i < test_scale(5000000); i++) {
		retire(swap_sc(&src, object_create()));
		CHECK(n_alive <= 64 + 2);
	}
	CHECK_INT(hazard_scan(&domain), 1);
	say(&v.leave);
	CHECK_INT(thread_join(&t), 0);
	/* The hazard outlives the thread that protected with it: another goes on. */
	CHECK_INT(hazard_scan(&domain), 1);
	hazard_release(v.h);
	retire(load_sc(&src));
	CHECK_INT(hazard_scan(&domain), 0);
	CHECK_INT(n_alive, 0);
	hazard_domain_fini(&domain);
}

struct storm {
	_Atomic(void *) slots[4];
	_Atomic uint32_t over;
};

static int
read_storm(void *arg)
{
	struct hazard *h = NULL;
	struct storm *s = arg;
	int bad = 0;

	for (unsigned i = 0; !load_acq(&s->over); i++) {
		struct object *o;

		if (!h && hazard_acquire(&domain, "reader", &h) < 0)
			return -1;
		o = hazard_protect(h, &s->slots[i % 4]);
		for (unsigned late = i % 64; late > 0; late--)
			cpu_pause();
		bad += o->magic != MAGIC;
		if (i % 16 == 0)
			hazard_release(TAKE_PTR(h));
	}
	hazard_release(h);
	return bad;
}

static int
replace_storm(void *arg)
{
	struct storm *s = arg;

	for (unsigned long i = 0; i < test_scale(2000000); i++)
		retire(swap_sc(&s->slots[i % 4], object_create()));
	return 0;
}

static void
storm(unsigned n_readers, unsigned n_replacers)
{
	struct thread readers[16], replacers[16];
	struct storm s = {.over = 0};

	hazard_domain_init(&domain);
	for (unsigned i = 0; i < 4; i++)
		store_sc(&s.slots[i], object_create());
	for (unsigned i = 0; i < n_readers; i++)
		CHECK_INT(thread_start(&readers[i], "read", read_storm, &s), 0);
	for (unsigned i = 0; i < n_replacers; i++)
		CHECK_INT(thread_start(&replacers[i], "replace", replace_storm, &s), 0);
	for (unsigned i = 0; i < n_replacers; i++)
		(void)thread_join(&replacers[i]);
	store_rel(&s.over, 1);
	for (unsigned i = 0; i < n_readers; i++)
		CHECK_INT(thread_join(&readers[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		retire(load_sc(&s.slots[i]));
	hazard_domain_fini(&domain);
	CHECK_INT(n_alive, 0);
}

TEST(hazard, readers_never_see_what_was_destroyed)
{
	storm(2, 2);
}

TEST(hazard, readers_never_see_what_was_destroyed_on_a_crowded_machine)
{
	storm(12, 4);
}
