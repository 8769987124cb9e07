/**
 * membarrier: a fence whose cost lies on one side only.
 *
 * The side that is called often stores and then loads with nothing but the compiler's order in
 * between. The rare side calls membarrier_all(): the kernel has every running thread of the process
 * pass a full barrier. For each of them that barrier falls before the store, and then its loads see
 * all that the rare side did before the call; or after it, and then the rare side sees the store.
 *
 * This is the one place of the project where a compiler's barrier is enough, and nothing that reads
 * the language's own memory model understands it: builds for ThreadSanitizer and random delays are
 * never offered it, and users have a seq_cst read-modify-write in its place there. The explorer
 * knows it as a fence in every thread, where a model asks for it.
 *
 * Registering is at once while the process has one thread; later the kernel waits until every CPU
 * has been through a grace period of its own, some 10 ms. So the first thread that is started asks
 * for it (membarrier_early()), and nobody waits.
 *
 * Threads:   any. membarrier_offered() before the first use of membarrier_all().
 */
#pragma once

#include "sync/atomic.h"

/** Does the kernel have the private expedited kind? Registers the process for it. */
bool membarrier_offered(void);
/** Register now, if the process has one thread: a thread is about to be started. */
void membarrier_early(void);
/** 0, or -errno: no barrier. */
int membarrier_all(void);

static inline void
membarrier_store(_Atomic uint64_t *word, uint64_t v)
{
	store_rel(word, v);
	atomic_signal_fence(memory_order_seq_cst);
}
