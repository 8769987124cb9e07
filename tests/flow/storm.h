/**
 * storm: what the tests share that end everything at a random moment, over and over.
 *
 * A round has a seed of its own, which every failure prints: TRAWL_STORM_SEED=that makes it the
 * first round (the moments are the machine's, so it may take a few). A watchdog thread ends the
 * process when a round takes too long, and says who runs. After each round there are as many
 * threads and descriptors as before, and after all of them as much memory is in use
 * as after a tenth of them, but for what allocators keep.
 *
 * Threads: storm_begin(), storm_round(), storm_round_end() and storm_end() belong to the test's
 *          thread; the checks are for any thread: they abort, for a thread that is merely ended by
 *          a failed assertion would show as a hang of the others.
 */
#pragma once

#include "test.h"

#include <stdint.h>

void storm_begin(unsigned long n_rounds);
/** The next round begins; its seed. */
uint64_t storm_round(void);
void storm_round_end(void);
void storm_end(void);

uint64_t storm_random(uint64_t *state);
/** In [0, n). */
static inline uint64_t
storm_below(uint64_t *state, uint64_t n)
{
	return storm_random(state) % n;
}
/** Microseconds below 2^bits, each power of two as likely as another. */
uint64_t storm_moment(uint64_t *state, unsigned bits);

void storm_fail(const char *file, int line, const char *what, long long got)
	__attribute__((noreturn));
#define STORM_CHECK(cond)                                         \
	do {                                                      \
		if (!(cond))                                      \
			storm_fail(__FILE__, __LINE__, #cond, 0); \
	} while (0)
#define STORM_INT(a, b)                                                         \
	do {                                                                    \
		long long got_ = (long long)(a);                                \
		if (got_ != (long long)(b))                                     \
			storm_fail(__FILE__, __LINE__, #a " is not " #b, got_); \
	} while (0)
