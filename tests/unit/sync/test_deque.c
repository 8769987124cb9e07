#include "test.h"

#include <errno.h>
#include <sched.h>

#include "sync/deque.h"
#include "sync/thread.h"

/* Items are the numbers from 1 on, as pointers into this. */
static char items[1 << 16];

static void
push_numbers(struct deque *d, int from, int to)
{
	for (int i = from; i <= to; i++)
		CHECK_INT(deque_push(d, &items[i]), 0);
}

static int
number(const void *item)
{
	return item ? (int)((const char *)item - items) : 0;
}

TEST(deque, owner_takes_the_newest_and_a_thief_the_oldest)
{
	struct deque d;

	CHECK_INT(deque_init(&d, 4, 64, SIZE_MAX), 0);
	CHECK(deque_is_empty(&d));
	CHECK_INT(number(deque_pop(&d)), 0);
	CHECK_INT(number(deque_steal(&d)), 0);
	push_numbers(&d, 1, 3);
	CHECK_INT(deque_len(&d), 3);
	CHECK_INT(number(deque_pop(&d)), 3);
	CHECK_INT(number(deque_steal(&d)), 1);
	CHECK_INT(number(deque_pop(&d)), 2);
	CHECK_INT(number(deque_pop(&d)), 0);
	CHECK_INT(number(deque_steal(&d)), 0);
	CHECK_INT(deque_len(&d), 0);
	push_numbers(&d, 4, 4);
	CHECK_INT(number(deque_steal(&d)), 4);
	CHECK_INT(number(deque_pop(&d)), 0);
	deque_fini(&d);
}

TEST(deque, growing_keeps_every_item_in_order)
{
	struct deque d;

	CHECK_INT(deque_init(&d, 2, 1 << 14, SIZE_MAX), 0);
	push_numbers(&d, 1, 100);
	for (int i = 1; i <= 50; i++) {
		if (i % 7 == 0)
			CHECK_INT(number(deque_pop(&d)), 101 - i / 7);
		CHECK_INT(number(deque_steal(&d)), i);
	}
	push_numbers(&d, 1000, 10000);
	for (int i = 10000; i >= 1000; i--)
		CHECK_INT(number(deque_pop(&d)), i);
	for (int i = 100 - 50 / 7; i > 50; i--)
		CHECK_INT(number(deque_pop(&d)), i);
	CHECK_INT(number(deque_pop(&d)), 0);
	deque_fini(&d);
}

TEST(deque, refuses_more_than_its_most)
{
	struct deque d;

	CHECK_INT(deque_init(&d, 2, 8, 2), 0);
	push_numbers(&d, 1, 8);
	CHECK_INT(deque_push(&d, items), -EOVERFLOW);
	CHECK_INT(number(deque_steal(&d)), 1);
	CHECK_INT(deque_push(&d, &items[9]), 0);
	CHECK_INT(deque_push(&d, items), -EOVERFLOW);
	for (int i = 9; i > 1; i--)
		CHECK_INT(number(deque_pop(&d)), i);
	deque_fini(&d);
}

TEST(deque, offers_the_oldest_and_all_when_those_are_taken)
{
	struct deque d;

	CHECK_INT(deque_init(&d, 16, 64, 2), 0);
	push_numbers(&d, 1, 10);
	CHECK_INT(deque_len(&d), 2);
	CHECK_INT(number(deque_steal(&d)), 1);
	CHECK_INT(number(deque_steal(&d)), 2);
	CHECK_INT(number(deque_steal(&d)), 0);
	CHECK_INT(number(deque_pop(&d)), 10); /* sees that they are gone */
	CHECK_INT(deque_len(&d), 7);
	CHECK_INT(number(deque_steal(&d)), 3);
	for (int i = 9; i > 3; i--)
		CHECK_INT(number(deque_pop(&d)), i);
	CHECK(deque_is_empty(&d));
	deque_fini(&d);
}

TEST(deque, a_mark_is_worthless_after_a_skip_or_a_theft)
{
	struct deque d;
	int64_t mark;

	CHECK_INT(deque_init(&d, 16, 64, 8), 0);
	push_numbers(&d, 1, 3);
	mark = deque_mark(&d);
	CHECK_INT(number(deque_steal_at(&d, mark)), 1);
	CHECK_INT(number(deque_steal_at(&d, mark)), 0);
	mark = deque_mark(&d);
	CHECK_INT(number(deque_pop(&d)), 3);
	CHECK_INT(number(deque_pop(&d)), 2); /* the last: taken from the top */
	mark = deque_mark(&d);
	deque_skip(&d);
	push_numbers(&d, 4, 5);
	CHECK_INT(number(deque_steal_at(&d, mark)), 0);
	CHECK_INT(number(deque_steal(&d)), 4);
	CHECK_INT(number(deque_pop(&d)), 5);
	CHECK_INT(number(deque_pop(&d)), 0);
	deque_fini(&d);
}

#define THIEVES 3

/* Each item is marked by who takes it; its content is written plainly before the push, so that a
 * missing order is a race that ThreadSanitizer reports. */
struct heist {
	struct deque deque;
	struct loot {
		_Atomic uint32_t taken;
		unsigned content;
	} * loot;
	unsigned long n;
	_Atomic bool over;
};

static void
take_loot(struct loot *l)
{
	l->content++;
	(void)add_rlx(&l->taken, 1);
}

static int
steal_all(void *arg)
{
	struct heist *h = arg;
	struct loot *before = NULL;

	while (!load_acq(&h->over)) {
		struct loot *l = deque_steal(&h->deque);

		if (!l) {
			sched_yield();
			continue;
		}
		CHECK(l > before); /* a thief sees the oldest first */
		before = l;
		take_loot(l);
	}
	return 0;
}

/* Bursts of all lengths around the empty deque, where owner and thieves meet. */
static void
own(struct heist *h)
{
	unsigned long pushed = 0, burst = 0;

	while (pushed < h->n) {
		unsigned long n = MIN(h->n - pushed, burst % 13 + (burst % 101 == 0) * 500);
		struct loot *l;

		for (; n > 0; n--, pushed++) {
			h->loot[pushed].content = 7;
			CHECK_INT(deque_push(&h->deque, &h->loot[pushed]), 0);
		}
		for (n = burst++ % 11; n > 0 && (l = deque_pop(&h->deque)); n--)
			take_loot(l);
	}
	for (struct loot *l; (l = deque_pop(&h->deque));)
		take_loot(l);
}

static void
rob(size_t n_public)
{
	struct heist h = {.n = test_scale(3000000)};
	struct thread thieves[THIEVES];

	h.loot = calloc(h.n, sizeof(h.loot[0]));
	CHECK_INT(deque_init(&h.deque, 2, 1 << 30, n_public), 0);
	for (int i = 0; i < THIEVES; i++)
		CHECK_INT(thread_start(&thieves[i], "thief", steal_all, &h), 0);
	own(&h);
	store_rel(&h.over, true);
	for (int i = 0; i < THIEVES; i++)
		CHECK_INT(thread_join(&thieves[i]), 0);
	for (unsigned long i = 0; i < h.n; i++) {
		CHECK_INT(load_rlx(&h.loot[i].taken), 1);
		CHECK_INT(h.loot[i].content, 8);
	}
	deque_fini(&h.deque);
	free(h.loot);
}

TEST(deque, every_item_is_taken_once_when_all_are_on_offer)
{
	rob(SIZE_MAX);
}

TEST(deque, every_item_is_taken_once_when_few_are_on_offer)
{
	rob(3);
}

TEST(deque, every_item_is_taken_once_when_one_is_on_offer)
{
	rob(1);
}

/* Skips while thieves hold marks: what they take was pushed after the mark and before the skip. */
struct skipped {
	struct deque deque;
	_Atomic uintptr_t
		round; /* seq_cst: raised before a skip, so older than what it makes stale */
	_Atomic bool over;
	char *base;
};

static int
steal_marked(void *arg)
{
	struct skipped *s = arg;

	while (!load_acq(&s->over)) {
		int64_t mark = deque_mark(&s->deque);
		uintptr_t round = load_sc(&s->round);
		char *item = deque_steal_at(&s->deque, mark);

		if (item)
			CHECK((uintptr_t)(item - s->base) <= round);
		else
			sched_yield();
	}
	return 0;
}

TEST(deque, a_marked_theft_takes_nothing_of_a_later_round)
{
	uintptr_t n = test_scale(5000000);
	struct skipped s = {.base = malloc(n + 1)};
	struct thread thief;

	CHECK_INT(deque_init(&s.deque, 2, 64, 8), 0);
	CHECK_INT(thread_start(&thief, "thief", steal_marked, &s), 0);
	for (uintptr_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < i % 4; k++)
			CHECK_INT(deque_push(&s.deque, s.base + i), 0);
		while (deque_pop(&s.deque))
			;
		(void)add_sc(&s.round, 1);
		deque_skip(&s.deque);
	}
	store_rel(&s.over, true);
	CHECK_INT(thread_join(&thief), 0);
	deque_fini(&s.deque);
	free(s.base);
}
