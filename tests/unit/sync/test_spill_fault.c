/*
 * The system calls of the spill channel, and its allocations, fail one after the other. The
 * functions below take the place of libc's in this program; what they do not fail they pass to the
 * kernel.
 */
#include "spill_support.h"

#include <limits.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define OWN_MALLOC 0 /* the sanitizers have theirs */
#else
#	define OWN_MALLOC 1
#endif

enum call {
	CALL_PWRITE,
	CALL_PREAD,
	CALL_FSYNC,
	CALL_OPENAT, /* without O_CREAT */
	CALL_CREATE,
	CALL_FTRUNCATE,
	CALL_UNLINKAT,
	CALL_RENAMEAT,
	CALL_MALLOC,
	N_CALLS
};

#define KILLED 99 /* how a process ends that dies by plan */

/* Calls of the listed kinds are counted from `after` down while this thread asks for it. */
static _Thread_local struct plan {
	unsigned kinds; /* 1u << enum call */
	long after;     /* calls that succeed first */
	long times;     /* then so many fail */
	int error;      /* 0: a pwrite or pread does half of its work */
	bool dies;      /* instead of failing: in the middle of a pwrite, else before the call */
	unsigned n_hit;
} plan;

static bool
fails(enum call call)
{
	if (!(plan.kinds & 1u << call) || plan.after-- > 0)
		return false;
	if (plan.times-- <= 0) {
		plan.kinds = 0;
		return false;
	}
	plan.n_hit++;
	if (plan.dies && call != CALL_PWRITE)
		_exit(KILLED);
	errno = plan.error;
	return true;
}

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t at)
{
	if (fails(CALL_PWRITE)) {
		if (plan.dies) {
			(void)syscall(SYS_pwrite64, fd, buf, len / 3, at);
			_exit(KILLED);
		}
		if (plan.error == 0)
			len = MAX(len / 2, (size_t)1);
		else if (plan.error != EINTR && len > 100) /* something got there all the same */
			(void)syscall(SYS_pwrite64, fd, buf, len / 3, at);
		if (plan.error) {
			errno = plan.error;
			return -1;
		}
	}
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

ssize_t
pread(int fd, void *buf, size_t len, off_t at)
{
	if (fails(CALL_PREAD)) {
		if (plan.error)
			return -1;
		len = MAX(len / 2, (size_t)1);
	}
	return syscall(SYS_pread64, fd, buf, len, at);
}

int
fsync(int fd)
{
	return fails(CALL_FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
ftruncate(int fd, off_t len)
{
	return fails(CALL_FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int
openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (fails(flags & O_CREAT ? CALL_CREATE : CALL_OPENAT))
		return -1;
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

int
unlinkat(int dirfd, const char *path, int flags)
{
	return fails(CALL_UNLINKAT) ? -1 : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

int
renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	if (fails(CALL_RENAMEAT))
		return -1;
	return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, 0);
}

#if OWN_MALLOC
void *__libc_malloc(size_t len);
void *__libc_memalign(size_t align, size_t len);

void *
malloc(size_t len)
{
	return fails(CALL_MALLOC) ? NULL : __libc_malloc(len);
}

void *
aligned_alloc(size_t align, size_t len)
{
	return fails(CALL_MALLOC) ? NULL : __libc_memalign(align, len);
}
#endif

static char *dir;

static void
setup(void)
{
	dir = test_dir();
}

static void
teardown(void)
{
	plan = (struct plan){0};
	test_dir_remove(dir);
}

TestSuite(spill_fault, .init = setup, .fini = teardown);

static struct plan
failing(enum call call, long after, long times, int error)
{
	return (struct plan){.kinds = 1u << call, .after = after, .times = times, .error = error};
}

/* No record over half of 64 bytes goes to memory: everything sent here is for files. */
static struct spill *
open_for_files(enum spill_flags flags)
{
	return spill_at(dir, 64, 64 * MIB, 128 * KIB, flags);
}

static uint64_t
send_until_refused(struct spill *c, uint64_t n, int error)
{
	int r;

	while ((r = send_number(c, n, 100)) == 0)
		n++;
	CHECK_INT(r, error);
	CHECK_INT(send_number(c, n, 100), error);
	return n;
}

static void
refuses_and_recovers(enum call call, int error, int expected)
{
	struct spill *c = open_for_files(0);
	uint64_t sent, got = 0;

	plan = failing(call, 0, LONG_MAX, error);
	sent = send_until_refused(c, 0, expected);
	CHECK(sent > 500); /* the block in memory */
	CHECK_INT(stats_of(c).disk_bytes, 0);
	plan = (struct plan){0};
	for (int i = 0; i < 2000; i++)
		CHECK_INT(send_number(c, sent++, 100), 0);
	plan = failing(call, 0, LONG_MAX, error);
	sent = send_until_refused(c, sent, expected);
	while (got < sent)
		expect(c, got++);
	expect_nothing(c);
	CHECK_INT(spill_ack(c), 0);
	/* The receiver has caught up: room in memory, although no file can be written. */
	CHECK_INT(send_number(c, sent, 100), 0);
	expect(c, sent);
	plan = (struct plan){0};
	CHECK_INT(stats_of(c).n_lost, 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, a_full_disk_refuses_and_recovers)
{
	refuses_and_recovers(CALL_PWRITE, ENOSPC, -ENOSPC);
}

TEST(spill_fault, a_spent_quota_is_a_full_disk)
{
	refuses_and_recovers(CALL_PWRITE, EDQUOT, -ENOSPC);
}

TEST(spill_fault, a_write_error_refuses_and_recovers)
{
	refuses_and_recovers(CALL_PWRITE, EIO, -EIO);
}

TEST(spill_fault, a_segment_that_cannot_be_made_has_no_number)
{
	refuses_and_recovers(CALL_CREATE, EMFILE, -EMFILE);
}

TEST(spill_fault, short_and_interrupted_calls_change_nothing)
{
	for (int error = 0; error <= EINTR; error += EINTR) {
		for (int call = CALL_PWRITE; call <= CALL_PREAD; call++) {
			struct spill *c = open_for_files(0);

			plan = failing((enum call)call, 0, 40, error);
			for (uint64_t i = 0; i < 5000; i++)
				CHECK_INT(send_number(c, i, 100), 0);
			for (uint64_t i = 0; i < 5000; i++)
				expect(c, i);
			CHECK(plan.n_hit >= 10);
			plan = (struct plan){0};
			CHECK_INT(spill_ack(c), 0);
			CHECK_INT(spill_destroy(c), 0);
		}
	}
}

/* What a failed write left behind is written over, or cut off; a restart sees none of it. */
TEST(spill_fault, half_a_block_is_not_seen_again)
{
	struct spill *c = open_for_files(0);
	uint64_t sent = 0;

	for (int i = 0; i < 2000; i++)
		CHECK_INT(send_number(c, sent++, 100), 0);
	plan = failing(CALL_PWRITE, 0, 3, EIO);
	plan.kinds |= 1u << CALL_FTRUNCATE;
	plan.times = 6;
	while (send_number(c, sent, 100) == 0)
		sent++;
	plan = (struct plan){0};
	for (int i = 0; i < 1000; i++)
		CHECK_INT(send_number(c, sent++, 100), 0);
	CHECK_INT(spill_destroy(c), 0);
	c = open_for_files(0);
	CHECK_INT(stats_of(c).torn_bytes, 0);
	for (uint64_t i = 0; i < sent; i++)
		expect(c, i);
	expect_nothing(c);
	CHECK_INT(stats_of(c).damaged_bytes, 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, a_failed_fsync_is_never_taken_for_good)
{
	struct spill *c = open_for_files(SPILL_DURABLE);
	struct span s;

	for (uint64_t i = 0; i < 100; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	plan = failing(CALL_FSYNC, 0, 1, EIO);
	CHECK_INT(spill_flush(c), -EIO);
	CHECK_INT(plan.n_hit, 1);
	/* The kernel would say "good" now: the channel does not ask. */
	CHECK_INT(spill_flush(c), -EIO);
	for (uint64_t i = 100; i < 200; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	CHECK_INT(spill_flush(c), -EIO);
	for (uint64_t i = 0; i < 99; i++)
		expect(c, i);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_flush(c), -EIO); /* 99 is still in doubt */
	CHECK_INT(spill_try_recv(c, &s), 0);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_flush(c), 0); /* what came later is in another segment */
	CHECK_INT(stats_of(c).n_sync_errors, 1);
	for (uint64_t i = 100; i < 200; i++)
		expect(c, i);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
}

/* The second fsync of the first flush is that of the directory. */
TEST(spill_fault, a_name_that_may_not_last_is_in_doubt_too)
{
	struct spill *c = open_for_files(SPILL_DURABLE);

	CHECK_INT(send_number(c, 0, 100), 0);
	plan = failing(CALL_FSYNC, 1, 1, EIO);
	CHECK_INT(spill_flush(c), -EIO);
	CHECK_INT(plan.n_hit, 1);
	CHECK_INT(spill_flush(c), -EIO);
	expect(c, 0);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_flush(c), 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, what_cannot_be_read_is_given_up_once)
{
	struct spill *c = open_for_files(0);
	uint64_t n = 0, last = 0;
	unsigned errors = 0;
	struct span s;
	int r;

	for (uint64_t i = 0; i < 8000; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	plan = failing(CALL_PREAD, 4, 1, EIO);
	while ((r = spill_try_recv(c, &s)) != -EAGAIN) {
		if (r == -EIO) {
			errors++;
			continue;
		}
		CHECK_INT(r, 0);
		CHECK(n == 0 || record_check(s) > last);
		last = record_check(s);
		n++;
	}
	CHECK_INT(errors, 1);
	CHECK_INT(last, 7999);
	CHECK(n < 8000);
	CHECK_INT(n + stats_of(c).n_lost, 8000);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, without_a_descriptor_the_receiver_waits_and_loses_nothing)
{
	struct spill *c = open_for_files(0);
	struct span s;

	for (uint64_t i = 0; i < 3000; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		int r;

		plan = failing(CALL_OPENAT, 0, 2, EMFILE);
		while ((r = spill_try_recv(c, &s)) == -EMFILE)
			;
		CHECK_INT(r, 0);
		CHECK_INT(record_check(s), i);
	}
	plan = (struct plan){0};
	CHECK_INT(stats_of(c).n_lost, 0);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, a_segment_that_is_gone_is_given_up_once)
{
	struct spill *c = open_for_files(0);
	struct span s;
	uint64_t n = 0;
	int r;

	for (uint64_t i = 0; i < 8000; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	plan = failing(CALL_OPENAT, 1, 1, ENOENT);
	for (; (r = spill_try_recv(c, &s)) == 0; n++)
		CHECK_INT(record_check(s), n);
	CHECK_INT(r, -ENOENT);
	n += stats_of(c).n_lost;
	while ((r = spill_try_recv(c, &s)) == 0) {
		CHECK_INT(record_check(s), n);
		n++;
	}
	CHECK_INT(r, -EAGAIN);
	CHECK_INT(n, 8000);
	CHECK_INT(spill_destroy(c), 0);
}

/* Everything that is read at open fails once. The channel opens all the same (but without
 * `position`, for then what was acked would come again), new records come, and the next process
 * gets all of it when the error was a passing one. */
static void
open_with_failing_read(long k)
{
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	struct spill *c = NULL;
	uint64_t last = 0;
	struct span s;
	int r;

	plan = failing(CALL_PREAD, k, 1, EIO);
	r = spill_open(AT_FDCWD, dir, &opts, &c, NULL);
	plan = (struct plan){0};
	CHECK_INT(r, k < 2 ? -EIO : 0);
	if (r < 0)
		return;
	CHECK_INT(send_number(c, 4000, 100), 0);
	while ((r = spill_try_recv(c, &s)) != -EAGAIN) {
		CHECK(r == 0 || r == -EBADMSG);
		last = r == 0 ? record_check(s) : last;
	}
	CHECK_INT(last, 4000);
	CHECK_INT(spill_destroy(c), 0); /* nothing was acked */
}

TEST(spill_fault, a_read_error_at_open_hides_no_more_than_it_must)
{
	for (long k = 0; k < 12; k++) {
		struct spill *c = open_for_files(0);

		for (uint64_t i = 0; i < 4000; i++)
			CHECK_INT(send_number(c, i, 100), 0);
		CHECK_INT(spill_destroy(c), 0);
		open_with_failing_read(k);
		c = open_for_files(0);
		for (uint64_t i = 0; i < 4000; i++)
			expect(c, i);
		CHECK_INT(spill_destroy(c), 0);
		test_dir_remove(dir);
		dir = test_dir();
	}
}

TEST(spill_fault, a_torn_tail_that_cannot_be_cut_refuses_the_open)
{
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	struct spill *c = open_for_files(0);
	char path[512];

	CHECK_INT(send_number(c, 0, 100), 0);
	CHECK_INT(spill_destroy(c), 0);
	(void)snprintf(path, sizeof(path), "%s/%016x.seg", dir, 0);
	CHECK_INT(truncate(path, 2000), 0);
	plan = failing(CALL_FTRUNCATE, 0, 1, EIO);
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, NULL), -EIO);
	CHECK_INT(plan.n_hit, 1);
	c = open_for_files(0);
	CHECK_INT(stats_of(c).torn_bytes, 2000 - 1024);
	expect(c, 0);
	CHECK_INT(spill_destroy(c), 0);
}

/* The ring goes to a file before others, and that cannot get its name. */
TEST(spill_fault, a_flush_that_cannot_name_its_file_fails_until_it_can)
{
	struct spill *c = spill_at(dir, KIB, 64 * MIB, 128 * KIB, 0);

	for (uint64_t i = 0; i < 100; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	plan = failing(CALL_RENAMEAT, 0, 2, EIO);
	CHECK_INT(spill_flush(c), -EIO);
	CHECK_INT(spill_flush(c), -EIO);
	CHECK_INT(spill_flush(c), 0);
	CHECK_INT(plan.n_hit, 2);
	CHECK_INT(spill_destroy(c), 0);
	c = open_for_files(0);
	for (uint64_t i = 0; i < 100; i++)
		expect(c, i);
	CHECK_INT(stats_of(c).torn_bytes, 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_fault, an_ack_that_cannot_be_noted_says_so_and_counts_all_the_same)
{
	struct spill *c = open_for_files(0);

	for (uint64_t i = 0; i < 3000; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	for (uint64_t i = 0; i < 1000; i++)
		expect(c, i);
	plan = failing(CALL_PWRITE, 0, 1, EIO);
	CHECK_INT(spill_ack(c), -EIO);
	CHECK_INT(stats_of(c).acked, 1000);
	CHECK_INT(spill_destroy(c), 0); /* notes it */
	c = open_for_files(0);
	for (uint64_t i = 1000; i < 3000; i++)
		expect(c, i);
	CHECK_INT(spill_destroy(c), 0);
}

/* One run of everything with the kth call failing. Whatever fails: what was accepted comes out in
 * order, unless the receiver is told; what a flush covered is there after a restart. */
struct run {
	uint64_t sent, got, acked, flushed;
	bool told;
};

static bool
run_open(struct spill **ret)
{
	struct spill_opts opts = {
		.max_mem_bytes = 2 * KIB, .max_disk_bytes = 4 * MIB, .segment_bytes = 100 * KIB};

	opts.flags = SPILL_DURABLE;
	return spill_open(AT_FDCWD, dir, &opts, ret, NULL) == 0;
}

static void
run_receive(struct run *run, struct spill *c, uint64_t n)
{
	struct span s;

	while (n > 0 && run->got < run->sent) {
		int r = spill_try_recv(c, &s);
		uint64_t v;

		if (r < 0) {
			run->told = true;
			if (r == -EAGAIN) /* the rest is what it was told of */
				run->got = run->sent;
			continue;
		}
		v = record_check(s);
		CHECK(v == run->got || (run->told && v > run->got));
		run->got = v + 1;
		n--;
	}
	if (spill_ack(c) == 0)
		run->acked = run->got;
}

static void
run_life(struct run *run, struct spill *c)
{
	for (int step = 0; step < 12; step++) {
		for (int i = 0; i < 250 * (step % 4); i++)
			run->sent += send_number(c, run->sent, 60) == 0;
		if (spill_flush(c) == 0)
			run->flushed = run->sent;
		run_receive(run, c, 200);
	}
}

static bool
run_once(struct plan p)
{
	struct run run = {0};
	struct spill *c = NULL;
	bool hit;

	plan = p;
	if (run_open(&c)) {
		run_life(&run, c);
		if (spill_destroy(c) == 0)
			run.flushed = run.sent;
	}
	hit = plan.n_hit > 0;
	plan = (struct plan){0};
	CHECK(run_open(&c));
	run.told = false;
	if (run.got > run.acked)
		run.got = run.acked;
	for (uint64_t v = run.got; v < run.flushed; v++) {
		struct span s;

		CHECK_INT(spill_try_recv(c, &s), 0);
		v = record_check(s); /* more than run.acked may be acked */
		CHECK(v >= run.acked);
	}
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
	test_dir_remove(dir);
	dir = test_dir();
	return hit;
}

TEST(spill_fault, survives_each_failure_of_a_call)
{
	/* Not pread: then the receiver is told, see above. */
	static const enum call calls[] = {
		CALL_PWRITE, CALL_FSYNC, CALL_CREATE, CALL_UNLINKAT, CALL_RENAMEAT};
	static const int errors[] = {ENOSPC, EIO};
	unsigned long step = test_scale(500) >= 10 ? 1 : 5;

	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
			long k = 0;

			while (run_once(failing(calls[i], k, 1, errors[e])))
				k += (long)step;
			CHECK(k > 0);
		}
	}
}

TEST(spill_fault, survives_each_allocation_failure)
{
	long k = 0;

	if (!OWN_MALLOC)
		return;
	while (run_once(failing(CALL_MALLOC, k, 1, ENOMEM)))
		k++;
	CHECK(k > 5);
}

/* What a process that dies by plan had done: shared memory. */
struct life {
	uint64_t sent, got, acked, flushed;
};

static void
live_send(struct life *l, struct spill *c, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		CHECK_INT(send_number(c, l->sent, 60), 0);
		l->sent++;
	}
}

static void
live_receive(struct life *l, struct spill *c, uint64_t n)
{
	struct span s;

	while (n-- > 0 && spill_try_recv(c, &s) == 0) {
		CHECK_INT(record_check(s), l->got);
		l->got++;
	}
}

static void
live_flush(struct life *l, struct spill *c)
{
	CHECK_INT(spill_flush(c), 0);
	l->flushed = l->sent;
}

/* Every way of a record into a file: over the edge of memory, from the ring behind the files, from
 * the ring before them, from a ring that has a gap where records went by file, and all that again
 * with parts of it received and acked. */
static _Noreturn void
live(struct life *l, unsigned kinds, long after)
{
	struct spill *c = spill_at(dir, 4 * KIB, 4 * MIB, 66 * KIB, SPILL_DURABLE);

	plan = (struct plan){.kinds = kinds, .after = after, .times = 1, .dies = true};
	for (uint64_t step = 0; step < 24; step++) {
		live_send(l, c, 11); /* to memory, if nothing waits in files */
		if (step % 3 == 1)
			live_flush(l, c);
		live_send(l, c, 20);
		live_send(l, c, step % 4 * 450);
		if (step % 2)
			live_flush(l, c);
		live_receive(l, c, step % 4 == 2 ? UINT64_MAX : 300);
		if (step % 5 == 4 && spill_ack(c) == 0)
			l->acked = l->got;
	}
	CHECK_INT(spill_destroy(c), 0);
	_exit(0);
}

/* No flushed record is lost, and nothing is taken for damage. Returns false when it was not killed.
 */
static bool
killed_at(struct life *l, unsigned kinds, long after)
{
	struct spill *c;
	uint64_t n;
	int status;
	pid_t pid;

	*l = (struct life){0};
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		live(l, kinds, after);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED));
	c = spill_at(dir, 64, 4 * MIB, 66 * KIB, SPILL_DURABLE);
	for (n = l->acked; n < l->sent; n++) {
		struct span s;
		uint64_t v;
		int r = spill_try_recv(c, &s);

		if (r == -EAGAIN)
			break;
		CHECK_INT(r, 0);
		v = record_check(s);
		CHECK(v == n ||
			v > n); /* more may be acked than was reported, or lost at the end */
		CHECK(v == n || n >= l->flushed || (n == l->acked && v <= l->got));
		n = v;
	}
	CHECK(n >= l->flushed);
	CHECK_INT(stats_of(c).damaged_bytes, 0);
	CHECK_INT(stats_of(c).n_lost, 0);
	live_send(&(struct life){.sent = l->sent}, c, 3);
	CHECK_INT(spill_destroy(c), 0);
	test_dir_remove(dir);
	dir = test_dir();
	return WEXITSTATUS(status) == KILLED;
}

TEST(spill_fault, a_process_killed_at_any_call_loses_no_flushed_record_and_seems_no_damage)
{
	static const enum call calls[] = {
		CALL_PWRITE, CALL_FSYNC, CALL_CREATE, CALL_UNLINKAT, CALL_RENAMEAT};
	struct life *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(l != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		long k = 0;

		while (killed_at(l, 1u << calls[i], k))
			k++;
		CHECK(k > 0);
	}
	CHECK_INT(munmap(l, sizeof(*l)), 0);
}
