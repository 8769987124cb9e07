/**
 * fault: a run of something in which one call fails, for each call that it makes.
 *
 * The linker puts functions of ours (fault_calls.c) in front of those that get memory, threads,
 * descriptors, maps and processes; calls made inside libc and other libraries are not seen. A
 * scenario first runs undisturbed, to count its calls; then again and again, with the nth failing
 * once, and with all from the nth on failing, for each n until a run meets no fault.
 *
 * Each run is a process of its own, so it finds everything as at the start of the program, and a
 * crash or a hang is told with its n. It must end cleanly:
 *   - the scenario returns 0, or the error that was injected;
 *   - as many descriptors and threads are there as before;
 *   - what was allocated is freed, but at the places that keep memory after an undisturbed run,
 *     too (per-thread records); with AddressSanitizer LSan says what is lost, without exception.
 *     ThreadSanitizer's builds do not look at memory.
 *
 * Tiers: in `full` a mode of a scenario takes at most FAULT_RUNS runs, spread evenly over n from a
 * random beginning (TRAWL_FAULT_SEED; printed); `long` takes every n. With a sanitizer they are
 * fewer: each takes ten times as long there (a leak check, a shadow that is copied).
 * TRAWL_FAULT_AT=n runs that n alone, and arguments of a program are names of the scenarios to run.
 *
 * Not with Criterion, whose tests run in a process with a second thread: sanitizers want forks from
 * a process with one. So each program has a main() and one table:
 *
 *     static const struct fault_case cases[] = {{.name = "create", .run = create}};
 *     FAULT_MAIN(cases)
 *
 * Threads: the nth call is that of any thread.
 */
#pragma once

#include "test.h"
#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
	FAULT_MEMORY = 1u << 0, /* ENOMEM */
	FAULT_THREAD = 1u << 1, /* EAGAIN */
	FAULT_FD = 1u << 2,     /* EMFILE */
	FAULT_MAP = 1u << 3,    /* ENOMEM */
	FAULT_SPAWN = 1u << 4,  /* EAGAIN */
	FAULT_ANY = (1u << 5) - 1,
};

enum fault_flags {
	FAULT_STRICT = 1u << 0,    /* every fault must come out: 0 is a failure after one */
	FAULT_NEVER = 1u << 1,     /* no fault may come out: only 0 will do */
	FAULT_NEEDS_DIR = 1u << 2, /* a fresh directory for each run: fault_dir() */
};

struct fault_case {
	const char *name;
	/* 0 or -errno. May call fault_off() when what follows is to work. */
	int (*run)(void *arg);
	void *arg;
	unsigned kinds; /* enum fault_kind; 0: FAULT_ANY */
	enum fault_flags flags;
	int also;       /* an error that a fault may be translated to, or 0 */
	long min_calls; /* fewer: the scenario has lost its subject */
	/* Before and after, in the same process; nothing fails there. May be NULL. */
	void (*setup)(void *arg);
	void (*teardown)(void *arg);
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define FAULT_RUNS 16
#else
#	define FAULT_RUNS 40
#endif

int fault_main(const struct fault_case *cases, size_t n, char *const *names);
#define FAULT_MAIN(cases)                                                               \
	int main(int argc, char **argv)                                                 \
	{                                                                               \
		(void)argc;                                                             \
		return fault_main(cases, sizeof(cases) / sizeof((cases)[0]), argv + 1); \
	}

/* In a scenario: */
/** From now on nothing fails. Returns whether something has. */
bool fault_off(void);
/** Has something failed in this run? */
bool fault_hit(void);
/** Will everything fail, now or from some call on? */
bool fault_lasts(void);
const char *fault_dir(void);
#define FAULT_CHECK(cond)                                                   \
	do {                                                                \
		if (!(cond))                                                \
			fault_fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)
_Noreturn void fault_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
