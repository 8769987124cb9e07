#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sync/cpus.h"
#include "sync/membarrier.h"
#include "sync/park.h"
#include "sync/registry.h"

static int
give_back(void *arg)
{
	return *(int *)arg;
}

TEST(thread, join_returns_what_the_function_returned)
{
	int value = -EIO;
	struct thread t;

	CHECK_INT(thread_start(&t, "give", give_back, &value), 0);
	CHECK_INT(thread_join(&t), -EIO);
}

TEST(thread, joining_what_was_never_started_is_nothing)
{
	struct thread t = {0};

	CHECK_INT(thread_join(&t), 0);
}

static int
read_name(void *arg)
{
	return pthread_getname_np(pthread_self(), arg, 16);
}

TEST(thread, the_kernel_knows_its_name)
{
	struct thread t;
	char name[16];

	CHECK_INT(thread_start(&t, "walk/12", read_name, name), 0);
	CHECK_INT(thread_join(&t), 0);
	CHECK_STR(name, "walk/12");
	CHECK_INT(thread_start(&t, "a-name-past-fifteen-bytes", read_name, name), 0);
	CHECK_INT(thread_join(&t), 0);
	CHECK_STR(name, "a-name-past-fif");
}

TEST(thread, the_first_one_finds_the_process_registered_for_barriers)
{
	int value = 0;
	struct thread t;
	long r;

	__libc_single_threaded = 1; /* as it is without a runner of tests */
	CHECK_INT(thread_start(&t, "give", give_back, &value), 0);
	CHECK_INT(thread_join(&t), 0);
	r = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	if (membarrier_offered()) /* which registers, so it is asked last */
		CHECK_INT(r, 0);
}

static int
read_mask(void *arg)
{
	return pthread_sigmask(SIG_SETMASK, NULL, arg);
}

TEST(thread, signals_are_blocked_but_those_of_a_fault)
{
	sigset_t mask, own;
	struct thread t;

	CHECK_INT(thread_start(&t, "mask", read_mask, &mask), 0);
	CHECK_INT(thread_join(&t), 0);
	CHECK(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP) &&
		sigismember(&mask, SIGINT) && sigismember(&mask, SIGPIPE));
	CHECK(!sigismember(&mask, SIGBUS) && !sigismember(&mask, SIGSEGV));
	(void)read_mask(&own);
	CHECK(!sigismember(&own, SIGTERM));
}

static int
fail_with_words(void *arg)
{
	return err_set(thread_err(), -ENOSPC, "could not write \"%s\": disk full", (char *)arg);
}

static int
fail_silently(void *arg)
{
	(void)arg;
	return -EACCES;
}

TEST(thread, the_sentence_of_a_failure_reaches_who_joins)
{
	struct thread t;
	char name[] = "x";

	CHECK_INT(thread_start(&t, "words", fail_with_words, name), 0);
	CHECK_INT(thread_join(&t), -ENOSPC);
	CHECK_STR(t.err.what, "could not write \"x\": disk full");
	CHECK_INT(t.err.code, -ENOSPC);
	CHECK_INT(thread_start(&t, "silent", fail_silently, NULL), 0);
	CHECK_INT(thread_join(&t), -EACCES);
	CHECK_STR(t.err.what, "thread \"silent\" failed: permission denied");
	CHECK_INT(t.err.code, -EACCES);
}

TEST(thread, a_thread_that_is_not_ours_has_no_words)
{
	CHECK(thread_self() == NULL && thread_err() == NULL);
	thread_doing("nothing at all");
	thread_set_idle(true);
}

/* A thread that runs until it is told to end, and says when it has begun. */
struct held {
	struct thread thread;
	_Atomic uint32_t begun, go; /* seq_cst: 0, then 1 */
};

static void
raise_flag(_Atomic uint32_t *flag)
{
	store_sc(flag, 1);
	park_wake(flag, UINT32_MAX);
}

static void
await_flag(_Atomic uint32_t *flag)
{
	while (load_sc(flag) == 0)
		(void)park_wait(flag, 0, USEC_NEVER);
}

static int
hold(void *arg)
{
	struct held *h = arg;

	thread_doing("reading %s", "/srv");
	raise_flag(&h->begun);
	await_flag(&h->go);
	return 7;
}

static void
hold_start(struct held *h, const char *name)
{
	*h = (struct held){0};
	CHECK_INT(thread_start(&h->thread, name, hold, h), 0);
	await_flag(&h->begun);
}

TEST(thread, a_join_ends_at_its_deadline_and_can_be_repeated)
{
	struct held h;
	int r = 1;

	hold_start(&h, "held");
	CHECK_INT(thread_join_until(&h.thread, clock_deadline(1000), &r), -ETIMEDOUT);
	CHECK_INT(thread_join_until(&h.thread, 0, &r), -ETIMEDOUT);
	CHECK_INT(r, 1);
	raise_flag(&h.go);
	CHECK_INT(thread_join_until(&h.thread, USEC_NEVER, &r), 0);
	CHECK_INT(r, 7);
	CHECK_INT(thread_join(&h.thread), 0);
}

static int
read_stack(void *arg)
{
	pthread_attr_t attr;

	CHECK_INT(pthread_getattr_np(pthread_self(), &attr), 0);
	CHECK_INT(pthread_attr_getstacksize(&attr, arg), 0);
	return -pthread_attr_destroy(&attr);
}

TEST(thread, the_stack_is_as_large_as_asked_for)
{
	struct thread t;
	size_t stack_bytes = 0;

	CHECK_INT(thread_start_with(&t, "stack",
			  &(struct thread_options){.stack_bytes = (3 << 20) + 1}, read_stack,
			  &stack_bytes),
		0);
	CHECK_INT(thread_join(&t), 0);
	CHECK(stack_bytes > 3 << 20 && stack_bytes <= 4 << 20);
}

TEST(thread, a_start_that_fails_leaves_nothing)
{
	struct thread t;
	size_t n = registry_list(NULL, 0);

	CHECK_INT(thread_start_with(&t, "tiny", &(struct thread_options){.stack_bytes = 1},
			  fail_silently, NULL),
		-EINVAL);
	CHECK_INT(thread_join(&t), 0);
	CHECK(thread_start_with(&t, "huge", &(struct thread_options){.stack_bytes = SIZE_MAX / 4},
		      fail_silently, NULL) < 0);
	CHECK_INT(registry_list(NULL, 0), n);
}

static int
read_own_comm(void *arg)
{
	AUTO(strbuf_fini) struct strbuf comm = {0};
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
	CHECK_INT(fd_slurp(AT_FDCWD, path, 64, &comm), 0);
	comm.data[comm.len - 1] = 0;
	return strcmp(comm.data, arg) == 0 ? 0 : -EINVAL;
}

/* The stress of the table: starts and joins without a leak, each name seen by the kernel. */
TEST(thread, ten_thousand_come_and_go)
{
	unsigned long rounds = test_scale(10000 / 8) + 4;
	struct thread t[8];
	char names[8][16];

	for (unsigned long i = 0; i < rounds; i++) {
		for (int k = 0; k < 8; k++) {
			(void)snprintf(names[k], sizeof(names[k]), "t%lu/%d", i, k);
			CHECK_INT(thread_start(&t[k], names[k], read_own_comm, names[k]), 0);
		}
		for (int k = 0; k < 8; k++)
			CHECK_INT(thread_join(&t[k]), 0);
	}
	CHECK_INT(registry_list(NULL, 0), 0);
}

TEST(registry, tells_who_runs_and_what_for)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct thread_info info[4];
	struct held a, b;

	hold_start(&a, "walk");
	hold_start(&b, "io/2");
	CHECK_INT(registry_list(info, 4), 2);
	CHECK_STR(info[0].name, "walk");
	CHECK_STR(info[1].name, "io/2");
	CHECK_STR(info[1].doing, "reading /srv");
	CHECK(info[0].since <= info[1].since && info[1].since <= clock_mono());
	CHECK_INT(registry_list(info, 1), 2);
	CHECK_INT(registry_report(&text), 2);
	CHECK_STR(text.data, "\"walk\" (0.0 s, reading /srv), \"io/2\" (0.0 s, reading /srv)");
	raise_flag(&a.go);
	CHECK_INT(thread_join(&a.thread), 7);
	CHECK_INT(registry_list(info, 4), 1);
	raise_flag(&b.go);
	CHECK_INT(thread_join(&b.thread), 7);
	strbuf_reset(&text);
	CHECK_INT(registry_report(&text), 0);
	CHECK_INT(text.len, 0);
}

static int
report_from_within(void *arg)
{
	struct strbuf *text = arg;

	return (int)registry_report(text);
}

static int
hold_idle(void *arg)
{
	thread_set_idle(true);
	return hold(arg);
}

TEST(registry, a_report_leaves_out_the_idle_and_the_caller)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct held idle = {0};
	struct thread t;

	CHECK_INT(thread_start(&idle.thread, "idle", hold_idle, &idle), 0);
	await_flag(&idle.begun);
	CHECK_INT(registry_report(&text), 0);
	CHECK_INT(thread_start(&t, "asks", report_from_within, &text), 0);
	CHECK_INT(thread_join(&t), 0);
	raise_flag(&idle.go);
	CHECK_INT(thread_join(&idle.thread), 7);
}

static int
count_and_start(void *arg)
{
	_Atomic uint32_t *n = arg;

	if (add_ar(n, 1) < 20)
		CHECK_INT(registry_start("next", count_and_start, n), 0);
	return 0;
}

TEST(registry, joins_all_that_nobody_owns_and_what_they_start)
{
	_Atomic uint32_t n = 0;

	CHECK_INT(registry_start("first", count_and_start, &n), 0);
	CHECK_INT(registry_join_all(USEC_NEVER), 0);
	CHECK_INT(load_acq(&n), 21);
	CHECK_INT(registry_list(NULL, 0), 0);
	CHECK_INT(registry_join_all(0), 0);
}

TEST(registry, a_join_of_all_ends_at_its_deadline_and_the_report_names_the_rest)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct held h[8] = {0};

	for (int i = 0; i < 8; i++) {
		CHECK_INT(registry_start(i % 2 ? "odd" : "even", hold, &h[i]), 0);
		await_flag(&h[i].begun);
	}
	raise_flag(&h[0].go);
	CHECK_INT(registry_join_all(clock_deadline(2000)), -ETIMEDOUT);
	CHECK(registry_report(&text) >= 7 && strstr(text.data, "\"odd\" ("));
	for (int i = 1; i < 8; i++)
		raise_flag(&h[i].go);
	CHECK_INT(registry_join_all(USEC_NEVER), 0);
}

TEST(thread, one_cpu_in_the_mask_is_one_cpu)
{
	cpu_set_t all, one;

	CHECK_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	CHECK(thread_cpus() >= 1 && thread_cpus() <= (unsigned)CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &one);
			break;
		}
	}
	CHECK_INT(sched_setaffinity(0, sizeof(one), &one), 0);
	CHECK_INT(thread_cpus(), 1);
}

TEST(cpus, the_least_quota_up_to_the_root_counts)
{
	char *root = test_dir();

	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "proc/self/cgroup", "0::/system.slice/trawld.service\n");
	test_write(root, "sys/fs/cgroup/system.slice/trawld.service/cpu.max", "max 100000\n");
	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "sys/fs/cgroup/system.slice/cpu.max", "350000 100000\n");
	CHECK_INT(cpus_quota(root), 4);
	test_write(root, "sys/fs/cgroup/system.slice/trawld.service/cpu.max", "150000 100000\n");
	CHECK_INT(cpus_quota(root), 2);
	test_write(root, "sys/fs/cgroup/cpu.max", "1000 100000\n");
	CHECK_INT(cpus_quota(root), 1);
	test_dir_remove(root);
}

TEST(cpus, a_quota_of_version_one_counts)
{
	char *root = test_dir();

	test_write(root, "proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/x/y\n1:name=systemd:/\n");
	test_write(root, "sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
	test_write(root, "sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "250000\n");
	test_write(root, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	CHECK_INT(cpus_quota(root), 3);
	test_dir_remove(root);
}

TEST(cpus, a_cgroup_that_is_not_there_and_nonsense_are_passed_over)
{
	char *root = test_dir();

	test_write(root, "proc/self/cgroup", "garbage\n0::/not/here\n\n::::\n");
	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "sys/fs/cgroup/cpu.max", "many 100000\n");
	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "sys/fs/cgroup/cpu.max", "100000 0\n");
	CHECK_INT(cpus_quota(root), 0);
	test_write(root, "sys/fs/cgroup/cpu.max", "200000 100000\n");
	CHECK_INT(cpus_quota(root), 2);
	test_dir_remove(root);
}
