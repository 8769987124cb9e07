/**
 * once: a function that succeeds once, whoever comes first.
 *
 *     static struct once made;                 zeroes: not yet run
 *     int r = once_run(&made, table_make, NULL);
 *
 * Who comes while it runs waits for it. A failure is returned to the one who ran it and to all who
 * waited for it (or that of a later attempt, when one has failed before the waiter looks); the next
 * caller tries again. After a success every call is one acquire load.
 *
 * Ownership: caller's storage, nothing to undo.
 * Threads:   any, save from within fn (it would wait for itself). What fn did is seen by whoever
 *            got 0.
 * Errors:    fn's: 0, or -errno down to -65535.
 */
#pragma once

#include "sync/park.h"

struct once {
	/* State, attempt and last failure in one (once.c). The runner's last write releases, done
	 * or failed; whoever reads it acquires. */
	_Atomic uint32_t word;
};

#define ONCE_STATE 3u
#define ONCE_DONE 3u

int once_run_slow(struct once *o, int (*fn)(void *arg), void *arg);

static inline int
once_run(struct once *o, int (*fn)(void *arg), void *arg)
{
	if (LIKELY((load_acq(&o->word) & ONCE_STATE) == ONCE_DONE))
		return 0;
	return once_run_slow(o, fn, arg);
}
