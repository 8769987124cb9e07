#include "test.h"

#include "sync/counter.h"
#include "sync/flag.h"
#include "sync/thread.h"

struct adding {
	struct counter_sharded sum;
	struct counter max;
	unsigned long n;
};

static int
add_many(void *arg)
{
	struct adding *a = arg;

	for (unsigned long i = 1; i <= a->n; i++) {
		counter_sharded_add(&a->sum, 1);
		if (i % 1024 == 0)
			counter_max(&a->max, i);
	}
	return 0;
}

/* More threads than shards, so that some share one. */
TEST(counter, the_sum_of_all_shards_is_exact)
{
	static struct adding a;
	struct thread t[20];

	a.n = test_scale(200000000) / ARRAY_LEN(t);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "add", add_many, &a), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	CHECK_INT(counter_sharded_sum(&a.sum), ARRAY_LEN(t) * a.n);
	CHECK_INT(counter_get(&a.max), a.n / 1024 * 1024);
}

TEST(counter, each_shard_has_a_line_of_its_own)
{
	struct counter_sharded c;

	CHECK_INT(sizeof(c), COUNTER_SHARDS * CACHELINE);
	CHECK_INT((uintptr_t)&c.shard[1] % CACHELINE, 0);
}

struct message {
	int text;
	struct flag there;
};

static int
write_and_raise(void *arg)
{
	struct message *m = arg;

	m->text = 42;
	flag_raise(&m->there);
	return 0;
}

TEST(flag, who_sees_it_sees_what_was_written_before)
{
	for (unsigned long n = test_scale(20000); n > 0; n--) {
		struct message m = {0};
		struct thread t;

		CHECK(!flag_seen(&m.there));
		CHECK_INT(thread_start(&t, "raise", write_and_raise, &m), 0);
		while (!flag_seen(&m.there))
			cpu_pause();
		CHECK_INT(m.text, 42);
		CHECK_INT(thread_join(&t), 0);
	}
}
