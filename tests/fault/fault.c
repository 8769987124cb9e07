#include "fault_impl.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#if defined(__SANITIZE_ADDRESS__)
#	include <sanitizer/lsan_interface.h>
#	define LOST() (__lsan_do_recoverable_leak_check() != 0)
#else
#	define LOST() false
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HANGS_SECONDS 120
#else
#	define HANGS_SECONDS 40
#endif

#define MAX_BAD 12u /* then the next scenario */

enum mode { MODE_CLEAN, MODE_ONCE, MODE_FROM, N_MODES };
static const char *const mode_names[] = {"undisturbed", "once at", "from"};

/* Shared with the processes of the runs. */
static struct report {
	long n_calls, n_failed;
	size_t n_kept;
	struct fault_site kept[FAULT_MAX_SITES]; /* by the undisturbed run */
} * report;

static const struct fault_case *current;
static enum mode mode;
static char *dir;
static long run_at;
static unsigned n_bad; /* runs of the current scenario */

const char *
fault_dir(void)
{
	return dir;
}

bool
fault_hit(void)
{
	return load_rlx(&fault_plan.n_failed) > 0;
}

bool
fault_off(void)
{
	/* The table goes on: what is freed from here on was allocated before. */
	store_rlx(&fault_plan.at, FAULT_OFF);
	return fault_hit();
}

bool
fault_lasts(void)
{
	return fault_plan.from && load_rlx(&fault_plan.at) != FAULT_OFF;
}

static void
print_site(const char *what, const void *site)
{
	void *at = (char *)(uintptr_t)site;

	(void)fprintf(stderr, "\t%s ", what);
	(void)fflush(stderr);
	backtrace_symbols_fd(&at, 1, STDERR_FILENO); /* for addr2line -fe */
}

/* Without the two frames of ours. */
static void
print_first(void)
{
	int n = load_acq(&fault_plan.n_frames);

	for (int i = 2; i < n; i++)
		print_site(i == 2 ? "failed first:" : "  called by", fault_plan.frames[i]);
}

void
fault_fail(const char *fmt, ...)
{
	va_list ap;

	store_rlx(&fault_plan.kinds, 0);
	(void)fprintf(stderr, "fault: %s, %s %ld: ", current->name, mode_names[mode], run_at);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	print_first();
	_exit(1);
}

static unsigned
count_entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (!d || closedir(d) < 0)
		fault_fail("could not list %s", path);
	return n;
}

/* A joined thread is still listed for a moment. ThreadSanitizer starts one of its own beside the
 * first of ours. */
static void
check_threads(unsigned before)
{
	const unsigned may = before + !FAULT_TRACKS_MEMORY;
	usec_t end = clock_mono() + 10 * USEC_PER_SEC;
	unsigned now;

	while ((now = count_entries("/proc/self/task")) > may) {
		if (clock_mono() > end)
			fault_fail("%u threads are left", now - before);
		(void)sched_yield();
	}
}

static bool
is_kept(const void *site)
{
	for (size_t i = 0; i < report->n_kept; i++) {
		if (report->kept[i].at == site)
			return true;
	}
	return false;
}

static void
check_memory(void)
{
	static struct fault_site left[FAULT_MAX_SITES];
	size_t n = fault_live(left, FAULT_MAX_SITES);
	long n_lost = 0;

	if (mode == MODE_CLEAN) {
		memcpy(report->kept, left, n * sizeof(left[0]));
		report->n_kept = n;
	}
	for (size_t i = 0; i < n; i++) {
		if (is_kept(left[i].at))
			continue;
		n_lost += left[i].n;
		print_site("left by", left[i].at);
	}
	if (n_lost > 0)
		fault_fail("%ld allocations are left", n_lost);
	if (LOST())
		fault_fail("memory was lost");
}

/* Is it an error that was injected? */
static bool
is_injected(int r)
{
	static const struct {
		unsigned kinds;
		int error;
	} errors[] = {{FAULT_MEMORY | FAULT_MAP, ENOMEM}, {FAULT_THREAD | FAULT_SPAWN, EAGAIN},
		{FAULT_FD, EMFILE}};
	unsigned failed = load_rlx(&fault_plan.failed_kinds);

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (failed & errors[i].kinds && r == -errors[i].error)
			return true;
	}
	return false;
}

static void
check_result(int r)
{
	if (!fault_hit()) {
		if (r != 0)
			fault_fail("%s without a fault", strerror(-r));
		return;
	}
	if (r == 0 && current->flags & FAULT_STRICT)
		fault_fail("success after a fault");
	if (r != 0 && current->flags & FAULT_NEVER)
		fault_fail("%s, which may never come out", strerror(-r));
	if (r != 0 && r != current->also && !is_injected(r))
		fault_fail("%d (%s), which was not injected", r, strerror(abs(r)));
}

/* The process of one run. */
static _Noreturn void
run_one(long at)
{
	unsigned n_fds, n_threads;
	int r;

	run_at = at;
	fault_plan = (struct fault_plan){.at = at, .from = mode == MODE_FROM};
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(HANGS_SECONDS);
	n_fds = count_entries("/proc/self/fd");
	n_threads = count_entries("/proc/self/task");
	if (current->setup)
		current->setup(current->arg);
	store_rlx(&fault_plan.kinds, current->kinds ? current->kinds : (unsigned)FAULT_ANY);
	r = current->run(current->arg);
	store_rlx(&fault_plan.kinds, 0);
	report->n_calls = load_rlx(&fault_plan.n_calls);
	report->n_failed = load_rlx(&fault_plan.n_failed);
	check_result(r);
	if (current->teardown)
		current->teardown(current->arg);
	check_threads(n_threads);
	if (count_entries("/proc/self/fd") != n_fds)
		fault_fail("%u descriptors instead of %u", count_entries("/proc/self/fd"), n_fds);
	check_memory();
	_exit(0);
}

static void
complain(int status, long at)
{
	n_bad++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return; /* it said why */
	(void)fprintf(stderr, "fault: %s, %s %ld: ", current->name, mode_names[mode], at);
	if (WIFEXITED(status))
		(void)fprintf(stderr, "exited with %d\n", WEXITSTATUS(status));
	else
		(void)fprintf(stderr, "%s\n",
			WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
}

static void
die(const char *what)
{
	(void)fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* true: something failed in it, or it did. */
static bool
one(long at)
{
	int status = -1;
	pid_t pid;

	report->n_failed = 0;
	if (current->flags & FAULT_NEEDS_DIR)
		dir = test_dir();
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("could not fork");
	if (pid == 0)
		run_one(at);
	if (waitpid(pid, &status, 0) < 0)
		die("could not wait");
	if (current->flags & FAULT_NEEDS_DIR)
		test_dir_remove(dir);
	if (status != 0)
		complain(status, at);
	return report->n_failed > 0;
}

static unsigned long
seed(void)
{
	static unsigned long drawn;
	const char *given = getenv("TRAWL_FAULT_SEED");

	if (drawn == 0)
		drawn = given ? strtoul(given, NULL, 10) : (unsigned long)clock_mono() % 1000003;
	return drawn;
}

static long
each_in_mode(long n_calls)
{
	bool all = test_scale(500) == 500;
	long step = all ? 1 : MAX((n_calls + FAULT_RUNS - 1) / FAULT_RUNS, 1L), n = 0;
	bool hit = true;

	/* With threads the number of calls varies: a run without a fault is no end before n_calls.
	 */
	for (long at = (long)(seed() % (unsigned long)step); at < n_calls || hit; at += step) {
		hit = one(at);
		n += hit;
		if (n_bad >= MAX_BAD)
			break;
	}
	return n;
}

static void
each(const struct fault_case *c)
{
	const char *alone = getenv("TRAWL_FAULT_AT");
	usec_t begin = clock_mono();
	long n_calls, n[N_MODES] = {0};

	current = c;
	n_bad = 0;
	mode = MODE_CLEAN;
	(void)one(-1);
	n_calls = report->n_calls;
	if (n_calls < c->min_calls) {
		(void)fprintf(stderr, "fault: %s: only %ld calls\n", c->name, n_calls);
		n_bad++;
	}
	for (mode = MODE_ONCE; mode <= MODE_FROM && n_bad < MAX_BAD; mode++) {
		if (alone)
			(void)one(atol(alone));
		else
			n[mode] = each_in_mode(n_calls);
	}
	(void)printf("%-40s %5ld calls, %4ld + %4ld runs, %6.2f s%s\n", c->name, n_calls,
		n[MODE_ONCE], n[MODE_FROM], (double)(clock_mono() - begin) / USEC_PER_SEC,
		n_bad ? ": FAILED" : "");
}

static bool
is_named(const struct fault_case *c, char *const *names)
{
	bool named = !*names;

	for (; *names; names++)
		named |= strcmp(*names, c->name) == 0;
	return named;
}

int
fault_main(const struct fault_case *cases, size_t n, char *const *names)
{
	bool bad = false;

	report = mmap(
		NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		die("no memory");
	/* What is synced there costs nothing: the engine's runs take a tenth of the time. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)printf("TRAWL_FAULT_SEED=%lu\n", seed());
	for (size_t i = 0; i < n; i++) {
		if (!is_named(&cases[i], names))
			continue;
		each(&cases[i]);
		bad |= n_bad > 0;
	}
	(void)munmap(report, sizeof(*report));
	return bad;
}
