#include "test.h"

#include <errno.h>

#include "sync/lock.h"
#include "sync/rwlock.h"
#include "sync/thread.h"

struct account {
	struct lock lock;
	struct rwlock rwlock;
	long left, right; /* their sum is 0 whenever nobody is inside */
};

static void
account_init(struct account *a)
{
	*a = (struct account){
		.lock = LOCK_INITIALIZER(RANK_ENGINE, "account"),
		.rwlock = RWLOCK_INITIALIZER(RANK_LEAF, "account"),
	};
}

/* Fails half-way for an amount of 13. */
static int
move(struct account *a, long amount)
{
	LOCK_SECTION(&a->lock, section);

	if (section.found < 0)
		return section.found;
	a->left -= amount;
	if (amount == 13)
		return -EIO;
	a->right += amount;
	lock_section_done(&section);
	return 0;
}

static int
move_thirteen(void *arg)
{
	return move(arg, 13);
}

static int
enter(struct account *a)
{
	int r = lock_enter(&a->lock);

	lock_assert_held(&a->lock);
	lock_give(&a->lock);
	return r;
}

TEST(poison, a_section_that_ends_well_leaves_nothing)
{
	struct account a;

	account_init(&a);
	CHECK_INT(move(&a, 5), 0);
	CHECK_INT(move(&a, 6), 0);
	CHECK_INT(enter(&a), 0);
	CHECK_INT(a.left + a.right, 0);
}

TEST(poison, a_failed_section_is_told_to_every_later_one_until_healed)
{
	struct account a;
	struct thread t;

	account_init(&a);
	CHECK_INT(thread_start(&t, "fails", move_thirteen, &a), 0);
	CHECK_INT(thread_join(&t), -EIO);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(enter(&a), -EOWNERDEAD);
		CHECK_INT(move(&a, 5), -EOWNERDEAD);
	}
	CHECK_INT(lock_enter(&a.lock), -EOWNERDEAD);
	a.left = -a.right;
	lock_heal(&a.lock);
	lock_give(&a.lock);
	CHECK_INT(enter(&a), 0);
	CHECK_INT(move(&a, 5), 0);
	CHECK_INT(a.left + a.right, 0);
}

TEST(poison, a_plain_take_neither_asks_nor_heals)
{
	struct account a;

	account_init(&a);
	CHECK_INT(move(&a, 13), -EIO);
	{
		LOCK_SCOPE(&a.lock);
		CHECK_INT(a.left, -13);
	}
	CHECK_INT(enter(&a), -EOWNERDEAD);
}

TEST(poison, a_section_that_ends_well_does_not_heal_what_it_found)
{
	struct account a;

	account_init(&a);
	CHECK_INT(move(&a, 13), -EIO);
	{
		LOCK_SECTION(&a.lock, section);
		CHECK_INT(section.found, -EOWNERDEAD);
		lock_section_done(&section);
	}
	CHECK_INT(enter(&a), -EOWNERDEAD);
}

static int
write_section(struct account *a, bool fail)
{
	WRLOCK_SECTION(&a->rwlock, section);

	rwlock_assert_write(&a->rwlock);
	if (section.found < 0)
		return section.found;
	if (fail)
		return -EIO;
	rwlock_section_done(&section);
	return 0;
}

static int
enter_read(struct account *a)
{
	int r = rwlock_enter_read(&a->rwlock);

	rwlock_assert_read(&a->rwlock);
	rwlock_give_read(&a->rwlock);
	return r;
}

static int
enter_write(struct account *a)
{
	int r = rwlock_enter_write(&a->rwlock);

	rwlock_give_write(&a->rwlock);
	return r;
}

TEST(poison, a_failed_writer_is_told_to_readers_and_writers_until_healed)
{
	struct account a;

	account_init(&a);
	CHECK_INT(write_section(&a, false), 0);
	CHECK_INT(enter_read(&a), 0);
	CHECK_INT(write_section(&a, true), -EIO);
	CHECK_INT(enter_read(&a), -EOWNERDEAD);
	CHECK_INT(enter_read(&a), -EOWNERDEAD);
	CHECK_INT(enter_write(&a), -EOWNERDEAD);
	CHECK_INT(write_section(&a, false), -EOWNERDEAD);
	CHECK_INT(rwlock_enter_write(&a.rwlock), -EOWNERDEAD);
	rwlock_heal(&a.rwlock);
	rwlock_give_write(&a.rwlock);
	CHECK_INT(enter_read(&a), 0);
	CHECK_INT(write_section(&a, false), 0);
}

/* Readers change nothing, so that there is no way for them to begin a section at all. */
TEST(poison, a_reader_that_fails_poisons_nothing)
{
	struct account a;

	account_init(&a);
	{
		RDLOCK_SCOPE(&a.rwlock);
		CHECK_INT(a.left, 0);
	}
	CHECK_INT(enter_write(&a), 0);
}

struct mob {
	struct account account;
	unsigned long turns;
	unsigned n_failed, n_healed; /* guarded by account.lock */
};

static int
fail_and_heal(void *arg)
{
	struct mob *m = arg;

	for (unsigned long i = 0; i < m->turns; i++) {
		LOCK_SECTION(&m->account.lock, section);

		/* What another thread left half done is always told, so the sum holds. */
		if (section.found < 0) {
			m->account.left = -m->account.right;
			m->n_healed++;
			lock_heal(&m->account.lock);
		}
		CHECK_INT(m->account.left + m->account.right, 0);
		m->account.left--;
		if (i % 7 == 0) {
			m->n_failed++;
			continue;
		}
		m->account.right++;
		lock_section_done(&section);
	}
	return 0;
}

TEST(poison, no_failure_passes_unseen_between_threads)
{
	struct mob m = {.turns = test_scale(1000000)};
	struct thread t[4];

	account_init(&m.account);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "mob", fail_and_heal, &m), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	CHECK_INT(m.n_failed, m.n_healed + (enter(&m.account) < 0 ? 1 : 0));
}
