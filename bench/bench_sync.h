/**
 * bench_sync: the figures of the concurrency toolkit. Each function measures once and returns the
 * figure in the unit of its row in bench_sync.c; the comparator in bench/rust does the same loops.
 */
#pragma once

#include "base/clock.h"

double bench_chan_spsc(void);
double bench_chan_pair(void);
double bench_chan_4p1c(void);
double bench_chan_1p4c(void);
double bench_chan_4p4c(void);
double bench_chan_unbounded(void);
double bench_chan_one(void);
double bench_chan_rendezvous(void);
double bench_chan_ping_pong(void);
double bench_select_four(void);

double bench_join_1(void);
double bench_join_2(void);
double bench_spawn(void);
double bench_pool_wake(void);
double bench_pool_idle(void);
double bench_pool_create(void);

double bench_sum_serial(void);
double bench_sum_1(void);
double bench_sum_2(void);
double bench_sum_memory(void);
double bench_par_bridge(void);
double bench_sort_qsort(void);
double bench_sort_1(void);
double bench_sort_2(void);

double bench_epoch_pin(void);
double bench_epoch_pin_fenced(void);
double bench_hazard_protect(void);
double bench_lock(void);
double bench_lock_pthread(void);
double bench_spill_memory(void);
double bench_spill_disk(void);

/** Nanoseconds an operation since `start` (bench_now()). */
double bench_per(uint64_t start_ns, uint64_t n);
uint64_t bench_now(void);
/** What a benchmark cannot go on without: says why and ends the program. */
void bench_must(int r, const char *what);
