/**
 * defs: the few macros that the whole project shares.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(n, to) (((n) + (to)-1) / (to) * (to))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_USE __attribute__((warn_unused_result))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/** Scope is lifetime: `AUTO(freep) char *p = ...;` runs freep(&p) when the scope ends.
 *  `unused` is there because clang 14 warns about guards that nothing reads. */
#define AUTO(fn) __attribute__((cleanup(fn), unused))

/** The pointer's value, leaving NULL behind: makes a change of owner visible. */
#define TAKE_PTR(p)                                 \
	({                                          \
		__typeof__(p) *q_ = &(p), v_ = *q_; \
		*q_ = NULL;                         \
		v_;                                 \
	})

/** The descriptor's value, leaving -1 behind. */
#define TAKE_FD(fd)                        \
	({                                 \
		int *q_ = &(fd), v_ = *q_; \
		*q_ = -1;                  \
		v_;                        \
	})

/** An invariant whose check is not O(1): debug builds only. `assert` itself stays in release. */
#if TRAWL_DEBUG
#	define assert_slow(x) assert(x)
#else
#	define assert_slow(x) ((void)0)
#endif

/** For AUTO on memory of malloc. */
static inline void
freep(void *p)
{
	void **pp = p;

	free(*pp);
}
