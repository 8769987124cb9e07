#include "storm.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "sync/cond.h"
#include "sync/registry.h"

#define ROUND_USEC (60 * USEC_PER_SEC) /* tens of milliseconds are usual */
/* What allocators keep for threads that are gone, and pieces too small to be given out again. */
#define HEAP_SLACK_BYTES (1u << 20)

static struct {
	/* The test's thread. */
	uint64_t first_seed;
	unsigned long n_rounds, n_begun;
	size_t n_threads, n_fds; /* names in /proc, between rounds */
	size_t heap;             /* bytes, after an early round */
	struct thread watchdog;

	/* The round's, for whoever fails. Relaxed: a number to print. */
	_Atomic uint64_t seed;

	/* Guarded by lock. */
	struct lock lock;
	struct cond changed;
	usec_t deadline;
	bool over;
} storm;

uint64_t
storm_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t
storm_moment(uint64_t *state, unsigned bits)
{
	return storm_below(state, 1ull << storm_below(state, bits + 1));
}

static void
print_threads(void)
{
	struct thread_info threads[64];
	size_t n = registry_list(threads, ARRAY_LEN(threads));

	for (size_t i = 0; i < n && i < ARRAY_LEN(threads); i++)
		(void)fprintf(stderr, "  thread \"%s\"%s %s\n", threads[i].name,
			threads[i].idle ? " (idle)" : "", threads[i].doing);
}

void
storm_fail(const char *file, int line, const char *what, long long got)
{
	(void)fprintf(stderr, "%s:%d: %s (%lld); TRAWL_STORM_SEED=%" PRIu64 "\n", file, line, what,
		got, load_rlx(&storm.seed));
	print_threads();
	abort();
}

/* Until all is over; true: a round is late. */
static bool
wait_over(void)
{
	LOCK_SCOPE(&storm.lock);
	while (!storm.over) {
		usec_t deadline = storm.deadline;

		if (cond_wait_until(&storm.changed, &storm.lock, deadline) < 0 &&
			deadline == storm.deadline && !storm.over)
			return true;
	}
	return false;
}

static int
watch(void *arg)
{
	(void)arg;
	STORM_CHECK(!wait_over() && "the round does not end");
	return 0;
}

static size_t
count_names(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	STORM_CHECK(dir != NULL);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static size_t
heap_used(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 0; /* theirs is not glibc's; LeakSanitizer looks at what is left */
#else
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
#endif
}

static void
set_deadline(usec_t deadline, bool over)
{
	LOCK_SCOPE(&storm.lock);
	storm.deadline = deadline;
	storm.over = over;
	cond_broadcast(&storm.changed);
}

void
storm_begin(unsigned long n_rounds)
{
	const char *seed = getenv("TRAWL_STORM_SEED");

	storm.first_seed = seed ? strtoull(seed, NULL, 10) : clock_real();
	storm.n_rounds = n_rounds;
	storm.n_begun = 0;
	lock_init(&storm.lock, RANK_LEAF, "storm");
	cond_init(&storm.changed);
	storm.deadline = clock_deadline(ROUND_USEC);
	storm.over = false;
	CHECK_INT(thread_start(&storm.watchdog, "watchdog", watch, NULL), 0);
	storm.n_threads = count_names("/proc/self/task");
	storm.n_fds = count_names("/proc/self/fd");
}

uint64_t
storm_round(void)
{
	uint64_t seed = storm.first_seed + storm.n_begun++;

	store_rlx(&storm.seed, seed);
	set_deadline(clock_deadline(ROUND_USEC), false);
	return seed;
}

void
storm_round_end(void)
{
	/* A joined thread is gone from the kernel's list a moment later; the watchdog ends this. */
	while (count_names("/proc/self/task") != storm.n_threads)
		(void)sched_yield();
	STORM_INT(registry_list(NULL, 0), 1);
	STORM_INT(count_names("/proc/self/fd"), storm.n_fds);
	if (storm.n_begun == storm.n_rounds / 10 + 1)
		storm.heap = heap_used();
}

void
storm_end(void)
{
	STORM_INT(storm.n_begun, storm.n_rounds);
	set_deadline(USEC_NEVER, true);
	CHECK_INT(thread_join(&storm.watchdog), 0);
	cond_fini(&storm.changed);
	lock_fini(&storm.lock);
	STORM_CHECK(heap_used() < storm.heap + HEAP_SLACK_BYTES);
}
