/*
 * bench_sync NAME...: measure one figure of the concurrency toolkit each, one line a figure.
 * bench_sync --list: name, unit and what it is of every figure, tab-separated.
 */
#include "bench_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static const struct figure {
	const char *name, *unit;
	double (*measure)(void);
	const char *what;
} figures[] = {
	{"chan-spsc", "ns", bench_chan_spsc, "channel of 1,024, one sender, one receiver"},
	{"chan-pair", "ns", bench_chan_pair, "the same on the ring for many"},
	{"chan-4p1c", "ns", bench_chan_4p1c, "four senders, one receiver"},
	{"chan-1p4c", "ns", bench_chan_1p4c, "one sender, four receivers"},
	{"chan-4p4c", "ns", bench_chan_4p4c, "four senders, four receivers"},
	{"chan-unbounded", "ns", bench_chan_unbounded, "channel without a bound, one and one"},
	{"chan-one", "ns", bench_chan_one, "channel of 1, one and one"},
	{"chan-rendezvous", "ns", bench_chan_rendezvous, "channel of 0, one and one"},
	{"chan-ping-pong", "ns", bench_chan_ping_pong, "there and back over two channels of 1"},
	{"select-four", "ns", bench_select_four, "select over four channels with a sender each"},
	{"join-1", "ns", bench_join_1, "fork-join of fib(30), one worker"},
	{"join-2", "ns", bench_join_2, "fork-join of fib(30), two workers"},
	{"spawn", "ns", bench_spawn, "empty detached task from inside, two workers"},
	{"pool-wake", "us", bench_pool_wake, "submit to first instruction, warm pool, median"},
	{"pool-idle", "%", bench_pool_idle, "CPU of an idle pool of two"},
	{"pool-create", "us", bench_pool_create, "create and destroy a pool of four"},
	{"sum-memory", "ns", bench_sum_memory, "bare loops on two threads: the memory's bandwidth"},
	{"sum-serial", "ns", bench_sum_serial, "sum of 10^8 numbers, a loop"},
	{"sum-1", "ns", bench_sum_1, "par_reduce, the caller alone"},
	{"sum-2", "ns", bench_sum_2, "par_reduce, the caller and one worker"},
	{"par-bridge", "ns", bench_par_bridge, "par_bridge of trivial items, two workers"},
	{"sort-qsort", "ns", bench_sort_qsort, "qsort of 4 million numbers, an element"},
	{"sort-1", "ns", bench_sort_1, "par_sort of the same, the caller alone"},
	{"sort-2", "ns", bench_sort_2, "par_sort, the caller and one worker"},
	{"epoch-pin", "ns", bench_epoch_pin, "pin and unpin as the daemon does it"},
	{"epoch-fenced", "ns", bench_epoch_pin_fenced, "pin and unpin without membarrier"},
	{"hazard", "ns", bench_hazard_protect, "protect and clear a hazard pointer"},
	{"lock", "ns", bench_lock, "take and give a free lock"},
	{"lock-pthread", "ns", bench_lock_pthread, "the same with pthread_mutex"},
	{"spill-memory", "ns", bench_spill_memory, "64-byte record through the spill's memory"},
	{"spill-disk", "ns", bench_spill_disk, "64-byte record through the spill's files"},
};

uint64_t
bench_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

double
bench_per(uint64_t start_ns, uint64_t n)
{
	return (double)(bench_now() - start_ns) / (double)n;
}

void
bench_must(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench_sync: %s: %s\n", what, err_reason(r));
	exit(1);
}

static const struct figure *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (strcmp(figures[i].name, name) == 0)
			return &figures[i];
	}
	return NULL;
}

static void
list(void)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		printf("%s\t%s\t%s\n", figures[i].name, figures[i].unit, figures[i].what);
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		const struct figure *f = find(argv[i]);

		if (!f) {
			(void)fprintf(stderr, "bench_sync: there is no figure \"%s\"\n", argv[i]);
			return 2;
		}
		printf("%.3f\n", f->measure());
	}
	return 0;
}
