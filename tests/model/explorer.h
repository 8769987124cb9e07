/**
 * explorer: what the parts of the explorer know of each other. Models include model.h instead.
 *
 *     explorer.c   choices, runs, reports       explorer_memory.c   atomic objects and their stores
 *     explorer_sched.c   threads and parking    explorer_shadow.c   plain accesses, heap
 *     explorer_calls.c   what stands in for the system and for ThreadSanitizer's run-time library
 *     explorer_thread.c  what stands in for sync/thread.c
 *
 * Everything runs in one thread of the system. The explorer is a shared library, so that the static
 * objects of the program are those of the checked sources and of the model.
 */
#pragma once

#include "model.h"

struct clocks {
	uint32_t at[MODEL_THREADS];
	/* note: fences (explorer_memory.c): what fences make known, and seq_cst stores up to. */
	uint32_t fenced[MODEL_THREADS], fenced_sc;
};

static inline void
clocks_join(struct clocks *into, const struct clocks *from)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		into->at[i] = MAX(into->at[i], from->at[i]);
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		into->fenced[i] = MAX(into->fenced[i], from->fenced[i]);
	into->fenced_sc = MAX(into->fenced_sc, from->fenced_sc);
}

/* The run under way. */
struct run {
	const struct model *model;
	unsigned preempt_max, stale_max;
	uint32_t number; /* never 0; shadow of other numbers is void */
	bool telling;    /* print each step */
	bool is_random;
	bool is_replay; /* of choices that say nothing of their alternatives */
	unsigned n_steps, n_preempts, n_spurious;
	uint64_t now; /* of the model's clock */
	bool learned; /* of an object that it is shared: note: private */
};
extern struct run run;

/* explorer.c */
void run_tell(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "  12 name  ..." while telling */
_Noreturn void run_prune(void);                        /* the rest was seen in another order */

/* explorer_sched.c. `self` is the index of the running thread, -1 between runs. */
extern int self;
void sched_reset(void);
void sched_run(void (*body)(void));          /* returns when all threads have ended */
#define ANYTHING ((const volatile void *)-1) /* of a step that may depend on every other */
/** Before a step on `addr` (NULL: touches nothing). */
void sched_point(const volatile void *addr, bool writes);
unsigned sched_add(const char *name, int (*fn)(void *arg), void *arg);
/** 0, or -ETIMEDOUT. */
int sched_join(unsigned thread, uint64_t deadline, int *ret_result);
/** A pointer of each thread, for what stands in for the system. */
void **sched_own(void);
const char *sched_name(int thread);
struct clocks *sched_clocks(void); /* of the running thread */
/** Of another one, which may have ended. */
struct clocks *sched_clocks_of(unsigned thread);
unsigned sched_threads(void);
bool sched_take_stale(bool take); /* may the running thread read something old (and does)? */
void sched_tell_ends(void);       /* where the threads are */
/** Nobody else runs, and what others did happened before: nothing to be checked. */
bool sched_is_alone(void);
bool sched_is_private(const volatile void *addr); /* thread-local storage */

/* explorer_thread.c */
void thread_ends(void); /* the running thread, behind its function */

/* explorer_memory.c */
uint64_t memory_latest(volatile void *p, unsigned size);
const char *order_name(int order);
/** Before a step: may an interruption here matter to another thread (note: private)? run.learned
 * says that the search has to begin again. */
bool memory_is_point(const volatile void *addr, bool writes);
void memory_begin_search(void);
void memory_begin_run(void);
void memory_forget(void); /* another model */

/* explorer_shadow.c */
void shadow_reset(void);
void shadow_check_leaks(void);
void *shadow_alloc(size_t size, size_t align, int fill);
bool shadow_owns(const void *p);
size_t shadow_size(const void *p);
void shadow_free(void *p);
void shadow_plain(const volatile void *p, unsigned size, bool writes, const void *pc);
void shadow_atomic(const volatile void *p, unsigned size, bool writes, const void *pc);
/** What addr2line wants for a place in the program. */
extern uintptr_t program_base;
/** Changes with each plain write to the object in this run. */
uint32_t shadow_plain_writes(const volatile void *p, unsigned size);
