#include "fault_impl.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct fault_plan fault_plan;

static bool
fails(enum fault_kind kind, int error)
{
	long at, n;

	if (!(load_rlx(&fault_plan.kinds) & kind))
		return false;
	at = load_rlx(&fault_plan.at);
	if (at == FAULT_OFF)
		return false;
	n = add_rlx(&fault_plan.n_calls, 1);
	if (at < 0 || (fault_plan.from ? n < at : n != at))
		return false;
	(void)or_ar(&fault_plan.failed_kinds, kind);
	if (add_rlx(&fault_plan.n_failed, 1) == 0)
		store_rel(&fault_plan.n_frames,
			backtrace(fault_plan.frames, ARRAY_LEN(fault_plan.frames)));
	errno = error;
	return true;
}

/* Memory of this run, by address: a table of open addressing, for a pointer that libc or another
 * library allocated may be freed by us, and the other way round. */
#define N_LIVE (1u << 18)
static struct live {
	const void *p;
	const void *site;
} live[FAULT_TRACKS_MEMORY ? N_LIVE : 1];
static size_t n_live;
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t
live_slot(const void *p)
{
	return (size_t)(((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 46) % ARRAY_LEN(live);
}

static void *
track(void *p, const void *site)
{
	size_t i = live_slot(p);

	if (!FAULT_TRACKS_MEMORY || !p || load_rlx(&fault_plan.kinds) == 0)
		return p;
	(void)pthread_mutex_lock(&live_lock);
	if (++n_live > N_LIVE / 2)
		fault_fail("more than %u live allocations", N_LIVE / 2);
	while (live[i].p)
		i = (i + 1) % N_LIVE;
	live[i] = (struct live){p, site};
	(void)pthread_mutex_unlock(&live_lock);
	return p;
}

/* Entries after a removed one move up where they may: no marks are left. */
static void
close_gap_locked(size_t gap)
{
	for (size_t i = (gap + 1) % N_LIVE; live[i].p; i = (i + 1) % N_LIVE) {
		size_t home = live_slot(live[i].p);

		if ((i - home) % N_LIVE < (i - gap) % N_LIVE)
			continue;
		live[gap] = live[i];
		gap = i;
	}
	live[gap].p = NULL;
}

static void
untrack(const void *p)
{
	size_t i = live_slot(p);

	if (!FAULT_TRACKS_MEMORY || !p)
		return;
	(void)pthread_mutex_lock(&live_lock);
	while (n_live > 0 && live[i].p && live[i].p != p)
		i = (i + 1) % N_LIVE;
	if (n_live > 0 && live[i].p) {
		n_live--;
		close_gap_locked(i);
	}
	(void)pthread_mutex_unlock(&live_lock);
}

size_t
fault_live(struct fault_site *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; FAULT_TRACKS_MEMORY && i < N_LIVE; i++) {
		size_t s = 0;

		if (!live[i].p)
			continue;
		while (s < n && ret[s].at != live[i].site)
			s++;
		if (s == n && n < max)
			ret[n++] = (struct fault_site){.at = live[i].site};
		if (s < n)
			ret[s].n++;
	}
	return n;
}

/* The linker's names. */
#define WRAP(type, name, ...)            \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

#define SITE __builtin_return_address(0)

WRAP(void *, malloc, size_t n)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : track(__real_malloc(n), SITE);
}

WRAP(void *, calloc, size_t n, size_t size)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : track(__real_calloc(n, size), SITE);
}

WRAP(void *, aligned_alloc, size_t align, size_t n)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : track(__real_aligned_alloc(align, n), SITE);
}

WRAP(void *, realloc, void *p, size_t n)
{
	void *q;

	if (fails(FAULT_MEMORY, ENOMEM))
		return NULL;
	untrack(p); /* before another thread may be given the address */
	q = __real_realloc(p, n);
	return track(q ? q : p, SITE) == q ? q : NULL;
}

WRAP(void, free, void *p)
{
	untrack(p);
	__real_free(p);
}

WRAP(char *, strdup, const char *s)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : track(__real_strdup(s), SITE);
}

WRAP(char *, strndup, const char *s, size_t n)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : track(__real_strndup(s, n), SITE);
}

int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int
__wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (fails(FAULT_MEMORY, ENOMEM))
		return -1;
	va_start(ap, fmt);
	r = vasprintf(ret, fmt, ap);
	va_end(ap);
	if (r >= 0)
		(void)track(*ret, SITE);
	return r;
}

WRAP(int, pthread_create, pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
	void *arg)
{
	/* It returns its error and leaves errno alone. */
	return fails(FAULT_THREAD, EAGAIN) ? EAGAIN : __real_pthread_create(ret, attr, fn, arg);
}

WRAP(int, posix_spawn, pid_t *ret, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	return fails(FAULT_SPAWN, EAGAIN) ? EAGAIN
	                                  : __real_posix_spawn(ret, path, actions, attr, argv, env);
}

WRAP(void *, mmap, void *at, size_t len, int prot, int flags, int fd, off_t from)
{
	return fails(FAULT_MAP, ENOMEM) ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, from);
}

WRAP(int, eventfd, unsigned count, int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_eventfd(count, flags);
}

WRAP(int, pidfd_open, pid_t pid, unsigned flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_pidfd_open(pid, flags);
}

WRAP(int, pipe2, int fds[2], int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_pipe2(fds, flags);
}

WRAP(int, socket, int domain, int type, int protocol)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

WRAP(int, accept4, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_accept4(fd, addr, len, flags);
}

WRAP(int, signalfd, int fd, const sigset_t *mask, int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_signalfd(fd, mask, flags);
}

WRAP(int, timerfd_create, int clock, int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_timerfd_create(clock, flags);
}

WRAP(int, epoll_create1, int flags)
{
	return fails(FAULT_FD, EMFILE) ? -1 : __real_epoll_create1(flags);
}

WRAP(DIR *, fdopendir, int fd)
{
	return fails(FAULT_MEMORY, ENOMEM) ? NULL : __real_fdopendir(fd);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int dirfd, const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(FAULT_FD, EMFILE) ? -1 : __real_open(path, flags, mode);
}

int
__wrap_openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(FAULT_FD, EMFILE) ? -1 : __real_openat(dirfd, path, flags, mode);
}

/* Every command takes at most one argument, of a register's size. */
int
__wrap_fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((command == F_DUPFD_CLOEXEC || command == F_DUPFD) && fails(FAULT_FD, EMFILE))
		return -1;
	return __real_fcntl(fd, command, arg);
}
