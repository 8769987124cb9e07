#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "sync/cpus.h"
#include "sync/thread.h"

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
