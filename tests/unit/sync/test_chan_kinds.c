#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync/chan.h"
#include "sync/thread.h"

static void *
number(uint64_t n)
{
	return (void *)(uintptr_t)n;
}

static struct chan *
create(const struct chan_opts *opts)
{
	struct chan *c;

	CHECK_INT(chan_create_with(opts, &c), 0);
	return c;
}

TEST(chan_kinds, options_that_do_not_go_together_are_refused)
{
	struct chan *c = NULL;

	CHECK_INT(chan_create_with(&(struct chan_opts){.kind = CHAN_SPSC}, &c), -EINVAL);
	CHECK_INT(
		chan_create_with(&(struct chan_opts){.kind = CHAN_SPSC, .cap = CHAN_UNBOUNDED}, &c),
		-EINVAL);
	CHECK_INT(chan_create_with(&(struct chan_opts){.cap = 4, .max_bytes = 9}, &c), -EINVAL);
	CHECK_INT(chan_create_with(&(struct chan_opts){.cap = 4, .alarm_items = 9}, &c), -EINVAL);
	CHECK_INT(chan_create_with(&(struct chan_opts){.cap = CHAN_UNBOUNDED - 1}, &c), -EINVAL);
	CHECK(c == NULL);
}

TEST(chan_kinds, capacity_one_is_exact)
{
	struct chan *c = chan_create(1, NULL);
	void *item;

	for (uint64_t i = 0; i < 10; i++) {
		CHECK_INT(chan_try_send(c, number(i)), 0);
		CHECK_INT(chan_try_send(c, number(99)), -EAGAIN);
		CHECK_INT(chan_try_recv(c, &item), 0);
		CHECK(item == number(i));
		CHECK_INT(chan_try_recv(c, &item), -EAGAIN);
	}
	chan_destroy(c);
}

TEST(chan_kinds, an_unbounded_one_keeps_all_in_order_and_raises_its_alarm)
{
	struct chan *c = create(&(struct chan_opts){.cap = CHAN_UNBOUNDED, .alarm_items = 1000});
	struct chan_stats stats;
	void *item;

	for (int lap = 1; lap <= 2; lap++) {
		for (uint64_t i = 0; i < 2000; i++)
			CHECK_INT(chan_try_send(c, number(i)), 0);
		CHECK_INT(chan_len(c), 2000);
		chan_get_stats(c, &stats);
		CHECK_INT(stats.n_alarms, lap);
		for (uint64_t i = 0; i < 2000; i++) {
			CHECK_INT(chan_try_recv(c, &item), 0);
			CHECK(item == number(i));
		}
		CHECK_INT(chan_try_recv(c, &item), -EAGAIN);
	}
	chan_get_stats(c, &stats);
	CHECK(stats.max_len >= 1985 && stats.max_len <= 2000);
	CHECK_INT(stats.n_sent, 4000);
	chan_destroy(c);
}

TEST(chan_kinds, a_rendezvous_needs_both)
{
	struct chan *c = chan_create(0, NULL);
	void *item;

	CHECK_INT(chan_try_send(c, number(1)), -EAGAIN);
	CHECK_INT(chan_try_recv(c, &item), -EAGAIN);
	CHECK_INT(chan_send_until(c, number(1), NULL, clock_deadline(1000)), -ETIMEDOUT);
	CHECK_INT(chan_recv_until(c, &item, NULL, clock_deadline(1000)), -ETIMEDOUT);
	CHECK_INT(chan_len(c), 0);
	chan_close(c);
	CHECK_INT(chan_send(c, number(1), NULL), -EPIPE);
	CHECK_INT(chan_recv(c, &item, NULL), -EPIPE);
	chan_destroy(c);
}

struct party {
	struct thread thread;
	struct chan *chan;
	struct stop *stop;
	void *item;
	_Atomic uint32_t received; /* seq_cst */
};

static int
send_one(void *arg)
{
	struct party *p = arg;
	int r = chan_send(p->chan, number(7), p->stop);

	return r == 0 && !load_sc(&p->received) ? -EBADMSG : r;
}

/* The receiver marks the moment before it takes: a send that ended earlier kept the item. */
TEST(chan_kinds, a_rendezvous_send_ends_when_its_item_was_received)
{
	struct party p = {.chan = chan_create(0, NULL)};
	struct chan_stats stats;
	void *item;

	CHECK_INT(thread_start(&p.thread, "send", send_one, &p), 0);
	do {
		sched_yield();
		chan_get_stats(p.chan, &stats);
	} while (stats.n_send_waits == 0);
	store_sc(&p.received, 1);
	CHECK_INT(chan_recv(p.chan, &item, NULL), 0);
	CHECK(item == number(7));
	CHECK_INT(thread_join(&p.thread), 0);
	chan_destroy(p.chan);
}

TEST(chan_kinds, close_and_token_wake_a_rendezvous_and_the_sender_keeps_its_item)
{
	for (int how = 0; how < 2; how++) {
		struct party p = {.chan = chan_create(0, NULL)};
		struct chan_stats stats;
		struct stop stop;

		stop_init(&stop, NULL);
		p.stop = &stop;
		CHECK_INT(thread_start(&p.thread, "send", send_one, &p), 0);
		do {
			sched_yield();
			chan_get_stats(p.chan, &stats);
		} while (stats.n_send_waits == 0);
		if (how == 0)
			chan_close(p.chan);
		else
			stop_request(&stop);
		CHECK_INT(thread_join(&p.thread), how == 0 ? -EPIPE : -ECANCELED);
		chan_get_stats(p.chan, &stats);
		CHECK_INT(stats.n_sent, 0);
		chan_destroy(p.chan);
		stop_fini(&stop);
	}
}

#if TRAWL_DEBUG
static int
try_send_one(void *arg)
{
	struct party *p = arg;

	return chan_try_send(p->chan, number(1));
}

TEST(chan_kinds, a_second_sender_on_an_spsc_channel_aborts, .signal = SIGABRT)
{
	struct party p = {.chan = create(&(struct chan_opts){.cap = 4, .kind = CHAN_SPSC})};

	CHECK_INT(try_send_one(&p), 0);
	CHECK_INT(thread_start(&p.thread, "second", try_send_one, &p), 0);
	(void)thread_join(&p.thread);
}
#endif

/* Senders number their items, alone or in batches; each receiver sees each sender's numbers ascend,
 * and together they see each number once. */
#define MAX_SIDE 16u
#define BATCH 7u

struct traffic {
	struct chan *chan;
	uint64_t n_each;
	size_t batch;
	_Atomic unsigned next_sender;
	_Atomic uint64_t n_received, sum;
};

static int
send_numbers(void *arg)
{
	struct traffic *t = arg;
	uint64_t me = add_rlx(&t->next_sender, 1);

	for (uint64_t i = 1; i <= t->n_each;) {
		void *items[BATCH];
		size_t n = MIN(t->batch, t->n_each + 1 - i);
		ssize_t r;

		for (size_t k = 0; k < n; k++)
			items[k] = number(me << 40 | (i + k));
		r = chan_send_many(t->chan, items, n, NULL, USEC_NEVER);
		if (r < 0)
			return (int)r;
		i += (uint64_t)r;
	}
	return 0;
}

static int
check_number(uint64_t *last, uint64_t item, uint64_t *sum)
{
	uint64_t from = item >> 40, i = item & ((1ull << 40) - 1);

	if (from >= MAX_SIDE || i <= last[from])
		return -EBADMSG;
	last[from] = i;
	*sum += i;
	return 0;
}

static int
receive_numbers(void *arg)
{
	struct traffic *t = arg;
	uint64_t last[MAX_SIDE] = {0}, n = 0, sum = 0;
	void *items[BATCH];
	ssize_t r;

	while ((r = chan_recv_many(t->chan, items, t->batch, NULL, USEC_NEVER)) > 0) {
		for (ssize_t i = 0; i < r; i++) {
			if (check_number(last, (uint64_t)(uintptr_t)items[i], &sum) < 0)
				return -EBADMSG;
		}
		n += (uint64_t)r;
	}
	(void)add_rlx(&t->n_received, n);
	(void)add_rlx(&t->sum, sum);
	return (int)r;
}

static void
run_traffic(const struct chan_opts *opts, unsigned n_senders, unsigned n_receivers, uint64_t n_each)
{
	for (size_t batch = 1; batch <= BATCH; batch += BATCH - 1) {
		struct traffic t = {.chan = create(opts), .n_each = n_each, .batch = batch};
		struct thread senders[MAX_SIDE], receivers[MAX_SIDE];

		for (unsigned i = 0; i < n_receivers; i++)
			CHECK_INT(thread_start(&receivers[i], "recv", receive_numbers, &t), 0);
		for (unsigned i = 0; i < n_senders; i++)
			CHECK_INT(thread_start(&senders[i], "send", send_numbers, &t), 0);
		for (unsigned i = 0; i < n_senders; i++)
			CHECK_INT(thread_join(&senders[i]), 0);
		chan_close(t.chan);
		for (unsigned i = 0; i < n_receivers; i++)
			CHECK_INT(thread_join(&receivers[i]), -EPIPE);
		CHECK_INT(t.n_received, n_senders * n_each);
		CHECK_INT(t.sum, n_senders * (n_each * (n_each + 1) / 2));
		chan_destroy(t.chan);
	}
}

static size_t
weigh_number(const void *item)
{
	return (uintptr_t)item % 5 * 10; /* 0 to 40 */
}

static const struct chan_opts many[] = {
	{.cap = 1},
	{.cap = 16},
	{.cap = CHAN_UNBOUNDED},
	{.cap = CHAN_UNBOUNDED, .weigh = weigh_number, .max_bytes = 100},
	{.cap = 4, .weigh = weigh_number, .max_bytes = 35},
};

TEST(chan_kinds, every_kind_loses_doubles_and_overtakes_nothing)
{
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		run_traffic(&many[i], 1, 1, test_scale(2000000));
		run_traffic(&many[i], 4, 1, test_scale(500000));
		run_traffic(&many[i], 1, 4, test_scale(2000000));
		run_traffic(&many[i], 4, 4, test_scale(500000));
	}
}

TEST(chan_kinds, one_sender_and_one_receiver_lose_nothing)
{
	static const struct chan_opts opts[] = {
		{.cap = 1, .kind = CHAN_SPSC},
		{.cap = 2, .kind = CHAN_SPSC},
		{.cap = 1024, .kind = CHAN_SPSC},
		{.cap = 64, .kind = CHAN_SPSC, .weigh = weigh_number, .max_bytes = 100},
	};

	for (size_t i = 0; i < ARRAY_LEN(opts); i++)
		run_traffic(&opts[i], 1, 1, test_scale(5000000));
}

TEST(chan_kinds, a_rendezvous_loses_nothing)
{
	static const struct chan_opts opts = {.cap = 0};

	run_traffic(&opts, 1, 1, test_scale(200000));
	run_traffic(&opts, 4, 1, test_scale(50000));
	run_traffic(&opts, 1, 4, test_scale(200000));
	run_traffic(&opts, 4, 4, test_scale(50000));
}

TEST(chan_kinds, eight_times_more_threads_than_cpus_lose_nothing)
{
	static const struct chan_opts opts[] = {{.cap = 8}, {.cap = 0}, {.cap = CHAN_UNBOUNDED}};

	for (size_t i = 0; i < ARRAY_LEN(opts); i++)
		run_traffic(&opts[i], MAX_SIDE, MAX_SIDE, test_scale(50000));
}

static size_t
weigh_itself(const void *item)
{
	return (uintptr_t)item;
}

TEST(chan_kinds, a_bound_in_bytes_admits_what_fits_and_a_giant_alone)
{
	struct chan *c =
		create(&(struct chan_opts){.cap = 8, .weigh = weigh_itself, .max_bytes = 100});
	void *batch[] = {number(20), number(30), number(60)};
	struct chan_stats stats;
	void *item;

	CHECK_INT(chan_try_send(c, number(60)), 0);
	CHECK_INT(chan_try_send(c, number(41)), -EAGAIN);
	CHECK_INT(chan_try_send(c, number(40)), 0);
	chan_get_stats(c, &stats);
	CHECK_INT(stats.bytes, 100);
	CHECK_INT(chan_try_recv(c, &item), 0);
	CHECK_INT(chan_try_send(c, number(1000)), -EAGAIN);
	CHECK_INT(chan_try_recv(c, &item), 0);
	CHECK_INT(chan_try_send(c, number(1000)), 0);
	CHECK_INT(chan_try_send(c, number(1)), -EAGAIN);
	CHECK_INT(chan_try_recv(c, &item), 0);
	CHECK_INT(chan_try_send_many(c, batch, 3), 2);
	chan_get_stats(c, &stats);
	CHECK_INT(stats.bytes, 50);
	CHECK_INT(stats.most_bytes, 1000);
	chan_close(c);
	CHECK_INT(chan_try_send(c, number(90)), -EPIPE); /* closed, not full */
	chan_destroy(c);
}

TEST(chan_kinds, a_full_ring_gives_the_bytes_back)
{
	struct chan *c =
		create(&(struct chan_opts){.cap = 2, .weigh = weigh_itself, .max_bytes = 100});
	void *batch[] = {number(10), number(10), number(10), number(10)};
	struct chan_stats stats;

	CHECK_INT(chan_try_send_many(c, batch, 4), 2);
	CHECK_INT(chan_try_send(c, number(10)), -EAGAIN);
	chan_get_stats(c, &stats);
	CHECK_INT(stats.bytes, 20);
	chan_destroy(c);
}

#define BLOCK_BYTES 1024u

static size_t
weigh_block(const void *item)
{
	(void)item;
	return BLOCK_BYTES;
}

static int
send_blocks(void *arg)
{
	struct traffic *t = arg;

	for (uint64_t i = 0; i < t->n_each; i++) {
		char *block = malloc(BLOCK_BYTES);

		if (!block)
			return -ENOMEM;
		memset(block, 1, BLOCK_BYTES);
		if (chan_send(t->chan, block, NULL) < 0)
			return -EPIPE;
	}
	chan_close(t->chan);
	return 0;
}

static long
resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%ld %ld", &size, &resident) == 2);
	(void)fclose(f);
	return resident;
}

/* Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool hoards = true;
#else
static const bool hoards = false;
#endif

/* The receiver does a little with each item, so the sender is always ahead. */
TEST(chan_kinds, memory_stays_flat_behind_a_slow_receiver)
{
	struct traffic t = {.chan = create(&(struct chan_opts){.cap = CHAN_UNBOUNDED,
				    .weigh = weigh_block,
				    .max_bytes = 256 * BLOCK_BYTES}),
		.n_each = test_scale(2000000)};
	struct thread sender;
	long early = 0, most = 0;
	struct chan_stats stats;
	uint64_t n = 0;
	void *item;

	CHECK_INT(thread_start(&sender, "send", send_blocks, &t), 0);
	while (chan_recv(t.chan, &item, NULL) == 0) {
		for (int i = 0; i < 50; i++)
			cpu_pause();
		free(item);
		if (++n == t.n_each / 4)
			early = resident_pages();
		else if (n % (t.n_each / 16) == 0)
			most = MAX(most, resident_pages());
	}
	CHECK_INT(n, t.n_each);
	CHECK_INT(thread_join(&sender), 0);
	chan_get_stats(t.chan, &stats);
	CHECK(stats.most_bytes <= 256 * BLOCK_BYTES);
	CHECK(stats.max_len <= 257);
	if (!hoards)
		CHECK(most <= early + early / 20 + 256); /* 1 MiB for the allocator's whims */
	chan_destroy(t.chan);
}

/* The loop of the header: a lost wake-up ends in a read that lasts for ever. */
static uint64_t
loop_until_closed(struct chan *c, int fd)
{
	uint64_t n = 0, count;

	for (;;) {
		void *item;
		int r;

		while ((r = chan_try_recv(c, &item)) == 0)
			n++;
		if (r == -EPIPE)
			return n;
		if (chan_arm(c))
			continue;
		CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
		chan_disarm(c);
	}
}

static int
send_and_close(void *arg)
{
	struct traffic *t = arg;
	int r = send_numbers(t);

	chan_close(t->chan);
	return r;
}

TEST(chan_kinds, an_event_loop_misses_nothing_of_any_kind)
{
	static const struct chan_opts opts[] = {
		{.cap = 0},
		{.cap = 1},
		{.cap = 16, .kind = CHAN_SPSC},
		{.cap = CHAN_UNBOUNDED},
		{.cap = 16, .weigh = weigh_number, .max_bytes = 100},
	};

	for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
		struct traffic t = {.chan = create(&opts[i]),
			.n_each = test_scale(opts[i].cap == 0 ? 200000 : 2000000),
			.batch = 3};
		int fd = eventfd(0, EFD_CLOEXEC);
		struct thread sender;

		chan_set_event_fd(t.chan, fd);
		CHECK_INT(thread_start(&sender, "send", send_and_close, &t), 0);
		CHECK_INT(loop_until_closed(t.chan, fd), t.n_each);
		CHECK_INT(thread_join(&sender), 0);
		chan_destroy(t.chan);
		(void)close(fd);
	}
}

/* What the kernel says to the barrier when it has no memory for it. */
static bool
refuse_barriers(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(chan_kinds, an_spsc_channel_sleeps_without_memory_for_a_barrier)
{
	struct traffic t = {.chan = create(&(struct chan_opts){.cap = 16, .kind = CHAN_SPSC}),
		.n_each = 50,
		.batch = 3};
	int fd = eventfd(0, EFD_CLOEXEC);
	struct thread sender;

	if (refuse_barriers()) {
		chan_set_event_fd(t.chan, fd);
		CHECK_INT(thread_start(&sender, "send", send_and_close, &t), 0);
		CHECK_INT(loop_until_closed(t.chan, fd), t.n_each);
		CHECK_INT(thread_join(&sender), 0);
	}
	chan_destroy(t.chan);
	(void)close(fd);
}

TEST(chan_kinds, a_sender_sleeps_where_bytes_fit_and_slots_do_not)
{
	static const struct chan_opts opts[] = {
		{.cap = 2, .weigh = weigh_number, .max_bytes = 100},
		{.cap = 2, .weigh = weigh_number, .max_bytes = 100, .kind = CHAN_SPSC},
	};

	for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
		struct chan *c = create(&opts[i]);
		struct chan_stats stats;

		CHECK_INT(chan_try_send(c, number(1)), 0);
		CHECK_INT(chan_try_send(c, number(1)), 0);
		CHECK_INT(chan_send_until(c, number(1), NULL, clock_mono() + 50000), -ETIMEDOUT);
		chan_get_stats(c, &stats);
		CHECK_INT(stats.n_send_waits, 1);
		CHECK_INT(stats.bytes, 2 * weigh_number(number(1)));
		chan_destroy(c);
	}
}
