#include <errno.h>

#include "server/server_impl.h"

/* The daemon's own events in the loop: posts, descriptors, timers. */

struct post {
	struct mail mail;
	void (*fn)(void *ctx);
	void *ctx;
};

struct ticker {
	struct list link;
	struct event *event;
	void (*fn)(void *ctx);
	void *ctx;
};

struct fd_watch {
	struct list link;
	struct event *event;
	int fd;
	void (*fn)(void *ctx);
	void *ctx;
};

static void
post_deliver(struct mail *m)
{
	struct post *p = CONTAINER_OF(m, struct post, mail);

	p->fn(p->ctx);
	free(p);
}

int
server_post(struct server *s, void (*fn)(void *ctx), void *ctx)
{
	struct post *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct post){.mail.deliver = post_deliver, .fn = fn, .ctx = ctx};
	r = server_send(s, &p->mail);
	if (r < 0)
		free(p);
	return r;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ticker *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->ctx);
}

int
server_every(struct server *s, usec_t interval_usec, void (*fn)(void *ctx), void *ctx)
{
	struct timeval tv = timeval_of(interval_usec);
	struct ticker *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->ctx = ctx;
	t->event = event_new(s->base, -1, EV_PERSIST, on_tick, t);
	if (!t->event || event_add(t->event, &tv) < 0) {
		if (t->event)
			event_free(t->event);
		free(t);
		return -ENOMEM;
	}
	list_push_back(&s->tickers, &t->link);
	return 0;
}

/* The last thing here is fn: it may have freed the watch. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct fd_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->ctx);
}

static void
watch_free(struct fd_watch *w)
{
	if (w->event)
		event_free(w->event);
	free(w);
}

int
server_watch_fd(struct server *s, int fd, void (*fn)(void *ctx), void *ctx)
{
	struct fd_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct fd_watch){.fd = fd, .fn = fn, .ctx = ctx};
	w->event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, w);
	if (!w->event || event_add(w->event, NULL) < 0) {
		watch_free(w);
		return -ENOMEM;
	}
	list_push_back(&s->watches, &w->link);
	return 0;
}

void
server_unwatch_fd(struct server *s, int fd)
{
	LIST_EACH (&s->watches, it) {
		struct fd_watch *w = LIST_ITEM(it, struct fd_watch, link);

		if (w->fd != fd)
			continue;
		list_remove(it);
		watch_free(w);
	}
}

void
server_events_fini(struct server *s)
{
	LIST_EACH (&s->tickers, it) {
		struct ticker *t = LIST_ITEM(it, struct ticker, link);

		event_free(t->event);
		free(t);
	}
	LIST_EACH (&s->watches, it)
		watch_free(LIST_ITEM(it, struct fd_watch, link));
}
