/**
 * atomic: C11 atomics with the memory order in the name.
 *
 * Every atomic variable carries a comment that says what its orders pair with. There are no
 * stand-alone fences in the project: order sits on the operation, which is also what
 * ThreadSanitizer understands. All of the toolkit goes through these macros, so that the same
 * sources can be compiled in two more ways:
 *
 *   TRAWL_CHAOS   each operation is preceded by a random delay (stress tests;
 * tests/support/chaos.h) TRAWL_MODEL   each operation is a step of the explorer
 * (tests/model/model_atomic.h)
 *
 *   rlx relaxed   acq acquire   rel release   ar acquire+release   sc sequentially consistent
 *
 * A compare-and-exchange rewrites *expected on failure. The weak forms may fail for no reason and
 * belong in loops; what the failed read orders is the second word of the comment beside each.
 */
#pragma once

#include "base/defs.h"
#include <stdatomic.h>

#define CACHELINE 64u
#define ON_OWN_LINE _Alignas(CACHELINE)

#ifdef TRAWL_MODEL
#	include "model_atomic.h"
#else

#	ifdef TRAWL_CHAOS
#		include "chaos.h"
#		define ATOMIC_STEP chaos_point()
#	else
#		define ATOMIC_STEP ((void)0)
#	endif

#	define ATOMIC_LOAD(p, order) (ATOMIC_STEP, atomic_load_explicit((p), order))
#	define ATOMIC_STORE(p, v, order) (ATOMIC_STEP, atomic_store_explicit((p), (v), order))
#	define ATOMIC_ADD(p, v, order) (ATOMIC_STEP, atomic_fetch_add_explicit((p), (v), order))
#	define ATOMIC_SUB(p, v, order) (ATOMIC_STEP, atomic_fetch_sub_explicit((p), (v), order))
#	define ATOMIC_OR(p, v, order) (ATOMIC_STEP, atomic_fetch_or_explicit((p), (v), order))
#	define ATOMIC_AND(p, v, order) (ATOMIC_STEP, atomic_fetch_and_explicit((p), (v), order))
#	define ATOMIC_SWAP(p, v, order) (ATOMIC_STEP, atomic_exchange_explicit((p), (v), order))
#	define ATOMIC_CAS(p, expected, v, order, failed)              \
		(ATOMIC_STEP, atomic_compare_exchange_strong_explicit( \
				      (p), (expected), (v), order, failed))
#	define ATOMIC_CAS_WEAK(p, expected, v, order, failed)       \
		(ATOMIC_STEP, atomic_compare_exchange_weak_explicit( \
				      (p), (expected), (v), order, failed))

#endif

#define load_rlx(p) ATOMIC_LOAD((p), memory_order_relaxed)
#define load_acq(p) ATOMIC_LOAD((p), memory_order_acquire)
#define load_sc(p) ATOMIC_LOAD((p), memory_order_seq_cst)
#define store_rlx(p, v) ATOMIC_STORE((p), (v), memory_order_relaxed)
#define store_rel(p, v) ATOMIC_STORE((p), (v), memory_order_release)
#define store_sc(p, v) ATOMIC_STORE((p), (v), memory_order_seq_cst)
#define add_rlx(p, v) ATOMIC_ADD((p), (v), memory_order_relaxed)
#define add_acq(p, v) ATOMIC_ADD((p), (v), memory_order_acquire)
#define add_rel(p, v) ATOMIC_ADD((p), (v), memory_order_release)
#define add_ar(p, v) ATOMIC_ADD((p), (v), memory_order_acq_rel)
#define add_sc(p, v) ATOMIC_ADD((p), (v), memory_order_seq_cst)
#define sub_rlx(p, v) ATOMIC_SUB((p), (v), memory_order_relaxed)
#define sub_rel(p, v) ATOMIC_SUB((p), (v), memory_order_release)
#define sub_ar(p, v) ATOMIC_SUB((p), (v), memory_order_acq_rel)
#define sub_sc(p, v) ATOMIC_SUB((p), (v), memory_order_seq_cst)
#define or_ar(p, v) ATOMIC_OR((p), (v), memory_order_acq_rel)
#define or_sc(p, v) ATOMIC_OR((p), (v), memory_order_seq_cst)
#define and_ar(p, v) ATOMIC_AND((p), (v), memory_order_acq_rel)
#define and_sc(p, v) ATOMIC_AND((p), (v), memory_order_seq_cst)
#define swap_rlx(p, v) ATOMIC_SWAP((p), (v), memory_order_relaxed)
#define swap_acq(p, v) ATOMIC_SWAP((p), (v), memory_order_acquire)
#define swap_rel(p, v) ATOMIC_SWAP((p), (v), memory_order_release)
#define swap_ar(p, v) ATOMIC_SWAP((p), (v), memory_order_acq_rel)
#define swap_sc(p, v) ATOMIC_SWAP((p), (v), memory_order_seq_cst)
#define cas_acq(p, expected, v) /* relaxed */ \
	ATOMIC_CAS((p), (expected), (v), memory_order_acquire, memory_order_relaxed)
#define cas_rel(p, expected, v) /* relaxed */ \
	ATOMIC_CAS((p), (expected), (v), memory_order_release, memory_order_relaxed)
#define cas_ar(p, expected, v) /* acquire */ \
	ATOMIC_CAS((p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define cas_sc(p, expected, v) /* seq_cst */ \
	ATOMIC_CAS((p), (expected), (v), memory_order_seq_cst, memory_order_seq_cst)
#define cas_weak_rlx(p, expected, v) /* relaxed */ \
	ATOMIC_CAS_WEAK((p), (expected), (v), memory_order_relaxed, memory_order_relaxed)
#define cas_weak_acq(p, expected, v) /* relaxed */ \
	ATOMIC_CAS_WEAK((p), (expected), (v), memory_order_acquire, memory_order_relaxed)
#define cas_weak_ar(p, expected, v) /* acquire */ \
	ATOMIC_CAS_WEAK((p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define cas_weak_sc(p, expected, v) /* relaxed */ \
	ATOMIC_CAS_WEAK((p), (expected), (v), memory_order_seq_cst, memory_order_relaxed)

/** A statistic: any thread adds, any thread reads a value that was true a moment ago. Relaxed,
 * because nothing is published through it. */
struct counter {
	_Atomic uint64_t value;
};

static inline void
counter_add(struct counter *c, uint64_t n)
{
	(void)add_rlx(&c->value, n);
}

static inline uint64_t
counter_get(const struct counter *c)
{
	return load_rlx(&c->value);
}

/** Raise the counter to at least v. */
static inline void
counter_max(struct counter *c, uint64_t v)
{
	uint64_t seen = load_rlx(&c->value);

	while (seen < v && !cas_weak_rlx(&c->value, &seen, v))
		;
}

/** Tell the processor that we spin. */
static inline void
cpu_pause(void)
{
#ifdef TRAWL_MODEL
	model_pause(); /* the explorer lets another thread run */
#elif defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
