#include "chaos.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;
static uint64_t n_threads; /* plain atomics: those of sync/atomic.h lead here */
static _Thread_local uint64_t state;

/* Before main(), so that the processes of all tests have the one that is printed. */
__attribute__((constructor)) static void
choose_seed(void)
{
	const char *given = getenv("TRAWL_CHAOS_SEED");
	char text[32];
	struct timespec ts;

	if (given) {
		seed = strtoull(given, NULL, 10);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	seed = ((uint64_t)ts.tv_nsec * 1000003 + (uint64_t)getpid()) % 1000000000;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
	(void)setenv("TRAWL_CHAOS_SEED", text, 1);
	(void)fprintf(stderr, "TRAWL_CHAOS_SEED=%s\n", text);
}

static void
begin(void)
{
	uint64_t n = __atomic_add_fetch(&n_threads, 1, __ATOMIC_RELAXED);

	state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ n * 0xbf58476d1ce4e5b9ull;
	if (state == 0)
		state = 1;
}

static void
pause_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

void
chaos_point(void)
{
	uint64_t dice;

	if (state == 0)
		begin();
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	dice = state >> 32;
	if (dice % 32 != 0)
		return;
	dice /= 32;
	if (dice % 2048 == 0)
		(void)clock_nanosleep(
			CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 20000}, NULL);
	else if (dice % 64 == 0)
		(void)sched_yield();
	else
		pause_some(1 + (unsigned)(dice % 16));
}
