/*
 * bench_echo [ANSWER | -]: the least that a server on libevent must do: a bufferevent a connection,
 * a line in, an answer out that was made before, by reference, one thread. The answer is as trawld
 * would give it: the first argument, or all of the standard input ("-"), for an argument has at
 * most 128 KiB. Prints its port.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER ((size_t)1 << 20)

static char answer[MAX_ANSWER + 2] = "{\"id\":1,\"ev\":\"pong\"}";
static size_t answer_bytes;

static void
on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	(void)ctx;
	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF))) {
		free(line);
		(void)evbuffer_add_reference(
			bufferevent_get_output(bev), answer, answer_bytes, NULL, NULL);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)ctx;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int peer_len,
	void *ctx)
{
	struct bufferevent *bev = bufferevent_socket_new(ctx, fd, BEV_OPT_CLOSE_ON_FREE);
	int one = 1;

	/* Else the last piece of a large answer waits for the client to say that it has the first.
	 */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)listener;
	(void)peer;
	(void)peer_len;
	if (!bev)
		return;
	bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
	(void)bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* With the newline that ends it. */
static void
take_answer(const char *text)
{
	if (text && strcmp(text, "-") == 0)
		answer[fread(answer, 1, MAX_ANSWER, stdin)] = '\0';
	else if (text)
		(void)snprintf(answer, MAX_ANSWER, "%s", text);
	answer_bytes = strlen(answer);
	if (answer_bytes > 0 && answer[answer_bytes - 1] != '\n')
		answer[answer_bytes++] = '\n';
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	struct event_base *base = event_base_new();
	struct evconnlistener *listener;

	take_answer(argc > 1 ? argv[1] : NULL);
	listener = base ? evconnlistener_new_bind(base, on_accept, base,
				  LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024,
				  (struct sockaddr *)&at, sizeof(at))
	                : NULL;
	if (!listener ||
		getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &len) < 0)
		return 1;
	(void)printf("%d\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	return event_base_dispatch(base) < 0;
}
