/*
 * bench_floor DIR: the least that any walk with metadata must do: getdents64 every directory and
 * statx every entry, on two threads, keeping nothing. Prints how many entries it saw.
 *
 * bench_floor -w FILE BYTES: the least that keeping BYTES durably must do: write them to a new file
 * and sync it. Prints the microseconds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define N_THREADS 2u
#define DIRENT_BYTES (128u * 1024)

struct raw_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct work {
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* Guarded by lock: directories to read, as a stack of paths; how many are being read. */
	char **stack;
	size_t len, cap;
	unsigned n_busy;
	unsigned long n_entries;
};

static void
push(struct work *w, char *path)
{
	(void)pthread_mutex_lock(&w->lock);
	if (w->len == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 1024;
		w->stack = realloc(w->stack, w->cap * sizeof(*w->stack));
		if (!w->stack)
			abort();
	}
	w->stack[w->len++] = path;
	(void)pthread_cond_signal(&w->more);
	(void)pthread_mutex_unlock(&w->lock);
}

/* A directory to read, NULL when none is left and none is being read. */
static char *
pop(struct work *w, unsigned long n_seen)
{
	char *path = NULL;

	(void)pthread_mutex_lock(&w->lock);
	w->n_entries += n_seen;
	w->n_busy--;
	while (w->len == 0 && w->n_busy > 0)
		(void)pthread_cond_wait(&w->more, &w->lock);
	if (w->len > 0) {
		path = w->stack[--w->len];
		w->n_busy++;
	} else {
		(void)pthread_cond_broadcast(&w->more);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return path;
}

static void
see(struct work *w, int fd, const char *dir, const struct raw_dirent *d)
{
	struct statx st;
	char *path;

	if (statx(fd, d->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		    STATX_BASIC_STATS, &st) < 0)
		return;
	if (d->type == DT_DIR && asprintf(&path, "%s/%s", dir, d->name) >= 0)
		push(w, path);
}

static unsigned long
read_dir(struct work *w, const char *path)
{
	static _Thread_local char buf[DIRENT_BYTES] __attribute__((aligned(8)));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	unsigned long n = 0;
	long got;

	if (fd < 0)
		return 0;
	while ((got = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < got;) {
			const struct raw_dirent *d = (const void *)(buf + at);

			at += d->reclen;
			if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
				continue;
			n++;
			see(w, fd, path, d);
		}
	}
	(void)close(fd);
	return n;
}

static void *
walk(void *arg)
{
	struct work *w = arg;
	unsigned long n = 0;
	char *path;

	while ((path = pop(w, n))) {
		n = read_dir(w, path);
		free(path);
	}
	return NULL;
}

static double
now_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The bytes are in memory before the clock starts; they are no zeros, and no two blocks alike. */
static int
keep(const char *file, size_t bytes)
{
	uint64_t *data = malloc(bytes + sizeof(*data));
	double start;
	int fd;

	if (!data)
		return 1;
	for (size_t i = 0; i * sizeof(*data) < bytes; i++)
		data[i] = i * 0x9E3779B97F4A7C15u;
	start = now_usec();
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	for (size_t at = 0; fd >= 0 && at < bytes;) {
		ssize_t n = write(fd, (const char *)data + at, bytes - at);

		if (n <= 0)
			return 1;
		at += (size_t)n;
	}
	if (fd < 0 || fsync(fd) < 0)
		return 1;
	(void)printf("%.0f\n", now_usec() - start);
	free(data);
	return close(fd) != 0;
}

int
main(int argc, char **argv)
{
	struct work w = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.n_busy = N_THREADS, /* each thread's first pop() gives its place back */
	};
	pthread_t thread[N_THREADS];

	if (argc == 4 && strcmp(argv[1], "-w") == 0)
		return keep(argv[2], strtoull(argv[3], NULL, 10));
	if (argc != 2) {
		(void)fputs("usage: bench_floor DIR, or bench_floor -w FILE BYTES\n", stderr);
		return 2;
	}
	push(&w, strdup(argv[1]));
	for (unsigned i = 0; i < N_THREADS; i++) {
		if (pthread_create(&thread[i], NULL, walk, &w) != 0)
			return 1;
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		(void)pthread_join(thread[i], NULL);
	free(w.stack);
	(void)printf("%lu\n", w.n_entries);
	return 0;
}
