/**
 * model: an explorer of thread schedules, for the sources of lib/sync as they are.
 *
 * A model is a function that starts a few threads (thread_start() of sync/thread.h), lets them work
 * on a primitive, joins them, and checks what came out. The explorer runs it again and again in one
 * thread of the system, each time with another schedule, until there is none left: every atomic
 * operation, park_wait(), park_wake() and thread_join() is a point where another thread may go on.
 *
 * Memory: an atomic object keeps its last stores, and a load may take any that C11 still allows it
 * (coherence, happens-before, and the last seq_cst store for a seq_cst load). Modification order is
 * the order of execution, and a load never takes a store of the future: load buffering and 2+2W are
 * not shown. A compare-and-exchange that fails has read the latest, as machines do. Acquire and
 * release edges come only from the orders written, and every plain access of the checked sources is
 * held against them: the sources are compiled with -fsanitize=thread, whose calls end here.
 *
 * Found are: a failed CHECK_MODEL() or assert(), data races, all threads asleep, runs without an
 * end, memory used after free or leaked, threads left behind. The run is then told step by step.
 *
 * Limits: `preempt` bounds how often a thread that could go on is interrupted (MODEL_ALL: no bound;
 * then schedules that only swap independent steps are left out), `stale` how many loads of each
 * thread return something older than the latest. The bound rises from 0, so that what was explored
 * when the time is up has a name; what is left of the time goes to schedules drawn at random. At
 * most MODEL_THREADS threads, the first is the model's function.
 *
 * A twin is a model that must fail: with `fails` set, and an order weakened in the checked source
 * by `weaken`, or a broken copy of the code in the model. A model whose twin passes proves nothing.
 */
#pragma once

#include "base/defs.h"
#include "sync/atomic.h"

#define MODEL_THREADS 6u
#define MODEL_ALL 1000u

struct model_weaken {
	const char *func, *expr; /* function, and a part of the object's expression */
	int order;               /* memory_order_* */
};

struct model {
	const char *name;
	void (*body)(void);
	unsigned preempt, preempt_long; /* in `full`, and in `long` (0: the same) */
	unsigned stale;                 /* 0: 1, in `long` 2 */
	unsigned n_spurious;            /* wake-ups for no reason in a run */
	unsigned n_cpus;                /* what thread_cpus() says; 0: 1 */
	bool keeps;                     /* memory that is never freed */
	bool membarrier;                /* there is membarrier(2) */
	const char *fails;              /* a twin: a part of what must be found */
	struct model_weaken weaken[3];
};

/** The program: runs all of the models, or those whose names are given. */
#define MODEL_MAIN(models)                                                                 \
	int main(int argc, char **argv)                                                    \
	{                                                                                  \
		model_statics(__data_start, edata, __bss_start, end);                      \
		model_sites(__start_sites_of_model, __stop_sites_of_model);                \
		return model_main(argc, argv, models, sizeof(models) / sizeof(*(models))); \
	}

int model_main(int argc, char **argv, const struct model *models, size_t n);
/** Static objects of the checked sources: each run finds them as the program did. */
void model_statics(char *data, char *data_end, char *zeroes, char *zeroes_end);
void model_sites(struct model_site *first, struct model_site *end);
/* Of the linker. */
extern char __data_start[], edata[], __bss_start[], end[];
extern struct model_site __start_sites_of_model[], __stop_sites_of_model[];

#define CHECK_MODEL(cond) \
	((cond) ? (void)0 : model_fail("%s:%d: %s", __FILE_NAME__, __LINE__, #cond))
_Noreturn void model_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/** Any number below n: all are tried. */
unsigned model_choose(unsigned n);
/** The same, but for runs drawn at random 0 is the usual one. */
unsigned model_choose_seldom(unsigned n);
/** An eventfd for read(), write() and close() of the checked sources; gone at the end of the run.
 */
int model_eventfd(void);
