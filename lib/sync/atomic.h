/**
 * atomic: C11 atomics with the memory order in the name.
 *
 * Every atomic variable carries a comment that says what its orders pair with. There are no
 * stand-alone fences in the project: order sits on the operation, which is also what
 * ThreadSanitizer understands. The macros exist so that a checker can replace them.
 *
 *   rlx relaxed   acq acquire   rel release   ar acquire+release   sc sequentially consistent
 */
#pragma once

#include "base/defs.h"
#include <stdatomic.h>

#define CACHELINE 64u
#define ON_OWN_LINE _Alignas(CACHELINE)

#define load_rlx(p) atomic_load_explicit((p), memory_order_relaxed)
#define load_acq(p) atomic_load_explicit((p), memory_order_acquire)
#define load_sc(p) atomic_load_explicit((p), memory_order_seq_cst)
#define store_rlx(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_rel(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define store_sc(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define add_rlx(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define add_acq(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acquire)
#define add_ar(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define add_sc(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define sub_rlx(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define sub_rel(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define sub_ar(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define sub_sc(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define or_sc(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define swap_ar(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define swap_sc(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
/** Compare and exchange; *expected is rewritten on failure (read with acquire, or seq_cst for _sc).
 */
#define cas_ar(p, expected, v)                   \
	atomic_compare_exchange_strong_explicit( \
		(p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define cas_weak_rlx(p, expected, v)           \
	atomic_compare_exchange_weak_explicit( \
		(p), (expected), (v), memory_order_relaxed, memory_order_relaxed)
#define cas_weak_sc(p, expected, v)            \
	atomic_compare_exchange_weak_explicit( \
		(p), (expected), (v), memory_order_seq_cst, memory_order_relaxed)

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
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
