/*
 * bench_load PORT CONNECTIONS SECONDS LINE [N]: the same line over and over on each of many
 * connections, the next one when the answer (N lines, one unless given; 0: up to the line that says
 * that it ends) has come. Prints requests a second, and the median, the 99th percentile and the
 * worst of the answers' times in microseconds.
 *
 * One thread, epoll; it costs less than any server it measures.
 */
#include "base/clock.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_TIMES 20000000u
#define END "\"ev\":\"end\"" /* no text of a row holds it: quotes in one are escaped */

struct client {
	int fd;
	unsigned n_lines; /* of the answer that have come */
	usec_t sent_usec;
	char tail[4096]; /* of what came last */
	size_t tail_bytes;
};

struct load {
	const char *line;
	size_t line_bytes;
	unsigned answer_lines;
	uint32_t *times; /* microseconds of each answer */
	size_t n;
};

static int
connect_to(int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("bench_load: connect");
		exit(1);
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
ask(const struct load *l, struct client *c)
{
	c->sent_usec = clock_mono();
	if (write(c->fd, l->line, l->line_bytes) != (ssize_t)l->line_bytes) {
		perror("bench_load: write");
		exit(1);
	}
}

static void
keep_tail(struct client *c, const char *data, size_t n)
{
	size_t fresh = MIN(n, sizeof(c->tail));
	size_t old = MIN(c->tail_bytes, sizeof(c->tail) - fresh);

	memmove(c->tail, c->tail + c->tail_bytes - old, old);
	memcpy(c->tail + old, data + n - fresh, fresh);
	c->tail_bytes = old + fresh;
}

/* Is the last line there, and the one that ends the answer? */
static bool
has_ended(struct client *c, const char *data, size_t n)
{
	const char *line;

	keep_tail(c, data, n);
	if (c->tail[c->tail_bytes - 1] != '\n')
		return false;
	line = memrchr(c->tail, '\n', c->tail_bytes - 1);
	line = line ? line : c->tail;
	return memmem(line, (size_t)(c->tail + c->tail_bytes - line), END, strlen(END)) != NULL;
}

static void
on_readable(struct load *l, struct client *c)
{
	char buf[65536];
	ssize_t got = read(c->fd, buf, sizeof(buf));

	if (got <= 0) {
		(void)fprintf(stderr, "bench_load: the server hung up\n");
		exit(1);
	}
	for (const char *at = buf; (at = memchr(at, '\n', (size_t)(buf + got - at))); at++)
		c->n_lines++;
	if (l->answer_lines > 0 ? c->n_lines < l->answer_lines : !has_ended(c, buf, (size_t)got))
		return; /* the rest is to come */
	c->n_lines = 0;
	if (l->n < MAX_TIMES)
		l->times[l->n++] = (uint32_t)(clock_mono() - c->sent_usec);
	ask(l, c);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
run(struct load *l, int epoll_fd, usec_t until)
{
	struct epoll_event events[256];

	while (clock_mono() < until) {
		int n = epoll_wait(epoll_fd, events, 256, 100);

		for (int i = 0; i < n; i++)
			on_readable(l, events[i].data.ptr);
	}
}

int
main(int argc, char **argv)
{
	char line[4096];
	struct load l = {.line = line, .answer_lines = 1};
	bool usage = argc < 5 || argc > 6;
	int port = usage ? 0 : atoi(argv[1]), n = usage ? 0 : atoi(argv[2]);
	double seconds = usage ? 0 : strtod(argv[3], NULL);
	struct client *clients = calloc((size_t)MAX(n, 1), sizeof(*clients));
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (port <= 0 || n <= 0 || seconds <= 0 || epoll_fd < 0 || !clients) {
		(void)fputs("usage: bench_load PORT CONNECTIONS SECONDS LINE [N]\n", stderr);
		return 2;
	}
	if (argc == 6)
		l.answer_lines = (unsigned)MAX(atoi(argv[5]), 0);
	l.line_bytes = (size_t)snprintf(line, sizeof(line), "%s\n", argv[4]);
	l.times = malloc(MAX_TIMES * sizeof(*l.times));
	if (!l.times || l.line_bytes >= sizeof(line))
		return 1;
	for (int i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &clients[i]};

		clients[i].fd = connect_to(port);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd, &e) < 0)
			return 1;
		ask(&l, &clients[i]);
	}
	run(&l, epoll_fd, clock_mono() + (usec_t)(seconds * 1e6));
	if (l.n == 0)
		return 1;
	qsort(l.times, l.n, sizeof(*l.times), by_value);
	(void)printf("%.0f %u %u %u\n", (double)l.n / seconds, l.times[l.n / 2],
		l.times[l.n * 99 / 100], l.times[l.n - 1]);
	free(l.times);
	free(clients);
	return 0;
}
