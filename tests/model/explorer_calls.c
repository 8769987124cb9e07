/* What the checked sources call and find here instead of in the C library, in the kernel and in
 * ThreadSanitizer's run-time library. The linker's --wrap sends the first kind (tests/model's
 * CMakeLists.txt names them). */
#include "explorer.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sync/park.h"
#include "sync/thread.h"

#define CALL(type, name, args)   \
	type __real_##name args; \
	type __wrap_##name args; \
	type __wrap_##name args

CALL(void *, malloc, (size_t size))
{
	return self < 0 ? __real_malloc(size) : shadow_alloc(size, 1, 0xa5);
}

CALL(void *, calloc, (size_t n, size_t size))
{
	return self < 0 ? __real_calloc(n, size) : shadow_alloc(n * size, 1, 0);
}

CALL(void *, aligned_alloc, (size_t align, size_t size))
{
	return self < 0 ? __real_aligned_alloc(align, size) : shadow_alloc(size, align, 0xa5);
}

CALL(void, free, (void *p))
{
	if (!shadow_owns(p))
		__real_free(p);
	else if (self >= 0)
		shadow_free(p);
}

CALL(void *, realloc, (void *p, size_t size))
{
	void *q;

	if (self < 0 || (p && !shadow_owns(p)))
		return __real_realloc(p, size);
	q = shadow_alloc(size, 1, 0xa5);
	if (p) {
		memcpy(q, p, MIN(size, shadow_size(p)));
		shadow_free(p);
	}
	return q;
}

CALL(int, sched_yield, (void))
{
	model_pause();
	return 0;
}

CALL(void, abort, (void))
{
	model_fail("abort()");
}

void
__assert_fail(const char *expr, const char *file, unsigned line, const char *func)
{
	const char *slash = strrchr(file, '/');

	model_fail("%s:%u: %s: %s", slash ? slash + 1 : file, line, func, expr);
}

CALL(int, sched_getaffinity, (pid_t pid, size_t size, cpu_set_t *set))
{
	if (self < 0)
		return __real_sched_getaffinity(pid, size, set);
	CPU_ZERO_S(size, set);
	for (unsigned i = 0; i < thread_cpus(); i++)
		CPU_SET_S(i, size, set);
	return 0;
}

/* Event fds: the counter is a word to park on, in the order of the kernel's lock. */
#define FIRST_FD 100000
#define N_FDS 4

static _Atomic uint32_t counts[N_FDS];
static uint32_t fds_run;
static int n_fds;

int
model_eventfd(void)
{
	if (fds_run != run.number)
		n_fds = 0;
	fds_run = run.number;
	assert(n_fds < N_FDS);
	counts[n_fds] = 0;
	return FIRST_FD + n_fds++;
}

static _Atomic uint32_t *
count_of(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + N_FDS ? &counts[fd - FIRST_FD] : NULL;
}

CALL(ssize_t, write, (int fd, const void *buf, size_t n))
{
	_Atomic uint32_t *count = count_of(fd);

	if (!count)
		return __real_write(fd, buf, n);
	(void)add_sc(count, (uint32_t) * (const uint64_t *)buf);
	park_wake(count, UINT32_MAX);
	return (ssize_t)n;
}

CALL(ssize_t, read, (int fd, void *buf, size_t n))
{
	_Atomic uint32_t *count = count_of(fd);

	if (!count)
		return __real_read(fd, buf, n);
	for (;;) {
		uint32_t seen = swap_sc(count, 0);

		if (seen > 0) {
			*(uint64_t *)buf = seen;
			return sizeof(uint64_t);
		}
		(void)park_wait(count, 0, USEC_NEVER);
	}
}

CALL(int, close, (int fd))
{
	return count_of(fd) ? 0 : __real_close(fd);
}

/* Time stands still but for deadlines that come. */
usec_t
clock_mono(void)
{
	return run.now;
}

usec_t
clock_real(void)
{
	return run.now;
}

usec_t
clock_deadline(usec_t timeout_usec)
{
	return timeout_usec == USEC_NEVER ? USEC_NEVER : run.now + timeout_usec;
}

/* ThreadSanitizer's calls. */
#define PC __builtin_return_address(0)
#define PLAIN(size)                                 \
	void __tsan_read##size(void *p);            \
	void __tsan_write##size(void *p);           \
	void __tsan_unaligned_read##size(void *p);  \
	void __tsan_unaligned_write##size(void *p); \
	void __tsan_volatile_read##size(void *p);   \
	void __tsan_volatile_write##size(void *p);  \
	void __tsan_read##size(void *p)             \
	{                                           \
		shadow_plain(p, size, false, PC);   \
	}                                           \
	void __tsan_write##size(void *p)            \
	{                                           \
		shadow_plain(p, size, true, PC);    \
	}                                           \
	void __tsan_unaligned_read##size(void *p)   \
	{                                           \
		shadow_plain(p, size, false, PC);   \
	}                                           \
	void __tsan_unaligned_write##size(void *p)  \
	{                                           \
		shadow_plain(p, size, true, PC);    \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n);
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_atomic_signal_fence(int order);

/* Of the compiler only; the explorer keeps program order anyway. */
void
__tsan_atomic_signal_fence(int order)
{
	(void)order;
}

void
__tsan_read_range(void *p, size_t n)
{
	shadow_plain(p, (unsigned)n, false, PC);
}

void
__tsan_write_range(void *p, size_t n)
{
	shadow_plain(p, (unsigned)n, true, PC);
}

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *pc)
{
	(void)pc;
}

void
__tsan_func_exit(void)
{
}

/* An atomic object named without a macro of sync/atomic.h: seq_cst, by the language. */
#define DIRECT(bits, type)                                                                      \
	type __tsan_atomic##bits##_load(const volatile type *p, int order);                     \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order);                  \
	type __tsan_atomic##bits##_fetch_add(volatile type *p, type v, int order);              \
	type __tsan_atomic##bits##_fetch_sub(volatile type *p, type v, int order);              \
	type __tsan_atomic##bits##_fetch_or(volatile type *p, type v, int order);               \
	type __tsan_atomic##bits##_fetch_and(volatile type *p, type v, int order);              \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order);               \
	int __tsan_atomic##bits##_compare_exchange_strong(                                      \
		volatile type *p, type *expected, type v, int order, int failed);               \
	static struct model_site direct##bits = {                                               \
		.expr = "(direct)", .file = "?", .func = "?", .weakened = MODEL_AS_WRITTEN};    \
	type __tsan_atomic##bits##_load(const volatile type *p, int order)                      \
	{                                                                                       \
		return (type)model_load(p, sizeof(type), order, &direct##bits);                 \
	}                                                                                       \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                   \
	{                                                                                       \
		model_store(p, sizeof(type), v, order, &direct##bits);                          \
	}                                                                                       \
	type __tsan_atomic##bits##_fetch_add(volatile type *p, type v, int order)               \
	{                                                                                       \
		return (type)model_rmw(p, sizeof(type), MODEL_ADD, v, order, &direct##bits);    \
	}                                                                                       \
	type __tsan_atomic##bits##_fetch_sub(volatile type *p, type v, int order)               \
	{                                                                                       \
		return (type)model_rmw(p, sizeof(type), MODEL_SUB, v, order, &direct##bits);    \
	}                                                                                       \
	type __tsan_atomic##bits##_fetch_or(volatile type *p, type v, int order)                \
	{                                                                                       \
		return (type)model_rmw(p, sizeof(type), MODEL_OR, v, order, &direct##bits);     \
	}                                                                                       \
	type __tsan_atomic##bits##_fetch_and(volatile type *p, type v, int order)               \
	{                                                                                       \
		return (type)model_rmw(p, sizeof(type), MODEL_AND, v, order, &direct##bits);    \
	}                                                                                       \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                \
	{                                                                                       \
		return (type)model_rmw(p, sizeof(type), MODEL_SWAP, v, order, &direct##bits);   \
	}                                                                                       \
	int __tsan_atomic##bits##_compare_exchange_strong(                                      \
		volatile type *p, type *expected, type v, int order, int failed)                \
	{                                                                                       \
		uint64_t seen = *expected;                                                      \
		bool done = model_cas(p, sizeof(type), &seen, v, order, failed, &direct##bits); \
		*expected = (type)seen;                                                         \
		return done;                                                                    \
	}

DIRECT(8, uint8_t)
DIRECT(16, uint16_t)
DIRECT(32, uint32_t)
DIRECT(64, uint64_t)
