/* bench_watch DIR: what watching costs, in a scratch directory below DIR.
 *
 * Setting up by a mark of the file system, and by marks of each directory of DIR (as many as are
 * allowed); from a change to its being received, idle; how fast a full queue is read, beside a bare
 * loop of read(2) that looks at nothing. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "watch/watch.h"

#include "sync/lock.h"

#define N_EVENTS 12000 /* with what others do less than a queue holds */
#define N_PROBES 500
#define IDLE_USEC 3000

struct hold {
	struct lock lock;
	struct cond changed;
	bool held, waits;
};

static struct watch *the_watch;
static uint32_t the_mount;
static uint64_t n_dirs;

_Noreturn static void
fail(const char *what, int r)
{
	(void)fprintf(stderr, "bench_watch: %s: %s\n", what, err_reason(r));
	exit(1);
}

static void
must(const char *what, int r)
{
	if (r < 0)
		fail(what, r);
}

static void
on_drain(void *ctx)
{
	struct hold *h = ctx;
	LOCK_SCOPE(&h->lock);

	while (h->held) {
		h->waits = true;
		cond_broadcast(&h->changed);
		cond_wait(&h->changed, &h->lock);
	}
	h->waits = false;
}

static void
set_held(struct hold *h, bool held)
{
	LOCK_SCOPE(&h->lock);

	h->held = held;
	cond_broadcast(&h->changed);
	if (held)
		(void)watch_cookie(the_watch);
	while (held && !h->waits)
		cond_wait(&h->changed, &h->lock);
}

static void
touch(int dirfd, int n)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "n%d", n);
	fd = openat(dirfd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	must("create a file", fd < 0 ? -errno : 0);
	close(fd);
}

static void
untouch(int dirfd, int n)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "n%d", n);
	(void)unlinkat(dirfd, name, 0);
}

/* Until the cookie: how many changes came before it. */
static uint64_t
receive_to(uint64_t cookie)
{
	struct watch_change c[256];
	uint64_t n = 0;

	for (;;) {
		int r = watch_recv(the_watch, c, ARRAY_LEN(c), NULL, USEC_NEVER);

		must("receive", r);
		for (int i = 0; i < r; i++) {
			if (c[i].what == WATCH_COOKIE && c[i].cookie >= cookie)
				return n;
			n += c[i].what != WATCH_COOKIE;
		}
	}
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
bench_latency(int dirfd)
{
	static uint64_t took[N_PROBES];
	struct watch_change c[256];

	for (int i = 0; i < N_PROBES; i++) {
		uint64_t began;

		(void)receive_to(watch_cookie(the_watch));
		(void)usleep(IDLE_USEC);
		began = clock_mono_ns();
		touch(dirfd, i);
		must("receive", watch_recv(the_watch, c, ARRAY_LEN(c), NULL, USEC_NEVER));
		took[i] = clock_mono_ns() - began;
		untouch(dirfd, i);
	}
	qsort(took, N_PROBES, sizeof(*took), by_value);
	printf("from a new file to its being received: p50 %.0f us, p99 %.0f us\n",
		(double)took[N_PROBES / 2] / 1e3, (double)took[N_PROBES * 99 / 100] / 1e3);
}

static void
bench_cookie(void)
{
	static uint64_t took[N_PROBES];

	for (int i = 0; i < N_PROBES; i++) {
		uint64_t began = clock_mono_ns();

		(void)receive_to(watch_cookie(the_watch));
		took[i] = clock_mono_ns() - began;
	}
	qsort(took, N_PROBES, sizeof(*took), by_value);
	printf("a cookie: p50 %.0f us, p99 %.0f us\n", (double)took[N_PROBES / 2] / 1e3,
		(double)took[N_PROBES * 99 / 100] / 1e3);
}

static void
bench_drain(struct hold *h, int dirfd)
{
	uint64_t began, n;

	for (int round = 0; round < 5; round++) {
		(void)receive_to(watch_cookie(the_watch));
		set_held(h, true);
		for (int i = 0; i < N_EVENTS; i++)
			round % 2 ? untouch(dirfd, i) : touch(dirfd, i);
		began = clock_mono_ns();
		set_held(h, false);
		n = receive_to(watch_cookie(the_watch));
		printf("a full queue: %llu changes in %.1f ms, %.0f ns each\n",
			(unsigned long long)n, (double)(clock_mono_ns() - began) / 1e6,
			(double)(clock_mono_ns() - began) / (double)MAX(n, 1ull));
	}
	for (int i = 0; i < N_EVENTS; i++)
		untouch(dirfd, i);
}

static void
bench_floor(int dirfd)
{
	static char buffer[65536];
	int fd = fanotify_init(
		FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	uint64_t began;

	if (fd < 0 || fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			      FAN_CREATE | FAN_CLOSE_WRITE, dirfd, ".") < 0)
		return;
	for (int i = 0; i < N_EVENTS; i++)
		touch(dirfd, i);
	began = clock_mono_ns();
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	printf("floor, read(2) alone: %.1f ms\n", (double)(clock_mono_ns() - began) / 1e6);
	for (int i = 0; i < N_EVENTS; i++)
		untouch(dirfd, i);
	close(fd);
}

static int
mark_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)ftw;
	if (flag == FTW_D) {
		AUTO(closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && watch_dir(the_watch, the_mount, fd, st->st_ino) < 0)
			return 1;
		n_dirs++;
	}
	return 0;
}

static void
bench_setup(const char *path, int fd, enum watch_kind wanted)
{
	uint64_t began = clock_mono_ns();
	enum watch_kind kind;

	must("watch", watch_mount(the_watch, fd, wanted, &the_mount, &kind, NULL));
	printf("setting up \"%s\": %.0f us", watch_kind_name(kind),
		(double)(clock_mono_ns() - began) / 1e3);
	if (kind == WATCH_DIRECTORIES) {
		began = clock_mono_ns();
		(void)nftw(path, mark_one, 64, FTW_PHYS | FTW_MOUNT);
		printf(", marking %llu directories on the way of nftw: %.0f ms",
			(unsigned long long)n_dirs, (double)(clock_mono_ns() - began) / 1e6);
	}
	printf("\n");
}

static void
bench_kind(const char *path, int state_fd, int scratch_fd, enum watch_kind wanted)
{
	struct hold h = {0};
	struct watch_opts o = {
		.state_fd = state_fd, .allow_file_system = true, .on_drain = on_drain, .ctx = &h};
	struct err err = {0};
	uint64_t began = clock_mono_ns();
	struct watch_stats st;
	struct stat dir;

	lock_init(&h.lock, RANK_LEAF, "hold");
	if (watch_create(&o, &the_watch, &err) < 0)
		fail(err.what, err.code);
	printf("creating a watch: %.0f us\n", (double)(clock_mono_ns() - began) / 1e3);
	bench_setup(path, scratch_fd, wanted);
	must("stat", fstat(scratch_fd, &dir) < 0 ? -errno : 0);
	must("watch a directory", watch_dir(the_watch, the_mount, scratch_fd, dir.st_ino));
	bench_latency(scratch_fd);
	bench_cookie();
	bench_drain(&h, scratch_fd);
	watch_get_stats(the_watch, &st);
	printf("%llu events, %llu coalesced, %llu told, %llu overflows\n\n",
		(unsigned long long)st.n_events, (unsigned long long)st.n_coalesced,
		(unsigned long long)st.n_told, (unsigned long long)st.n_overflows);
	watch_destroy(the_watch);
	lock_fini(&h.lock);
}

int
main(int argc, char **argv)
{
	char state[] = "/tmp/bench-watch-XXXXXX", scratch[4096];
	int state_fd, scratch_fd;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench_watch DIR\n");
		return 2;
	}
	(void)snprintf(scratch, sizeof(scratch), "%s/bench-watch-XXXXXX", argv[1]);
	if (!mkdtemp(state) || !mkdtemp(scratch))
		fail("make a directory", -errno);
	state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bench_kind(argv[1], state_fd, scratch_fd, WATCH_FILE_SYSTEM);
	bench_kind(argv[1], state_fd, scratch_fd, WATCH_DIRECTORIES);
	bench_floor(scratch_fd);
	(void)rmdir(scratch);
	(void)snprintf(scratch, sizeof(scratch), "rm -rf %s", state);
	return system(scratch) != 0; /* NOLINT(cert-env33-c) */
}
