/*
 * bench_read ROUNDS: the least that anybody must do who looks at files: open, fstat, read and close
 * each of those whose paths (each ended by NUL) come from the standard input, on two threads that
 * are awake already. Prints the median of the rounds' microseconds.
 */
#include "base/clock.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ROUNDS 1000u

struct work {
	char **path;
	size_t n;
	/* All sequentially consistent: the floor is not to be argued about. */
	_Atomic size_t next;    /* path to read */
	_Atomic unsigned round; /* that has begun; 0: none yet */
	_Atomic unsigned ended; /* the last one that the helper has ended */
	unsigned n_rounds;
};

static void
read_one(const char *path, char **buf, size_t *cap)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		exit(1);
	}
	if ((size_t)st.st_size > *cap) {
		*cap = (size_t)st.st_size;
		*buf = realloc(*buf, *cap);
		if (!*buf)
			abort();
	}
	for (size_t at = 0; at < (size_t)st.st_size && got > 0; at += (size_t)got)
		got = read(fd, *buf + at, (size_t)st.st_size - at);
	(void)close(fd);
}

static void
read_some(struct work *w, char **buf, size_t *cap)
{
	for (size_t i = w->next++; i < w->n; i = w->next++)
		read_one(w->path[i], buf, cap);
}

static void *
help(void *arg)
{
	struct work *w = arg;
	char *buf = NULL;
	size_t cap = 0;

	for (unsigned i = 1; i <= w->n_rounds; i++) {
		while (w->round < i) {
		}
		read_some(w, &buf, &cap);
		w->ended = i;
	}
	free(buf);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	const usec_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static usec_t
median_round(struct work *w)
{
	usec_t took[MAX_ROUNDS];
	char *buf = NULL;
	size_t cap = 0;

	for (unsigned i = 1; i <= w->n_rounds; i++) {
		usec_t began;

		w->next = 0;
		began = clock_mono();
		w->round = i;
		read_some(w, &buf, &cap);
		while (w->ended < i) {
		}
		took[i - 1] = clock_mono() - began;
	}
	free(buf);
	qsort(took, w->n_rounds, sizeof(*took), compare);
	return took[w->n_rounds / 2];
}

static void
take_paths(struct work *w)
{
	size_t cap = 0, room = 0;
	char *path = NULL;

	while (getdelim(&path, &cap, '\0', stdin) > 0) {
		if (w->n == room) {
			room = room ? 2 * room : 1024;
			w->path = realloc(w->path, room * sizeof(*w->path));
			if (!w->path)
				abort();
		}
		w->path[w->n++] = path;
		path = NULL;
		cap = 0;
	}
	free(path);
}

int
main(int argc, char **argv)
{
	struct work w = {.n_rounds = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0};
	pthread_t thread;

	if (w.n_rounds == 0 || w.n_rounds > MAX_ROUNDS) {
		(void)fprintf(stderr, "usage: bench_read ROUNDS, 1 to %u\n", MAX_ROUNDS);
		return 2;
	}
	take_paths(&w);
	if (pthread_create(&thread, NULL, help, &w) != 0)
		return 1;
	(void)printf("%lu\n", (unsigned long)median_round(&w));
	(void)pthread_join(thread, NULL);
	for (size_t i = 0; i < w.n; i++)
		free(w.path[i]);
	free(w.path);
	return 0;
}
