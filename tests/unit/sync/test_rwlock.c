#include "test.h"

#include <errno.h>
#include <signal.h>

#include "sync/flag.h"
#include "sync/lock.h"
#include "sync/rwlock.h"
#include "sync/thread.h"

static struct rwlock table;

static void
make_table(void)
{
	rwlock_init(&table, RANK_ENGINE, "table");
}

static int
try_read(void *arg)
{
	if (!rwlock_try_read(arg))
		return 0;
	rwlock_give_read(arg);
	return 1;
}

static int
try_write(void *arg)
{
	if (!rwlock_try_write(arg))
		return 0;
	rwlock_give_write(arg);
	return 1;
}

/* Another thread, that runs one function after the other and tells what each found. Starting and
 * joining one each time would not do: a join is no wait to make under a lock. */
static struct other {
	struct thread thread;
	int (*fn)(void *arg); /* NULL: end */
	int found;
	_Atomic uint32_t step; /* release and acquire: odd while fn runs */
} other;

static int
other_main(void *arg)
{
	(void)arg;
	for (uint32_t step = 1;; step += 2) {
		while (load_acq(&other.step) != step)
			(void)park_wait(&other.step, step - 1, USEC_NEVER);
		if (!other.fn)
			return 0;
		other.found = other.fn(&table);
		store_rel(&other.step, step + 1);
		park_wake(&other.step, 1);
	}
}

static uint32_t
other_begin(int (*fn)(void *arg))
{
	uint32_t step = load_rlx(&other.step) + 1;

	other.fn = fn;
	store_rel(&other.step, step);
	park_wake(&other.step, 1);
	return step;
}

static int
elsewhere(int (*fn)(void *arg))
{
	uint32_t step = other_begin(fn);

	while (load_acq(&other.step) == step)
		(void)park_wait(&other.step, step, USEC_NEVER);
	return other.found;
}

static void
begin(void)
{
	make_table();
	CHECK_INT(thread_start(&other.thread, "other", other_main, NULL), 0);
}

static void
end(void)
{
	lock_assert_none();
	(void)other_begin(NULL);
	CHECK_INT(thread_join(&other.thread), 0);
}

TEST(rwlock, readers_share_it_and_keep_writers_out, .init = begin, .fini = end)
{
	{
		RDLOCK_SCOPE(&table);
		rwlock_assert_read(&table);
		CHECK_INT(elsewhere(try_read), 1);
		CHECK_INT(elsewhere(try_write), 0);
	}
	CHECK_INT(elsewhere(try_write), 1);
}

TEST(rwlock, a_writer_has_it_alone, .init = begin, .fini = end)
{
	{
		WRLOCK_SCOPE(&table);
		rwlock_assert_write(&table);
		CHECK_INT(elsewhere(try_read), 0);
		CHECK_INT(elsewhere(try_write), 0);
	}
	CHECK_INT(elsewhere(try_read), 1);
}

static int
read_until(void *arg)
{
	int r = rwlock_take_read_until(arg, clock_deadline(1000));

	if (r == 0)
		rwlock_give_read(arg);
	return r;
}

static int
write_until(void *arg)
{
	int r = rwlock_take_write_until(arg, clock_deadline(1000));

	if (r == 0)
		rwlock_give_write(arg);
	return r;
}

TEST(rwlock, timed_takes_give_up_and_leave_no_trace, .init = begin, .fini = end)
{
	(void)rwlock_take_write(&table);
	CHECK_INT(elsewhere(read_until), -ETIMEDOUT);
	CHECK_INT(elsewhere(write_until), -ETIMEDOUT);
	rwlock_give_write(&table);
	(void)rwlock_take_read(&table);
	CHECK_INT(elsewhere(write_until), -ETIMEDOUT);
	CHECK_INT(elsewhere(try_read), 1);
	rwlock_give_read(&table);
	CHECK_INT(read_until(&table), 0);
	CHECK_INT(write_until(&table), 0);
}

static int
write_once(void *arg)
{
	WRLOCK_SCOPE(arg);
	return 0;
}

TEST(rwlock, a_waiting_writer_goes_before_new_readers, .init = begin, .fini = end)
{
	struct thread t;

	(void)rwlock_take_read(&table);
	CHECK_INT(thread_start(&t, "writer", write_once, &table), 0);
	while (elsewhere(try_read)) /* until the writer waits */
		;
	rwlock_give_read(&table);
	CHECK_INT(thread_join(&t), 0);
	CHECK_INT(elsewhere(try_read), 1);
}

struct starve {
	struct rwlock lock;
	struct flag over;
	unsigned long n_writes, n_wanted;
};

static int
spin_reading(void *arg)
{
	struct starve *s = arg;
	unsigned long seen = 0;

	while (!flag_seen(&s->over)) {
		RDLOCK_SCOPE(&s->lock);
		CHECK(s->n_writes >= seen);
		seen = s->n_writes;
	}
	return 0;
}

static int
write_some(void *arg)
{
	struct starve *s = arg;

	for (unsigned long i = 0; i < s->n_wanted; i++) {
		WRLOCK_SCOPE(&s->lock);
		s->n_writes++;
	}
	flag_raise(&s->over);
	return 0;
}

/* Eight readers are inside at nearly every moment: a writer that waited for a gap would not end. */
TEST(rwlock, eight_spinning_readers_do_not_starve_a_writer)
{
	struct starve s = {
		.lock = RWLOCK_INITIALIZER(RANK_LEAF, "starve"), .n_wanted = test_scale(100000)};
	struct thread readers[8], writer;

	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		CHECK_INT(thread_start(&readers[i], "reader", spin_reading, &s), 0);
	CHECK_INT(thread_start(&writer, "writer", write_some, &s), 0);
	CHECK_INT(thread_join(&writer), 0);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		CHECK_INT(thread_join(&readers[i]), 0);
	CHECK_INT(s.n_writes, s.n_wanted);
	rwlock_fini(&s.lock);
}

struct pair {
	struct rwlock lock;
	unsigned long a, b; /* equal whenever no writer is inside */
	_Atomic unsigned inside;
	unsigned long turns;
};

static void
look(struct pair *p)
{
	(void)add_rlx(&p->inside, 1);
	CHECK_INT(p->a, p->b);
	(void)sub_rlx(&p->inside, 1);
}

static void
change(struct pair *p)
{
	CHECK_INT(load_rlx(&p->inside), 0);
	p->a++;
	p->b++;
}

/* All six ways in, with deadlines that are mostly too short. Returns how often it wrote. */
static int
read_and_write(void *arg)
{
	struct pair *p = arg;
	int n = 0;

	for (unsigned long i = 0; i < p->turns; i++) {
		usec_t soon = clock_deadline(i % 5);
		bool may_write = i % 4 == 0;

		if (may_write && i % 3 == 0)
			(void)rwlock_take_write(&p->lock);
		else if (may_write && i % 3 == 1 && rwlock_take_write_until(&p->lock, soon) < 0)
			continue;
		else if (may_write && i % 3 == 2 && !rwlock_try_write(&p->lock))
			continue;
		if (may_write) {
			change(p);
			n++;
			rwlock_give_write(&p->lock);
			continue;
		}
		if (i % 3 == 0)
			(void)rwlock_take_read(&p->lock);
		else if (i % 3 == 1 && rwlock_take_read_until(&p->lock, soon) < 0)
			continue;
		else if (i % 3 == 2 && !rwlock_try_read(&p->lock))
			continue;
		look(p);
		rwlock_give_read(&p->lock);
	}
	return n;
}

static void
mix(size_t n_threads, unsigned long turns)
{
	struct pair p = {.lock = RWLOCK_INITIALIZER(RANK_LEAF, "pair"), .turns = turns};
	struct thread t[16];
	unsigned long sum = 0;

	for (size_t i = 0; i < n_threads; i++)
		CHECK_INT(thread_start(&t[i], "mix", read_and_write, &p), 0);
	for (size_t i = 0; i < n_threads; i++)
		sum += (unsigned long)thread_join(&t[i]);
	CHECK_INT(p.a, sum);
	rwlock_fini(&p.lock);
}

TEST(rwlock, writers_are_alone_and_nobody_is_left_asleep)
{
	mix(2, test_scale(5000000));
	mix(4, test_scale(2000000));
	mix(16, test_scale(500000));
}

#if TRAWL_DEBUG
TEST(rwlock, reading_inside_reading_aborts, .init = make_table, .signal = SIGABRT)
{
	(void)rwlock_take_read(&table);
	(void)rwlock_take_read(&table);
}

TEST(rwlock, a_lower_rank_under_it_aborts, .init = make_table, .signal = SIGABRT)
{
	struct lock daemon = LOCK_INITIALIZER(RANK_ROOTS, "daemon");

	(void)rwlock_take_read(&table);
	(void)lock_take(&daemon);
}

TEST(rwlock, giving_what_is_not_held_aborts, .init = make_table, .signal = SIGABRT)
{
	rwlock_give_write(&table);
}

TEST(rwlock, reading_is_not_writing, .init = make_table, .signal = SIGABRT)
{
	(void)rwlock_take_read(&table);
	rwlock_assert_write(&table);
}

TEST(rwlock, waiting_with_it_aborts, .init = make_table, .signal = SIGABRT)
{
	(void)rwlock_take_read(&table);
	lock_assert_none();
}
#endif
