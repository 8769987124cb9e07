/**
 * clock: time as microseconds.
 */
#pragma once

#include "base/defs.h"
#include <time.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC 1000ull
#define USEC_PER_SEC 1000000ull
#define USEC_NEVER UINT64_MAX
#define NSEC_PER_SEC 1000000000ll

/** CLOCK_MONOTONIC: for durations and deadlines. */
usec_t clock_mono(void);

/** The same in nanoseconds: for what takes less than some microseconds. */
uint64_t clock_mono_ns(void);

/** CLOCK_REALTIME: for what people read. */
usec_t clock_real(void);

/** Deadline `timeout_usec` from now on the monotonic clock; USEC_NEVER stays USEC_NEVER. */
usec_t clock_deadline(usec_t timeout_usec);

/** Nanoseconds since 1970 of a timespec-like pair, saturated to int64_t. */
int64_t clock_ns(int64_t sec, uint32_t nsec);
