/*
 * bench_echo: the least that a server on libevent must do: a bufferevent a connection, a line in, a
 * line out, one thread. The line is its first argument, as trawld would answer. Prints its port.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char answer[4096] = "{\"id\":1,\"ev\":\"pong\"}";

static void
on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	(void)ctx;
	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF))) {
		free(line);
		(void)bufferevent_write(bev, answer, strlen(answer));
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

	(void)listener;
	(void)peer;
	(void)peer_len;
	if (!bev)
		return;
	bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
	(void)bufferevent_enable(bev, EV_READ | EV_WRITE);
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

	if (argc > 1)
		(void)snprintf(answer, sizeof(answer) - 1, "%s", argv[1]);
	(void)strcat(answer, "\n");
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
