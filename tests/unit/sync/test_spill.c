#include "spill_support.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "sync/thread.h"

static char *dir;

static void
setup(void)
{
	dir = test_dir();
}

static void
teardown(void)
{
	test_dir_remove(dir);
}

TestSuite(spill, .init = setup, .fini = teardown);

static unsigned
n_segment_files(void)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	unsigned n = 0;

	CHECK(d);
	while ((e = readdir(d)))
		n += strstr(e->d_name, ".seg") != NULL;
	(void)closedir(d);
	return n;
}

TEST(spill, what_fits_in_memory_touches_no_file)
{
	struct spill *c = spill_at(dir, 64 * KIB, MIB, 0, SPILL_AUTO_ACK);

	for (uint64_t lap = 0; lap < 100; lap++) {
		for (uint64_t i = 0; i < 100; i++)
			CHECK_INT(send_number(c, lap * 100 + i, 8 + i), 0);
		for (uint64_t i = 0; i < 100; i++)
			expect(c, lap * 100 + i);
		expect_nothing(c);
	}
	CHECK_INT(stats_of(c).n_spilled, 0);
	CHECK_INT(n_segment_files(), 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill, records_of_every_length_keep_their_bytes)
{
	struct spill *c = spill_at(dir, 4 * KIB, 64 * MIB, MIB, SPILL_AUTO_ACK);
	struct span s;

	CHECK_INT(spill_send(c, "", 0), 0);
	CHECK_INT(spill_send(c, NULL, 0), 0);
	for (size_t len = 8; len <= SPILL_RECORD_MAX_BYTES; len += len < 600 ? 1 : 997)
		CHECK_INT(send_number(c, len, len), 0);
	CHECK_INT(send_number(c, 7, SPILL_RECORD_MAX_BYTES), 0);
	CHECK_INT(spill_send(c, "", SPILL_RECORD_MAX_BYTES + 1), -EMSGSIZE);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(spill_try_recv(c, &s), 0);
		CHECK_INT(s.len, 0);
	}
	for (size_t len = 8; len <= SPILL_RECORD_MAX_BYTES; len += len < 600 ? 1 : 997) {
		CHECK_INT(spill_try_recv(c, &s), 0);
		CHECK_INT(s.len, len);
		CHECK_INT(record_check(s), len);
	}
	expect(c, 7);
	expect_nothing(c);
	CHECK_INT(stats_of(c).n_refused, 1);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill, order_is_kept_across_memory_and_disk)
{
	struct spill *c = spill_at(dir, KIB, 64 * MIB, 256 * KIB, SPILL_AUTO_ACK);
	uint64_t sent = 0, got = 0;

	/* Batches grow past the memory and shrink again, and are drained by different steps. */
	for (unsigned lap = 0; lap < 60; lap++) {
		for (unsigned i = 0; i < lap * lap * 3; i++)
			CHECK_INT(send_number(c, sent++, 24), 0);
		while (got < sent && (lap % 3 == 0 || sent - got > 1000))
			expect(c, got++);
		if (got == sent) /* who asks again goes back to memory */
			expect_nothing(c);
	}
	while (got < sent)
		expect(c, got++);
	expect_nothing(c);
	CHECK(stats_of(c).n_flips > 5);
	CHECK(stats_of(c).n_spilled > sent / 2);
	CHECK_INT(spill_destroy(c), 0);
	CHECK_INT(n_segment_files(), 0);
}

TEST(spill, files_go_as_they_are_drained)
{
	struct spill *c = spill_at(dir, KIB, 64 * MIB, 128 * KIB, 0);

	for (uint64_t i = 0; i < 20000; i++)
		CHECK_INT(send_number(c, i, 60), 0);
	CHECK(n_segment_files() > 5);
	for (uint64_t i = 0; i < 20000; i++)
		expect(c, i);
	CHECK(n_segment_files() > 5); /* received, but not acked */
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(n_segment_files(), 0);
	CHECK_INT(stats_of(c).disk_bytes, 0);
	CHECK_INT(stats_of(c).acked, 20000);
	CHECK_INT(spill_destroy(c), 0);
}

/* hopper's first defect: its iterator goes on for ever after all senders are gone. */
TEST(spill, receiver_ends_after_the_senders_are_done)
{
	struct spill *c = spill_at(dir, KIB, MIB, 0, SPILL_AUTO_ACK);
	struct span s;

	for (uint64_t i = 0; i < 500; i++)
		CHECK_INT(send_number(c, i, 64), 0);
	spill_close(c);
	spill_close(c);
	CHECK_INT(send_number(c, 500, 64), -EPIPE);
	for (uint64_t i = 0; i < 500; i++) {
		CHECK_INT(spill_recv(c, &s, NULL), 0);
		CHECK_INT(record_check(s), i);
	}
	CHECK_INT(spill_recv(c, &s, NULL), -EPIPE);
	CHECK_INT(spill_try_recv(c, &s), -EPIPE);
	CHECK(spill_arm(c));
	CHECK_INT(spill_destroy(c), 0);
}

/* hopper's second: ten sends into memory for one, and one is delivered until somebody flushes. */
TEST(spill, no_record_is_stranded_until_a_flush)
{
	struct spill *c = spill_at(dir, 64, MIB, 0, SPILL_AUTO_ACK);

	for (uint64_t i = 0; i < 10; i++)
		CHECK_INT(send_number(c, i, 16), 0);
	CHECK(stats_of(c).n_spilled >= 8);
	for (uint64_t i = 0; i < 10; i++)
		expect(c, i);
	expect_nothing(c);
	CHECK_INT(n_segment_files(), 0); /* nor was a file needed */
	CHECK_INT(spill_destroy(c), 0);
}

/* hopper's third: once full, no send succeeds again, and what is accepted later is never received.
 */
TEST(spill, once_full_it_works_again_as_soon_as_there_is_room)
{
	struct spill *c = spill_at(dir, KIB, 256 * KIB, 64 * KIB, SPILL_AUTO_ACK);
	uint64_t sent = 0, got = 0;

	for (unsigned lap = 0; lap < 20; lap++) {
		uint64_t room;

		while (send_number(c, sent, 100) == 0)
			sent++;
		for (int i = 0; i < 50; i++)
			CHECK_INT(send_number(c, sent, 100), -EOVERFLOW);
		CHECK(stats_of(c).disk_bytes <= 256 * KIB);
		room = got + (lap % 2 ? 1200 : sent - got);
		while (got < room)
			expect(c, got++);
		CHECK_INT(send_number(c, sent, 100), 0);
		sent++;
	}
	while (got < sent)
		expect(c, got++);
	expect_nothing(c);
	CHECK(stats_of(c).n_refused >= 1000);
	CHECK_INT(stats_of(c).n_lost, 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill, without_a_disk_limit_it_is_a_ring_that_refuses)
{
	struct spill *c = spill_at(dir, KIB, 0, 0, SPILL_AUTO_ACK);
	uint64_t sent = 0, got = 0;

	for (unsigned lap = 0; lap < 50; lap++) {
		while (send_number(c, sent, 8 + sent % 100) == 0)
			sent++;
		CHECK_INT(send_number(c, sent, 8 + sent % 100), -EOVERFLOW);
		while (got < sent)
			expect(c, got++);
		expect_nothing(c); /* its receive acks the last one */
	}
	CHECK_INT(n_segment_files(), 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill, many_are_received_at_once_and_stay_until_the_next_call)
{
	struct spill *c = spill_at(dir, 2 * KIB, 64 * MIB, 0, SPILL_AUTO_ACK);
	struct span s[100];
	uint64_t got = 0;

	for (uint64_t i = 0; i < 5000; i++)
		CHECK_INT(send_number(c, i, 40), 0);
	while (got < 5000) {
		int n = spill_recv_many(c, s, 100, NULL, USEC_NEVER);

		CHECK(n >= 1 && n <= 100);
		for (int i = 0; i < n; i++)
			CHECK_INT(record_check(s[i]), got++);
	}
	CHECK_INT(spill_recv_many(c, s, 100, NULL, 0), -ETIMEDOUT);
	CHECK_INT(spill_recv_many(c, s, 0, NULL, 0), -EINVAL);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill, a_wait_ends_by_deadline_and_by_token)
{
	struct spill *c = spill_at(dir, KIB, MIB, 0, 0);
	struct stop stop;
	struct span s;

	stop_init(&stop, NULL);
	CHECK_INT(spill_recv_until(c, &s, &stop, clock_deadline(2 * USEC_PER_MSEC)), -ETIMEDOUT);
	stop_request(&stop);
	CHECK_INT(spill_recv(c, &s, &stop), -ECANCELED);
	stop_fini(&stop);
	CHECK_INT(spill_destroy(c), 0);
}

static int
request_stop(void *arg)
{
	stop_request(arg);
	return 0;
}

TEST(spill, a_token_wakes_the_sleeping_receiver)
{
	for (unsigned long i = 0; i < 1 + test_scale(20000); i++) {
		struct spill *c = i ? NULL : spill_at(dir, KIB, MIB, 0, 0);
		static struct spill *kept;
		struct thread t;
		struct stop stop;
		struct span s;

		kept = c ? c : kept;
		stop_init(&stop, NULL);
		CHECK_INT(thread_start(&t, "stopper", request_stop, &stop), 0);
		CHECK_INT(spill_recv(kept, &s, &stop), -ECANCELED);
		CHECK_INT(thread_join(&t), 0);
		stop_fini(&stop);
		if (i == test_scale(20000))
			CHECK_INT(spill_destroy(kept), 0);
	}
}

TEST(spill, an_armed_event_fd_is_written_once)
{
	struct spill *c = spill_at(dir, KIB, MIB, 0, SPILL_AUTO_ACK);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	spill_set_event_fd(c, fd);
	CHECK_INT(send_number(c, 0, 8), 0);
	CHECK_INT(poll(&p, 1, 0), 0); /* not armed */
	CHECK(spill_arm(c));          /* there is something already */
	expect(c, 0);
	CHECK(!spill_arm(c));
	for (uint64_t i = 1; i <= 100; i++)
		CHECK_INT(send_number(c, i, 64), 0);
	CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
	CHECK_INT(count, 1);
	for (uint64_t i = 1; i <= 100; i++)
		expect(c, i);
	expect_nothing(c);
	CHECK(!spill_arm(c));
	spill_close(c);
	CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
	spill_set_event_fd(c, -1);
	(void)close(fd);
	CHECK_INT(spill_destroy(c), 0);
}

struct producer {
	struct spill *c;
	struct thread thread;
	uint64_t first, n, step;
	size_t len;
	uint64_t n_refused;
};

static int
produce(void *arg)
{
	struct producer *p = arg;

	for (uint64_t i = 0; i < p->n; i++) {
		int r;

		/* Full: only the receiver can help. Spins on the scheduler, as a sender does not
		 * wait in the channel. */
		while ((r = send_number(p->c, p->first + i * p->step, p->len)) == -EOVERFLOW) {
			p->n_refused++;
			(void)sched_yield();
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Each sender's records in order, all of them, whatever the memory: by batches, or by the event fd.
 */
static void
run_producers(unsigned n_producers, uint64_t n, uint64_t mem, uint64_t disk, bool loop)
{
	struct spill *c = spill_at(dir, mem, disk, 128 * KIB, SPILL_AUTO_ACK);
	struct producer p[16];
	uint64_t next[16] = {0}, got = 0;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct span s[16];

	spill_set_event_fd(c, fd);
	for (unsigned i = 0; i < n_producers; i++) {
		p[i] = (struct producer){
			.c = c, .first = i, .n = n, .step = n_producers, .len = 16 + 8 * i};
		CHECK_INT(thread_start(&p[i].thread, "producer", produce, &p[i]), 0);
	}
	while (got < n * n_producers) {
		uint64_t count;
		int k = loop ? spill_try_recv(c, s)
		             : spill_recv_many(c, s, 1 + got % 16, NULL, USEC_NEVER);

		if (k == -EAGAIN) {
			if (!spill_arm(c))
				CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
			spill_disarm(c);
			continue;
		}
		CHECK(k >= 0);
		for (int i = 0; i < (loop ? 1 : k); i++) {
			uint64_t v = record_check(s[i]);

			CHECK_INT(v / n_producers, next[v % n_producers]++);
			got++;
		}
	}
	for (unsigned i = 0; i < n_producers; i++)
		CHECK_INT(thread_join(&p[i].thread), 0);
	expect_nothing(c);
	CHECK_INT(stats_of(c).n_sent, n * n_producers);
	CHECK_INT(stats_of(c).n_received, n * n_producers);
	spill_set_event_fd(c, -1);
	(void)close(fd);
	CHECK_INT(spill_destroy(c), 0);
	CHECK_INT(n_segment_files(), 0);
}

TEST(spill, one_sender_in_memory)
{
	run_producers(1, test_scale(5000000), MIB, 64 * MIB, false);
}

TEST(spill, one_sender_over_the_edge_of_memory)
{
	run_producers(1, test_scale(5000000), 256, 64 * MIB, false);
}

TEST(spill, four_senders_over_the_edge_of_memory)
{
	run_producers(4, test_scale(1000000), KIB, 64 * MIB, false);
}

TEST(spill, four_senders_over_the_edge_of_the_disk)
{
	run_producers(4, test_scale(1000000), 256, 192 * KIB, false);
}

TEST(spill, far_more_senders_than_processors)
{
	run_producers(16, test_scale(200000), KIB, 64 * MIB, false);
}

TEST(spill, four_senders_to_an_event_loop)
{
	run_producers(4, test_scale(1000000), KIB, 64 * MIB, true);
}

struct flusher {
	struct spill *c;
	struct thread thread;
	_Atomic uint32_t stop; /* relaxed: only ends the loop */
	uint64_t n;
};

static int
keep_flushing(void *arg)
{
	struct flusher *f = arg;
	int r;

	do {
		r = spill_flush(f->c);
		f->n++;
	} while (r == 0 && !load_rlx(&f->stop));
	return r;
}

/* The ring goes to files aside while senders spill, segments go while they are synced, and a
 * restart in the end finds what was not acked. */
static void
run_flushers(uint64_t n, uint64_t mem, enum spill_flags flags)
{
	struct spill *c = spill_at(dir, mem, 256 * MIB, 64 * KIB, flags);
	struct flusher f[2] = {{.c = c}, {.c = c}};
	struct producer p = {.c = c, .n = n, .step = 1, .len = 40};
	uint64_t got = 0, acked = 0;
	struct span s[32];

	for (unsigned i = 0; i < 2; i++)
		CHECK_INT(thread_start(&f[i].thread, "flusher", keep_flushing, &f[i]), 0);
	CHECK_INT(thread_start(&p.thread, "producer", produce, &p), 0);
	while (got < n - n / 10) {
		int k = spill_recv_many(c, s, 32, NULL, USEC_NEVER);

		CHECK(k > 0);
		for (int i = 0; i < k; i++)
			CHECK_INT(record_check(s[i]), got++);
		if (got - acked > got % 700) {
			CHECK_INT(spill_ack(c), 0);
			acked = got;
		}
	}
	CHECK_INT(thread_join(&p.thread), 0);
	for (unsigned i = 0; i < 2; i++) {
		store_rlx(&f[i].stop, 1);
		CHECK_INT(thread_join(&f[i].thread), 0);
		CHECK(f[i].n > 0);
	}
	CHECK_INT(spill_destroy(c), 0);
	c = spill_at(dir, mem, 256 * MIB, 64 * KIB, flags);
	while (acked < n)
		expect(c, acked++);
	expect_nothing(c);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
	CHECK_INT(n_segment_files(), 0);
}

TEST(spill, flushes_and_acks_race_with_a_sender_in_memory)
{
	run_flushers(test_scale(1000000) + 20000, 4 * MIB, 0);
}

TEST(spill, flushes_and_acks_race_with_a_sender_over_the_edge)
{
	run_flushers(test_scale(1000000) + 20000, 4 * KIB, 0);
}

TEST(spill, syncs_and_acks_race_with_a_sender_over_the_edge)
{
	run_flushers(test_scale(200000) + 2000, 4 * KIB, SPILL_DURABLE);
}

/* Random sends, receives, acks, flushes and restarts against a plain counter: records are numbers,
 * so the model of a queue is two of them, and a third for what an ack covered. */
struct model {
	struct spill *c;
	uint64_t sent, got, acked;
	uint64_t mem, disk;
	enum spill_flags flags;
};

static uint64_t
roll(uint64_t *seed, uint64_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % n;
}

static void
random_send(struct model *m, uint64_t *seed)
{
	uint64_t n = roll(seed, 300);
	size_t max = roll(seed, 50) ? 100 : 20000;

	for (uint64_t i = 0; i < n; i++) {
		int r = send_number(m->c, m->sent, 8 + roll(seed, max));

		CHECK(r == 0 || r == -EOVERFLOW);
		m->sent += r == 0;
	}
}

static void
random_receive(struct model *m, uint64_t *seed)
{
	uint64_t n = roll(seed, 400);
	struct span s[8];

	while (n > 0 && m->got < m->sent) {
		int k = spill_recv_many(m->c, s, 1 + roll(seed, MIN(n, 8ull)), NULL, USEC_NEVER);

		if (m->flags & SPILL_AUTO_ACK)
			m->acked = m->got;
		CHECK(k > 0);
		for (int i = 0; i < k; i++)
			CHECK_INT(record_check(s[i]), m->got++);
		n -= MIN(n, (uint64_t)k);
	}
	if (m->got == m->sent) {
		expect_nothing(m->c);
		if (m->flags & SPILL_AUTO_ACK)
			m->acked = m->got;
	}
}

static void
random_restart(struct model *m)
{
	if (spill_destroy(m->c) == 0)
		m->got = m->acked;
	else
		CHECK(false);
	m->c = spill_at(dir, m->mem, m->disk, 64 * KIB, m->flags);
	CHECK_INT(stats_of(m->c).n_found, m->sent - m->acked);
	CHECK_INT(stats_of(m->c).torn_bytes, 0);
}

static void
random_step(struct model *m, uint64_t *seed)
{
	uint64_t what = roll(seed, 100);

	if (what < 45) {
		random_send(m, seed);
	} else if (what < 85) {
		random_receive(m, seed);
	} else if (what < 92) {
		CHECK_INT(spill_ack(m->c), 0);
		m->acked = m->got;
	} else if (what < 97) {
		int r = spill_flush(m->c);

		CHECK(r == 0 || r == -EOVERFLOW);
	} else if (spill_flush(m->c) == 0) { /* else there is no room to save what is in memory */
		random_restart(m);
	}
	CHECK(stats_of(m->c).disk_bytes <= m->disk);
	CHECK_INT(stats_of(m->c).n_lost, 0);
	CHECK_INT(stats_of(m->c).damaged_bytes, 0);
}

static void
run_model(uint64_t seed)
{
	struct model m = {.mem = 64ull << roll(&seed, 10), .disk = (64 + roll(&seed, 2000)) * KIB};

	m.flags = roll(&seed, 2) ? SPILL_AUTO_ACK : 0;
	m.c = spill_at(dir, m.mem, m.disk, 64 * KIB, m.flags);
	for (int i = 0; i < 200; i++)
		random_step(&m, &seed);
	while (m.got < m.sent)
		expect(m.c, m.got++);
	expect_nothing(m.c);
	CHECK_INT(spill_ack(m.c), 0);
	CHECK_INT(spill_destroy(m.c), 0);
	CHECK_INT(n_segment_files(), 0);
}

TEST(spill, behaves_as_a_queue_under_random_operations)
{
	uint64_t base = clock_real();

	(void)fprintf(stderr, "seeds from %llu on\n", (unsigned long long)base);
	for (uint64_t i = 0; i < 5 + test_scale(1500); i++) {
		uint64_t seed = i < 5 ? i + 1 : base + i;

		run_model(seed);
	}
}
