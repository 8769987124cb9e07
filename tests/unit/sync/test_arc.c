#include "test.h"

#include <signal.h>
#include <string.h>

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

TEST(arc, a_count_of_zero_gives_no_reference)
{
	struct object *o = object_create(1);
	struct arc ended = {.refs = 0};

	CHECK(arc_get_unless_zero(&o->arc));
	CHECK_INT(arc_refs(&o->arc), 2);
	arc_put(&o->arc);
	arc_put(&o->arc);
	CHECK(!arc_get_unless_zero(&ended));
	CHECK_INT(arc_refs(&ended), 0);
}

TEST(arc, too_many_references_abort, .signal = SIGABRT)
{
	struct arc many = {.refs = 1 << 30};

	arc_get(&many);
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

struct page {
	struct shared shared;
	uint64_t *a, *b; /* equal, until fini frees them */
};

static _Atomic long n_open, n_pages;

static void
page_fini(struct shared *s)
{
	struct page *p = CONTAINER_OF(s, struct page, shared);

	*p->a = 1;
	*p->b = 2;
	free(p->a);
	free(p->b);
	p->a = p->b = NULL;
	(void)sub_rlx(&n_open, 1);
}

static void
page_release(struct shared *s)
{
	struct page *p = CONTAINER_OF(s, struct page, shared);

	memset(p, 0x5a, sizeof(*p));
	free(p);
	(void)sub_rlx(&n_pages, 1);
}

static struct page *
page_create(uint64_t v)
{
	struct page *p = malloc(sizeof(*p));

	shared_init(&p->shared, page_fini, page_release);
	p->a = malloc(sizeof(*p->a));
	p->b = malloc(sizeof(*p->b));
	*p->a = *p->b = v;
	(void)add_rlx(&n_open, 1);
	(void)add_rlx(&n_pages, 1);
	return p;
}

static struct page *
page_of(struct shared *s)
{
	return s ? CONTAINER_OF(s, struct page, shared) : NULL;
}

static void
check_all_gone(void)
{
	CHECK_INT(n_open, 0);
	while (epoch_flush() > 0)
		;
	CHECK_INT(n_pages, 0);
}

TEST(arc, a_published_pointer_holds_one_reference_and_acquiring_gives_another)
{
	struct page *page = page_create(1);
	struct published p;
	struct shared *s;

	published_init(&p, &page->shared);
	s = published_acquire(&p);
	CHECK(s == &page->shared);
	CHECK_INT(arc_refs(&s->arc), 2);
	published_set(&p, NULL);
	CHECK_INT(arc_refs(&s->arc), 1);
	CHECK(published_acquire(&p) == NULL);
	arc_put(&s->arc);
	published_fini(&p);
	check_all_gone();
}

TEST(arc, what_is_replaced_ends_at_once_and_its_memory_after_the_readers)
{
	struct published p;

	published_init(&p, NULL);
	published_set(&p, &page_create(1)->shared);
	epoch_pin();
	published_set(&p, &page_create(2)->shared);
	CHECK_INT(n_open, 1);
	CHECK_INT(n_pages, 2);
	epoch_unpin();
	published_fini(&p);
	check_all_gone();
}

struct theatre {
	struct published pointer;
	_Atomic uint32_t over;
};

static int
acquire_many(void *arg)
{
	struct theatre *th = arg;
	uint64_t seen = 0;

	while (!load_acq(&th->over)) {
		struct page *page = page_of(published_acquire(&th->pointer));

		if (!page)
			continue;
		if (*page->a != *page->b || *page->a < seen)
			return 1;
		seen = *page->a;
		arc_put(&page->shared.arc);
	}
	return 0;
}

static void
replace_before_readers(size_t n_readers, unsigned long n)
{
	struct theatre th = {.over = 0};
	struct thread t[16];

	published_init(&th.pointer, &page_create(0)->shared);
	for (size_t i = 0; i < n_readers; i++)
		CHECK_INT(thread_start(&t[i], "read", acquire_many, &th), 0);
	for (uint64_t i = 1; i < n; i++)
		published_set(&th.pointer, i % 16 ? &page_create(i)->shared : NULL);
	store_rel(&th.over, 1);
	for (size_t i = 0; i < n_readers; i++)
		CHECK_INT(thread_join(&t[i]), 0);
	published_fini(&th.pointer);
	check_all_gone();
}

TEST(arc, readers_hold_what_a_publisher_replaces)
{
	replace_before_readers(3, test_scale(5000000));
}

TEST(arc, readers_hold_what_a_publisher_replaces_with_fenced_pins)
{
	CHECK_INT(epoch_set_mode(EPOCH_FENCED), 0);
	replace_before_readers(3, test_scale(5000000));
}

TEST(arc, readers_hold_what_a_publisher_replaces_on_a_crowded_machine)
{
	replace_before_readers(16, test_scale(5000000));
}

static int
acquire_any(void *arg)
{
	struct theatre *th = arg;

	while (!load_acq(&th->over)) {
		struct shared *s = published_acquire(&th->pointer);

		if (!s)
			continue;
		if (arc_refs(&s->arc) < 1)
			return 1;
		arc_put(&s->arc);
	}
	return 0;
}

TEST(arc, an_object_published_again_keeps_its_count)
{
	struct page *page[2] = {page_create(0), page_create(1)};
	struct theatre th = {.over = 0};
	struct thread t[3];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "read", acquire_any, &th), 0);
	for (unsigned long i = 0; i < test_scale(20000000); i++) {
		arc_get(&page[i % 2]->shared.arc);
		published_set(&th.pointer, &page[i % 2]->shared);
	}
	store_rel(&th.over, 1);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	published_fini(&th.pointer);
	for (size_t i = 0; i < ARRAY_LEN(page); i++) {
		CHECK_INT(arc_refs(&page[i]->shared.arc), 1);
		arc_put(&page[i]->shared.arc);
	}
	check_all_gone();
}
