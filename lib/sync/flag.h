/**
 * flag: something became true, and stays so.
 *
 * Raising releases, seeing it raised acquires: what was written before the raise is seen by who
 * sees the flag. Nobody is woken by it; to wait, use a waitgroup, a stop token or a cond.
 *
 * Ownership: caller's storage, zeroes: not raised. Threads: any.
 */
#pragma once

#include "sync/atomic.h"

struct flag {
	_Atomic bool raised; /* release to acquire, as above */
};

static inline void
flag_raise(struct flag *f)
{
	store_rel(&f->raised, true);
}

static inline bool
flag_seen(const struct flag *f)
{
	return load_acq(&f->raised);
}
