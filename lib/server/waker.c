#include "server/waker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/job.h"

static void
wakers_destroy(struct arc *a)
{
	struct wakers *ws = CONTAINER_OF(a, struct wakers, arc);

	closep(&ws->fd);
	lock_fini(&ws->lock);
	free(ws);
}

static void
waker_destroy(struct arc *a)
{
	struct waker *w = CONTAINER_OF(a, struct waker, arc);

	arc_put(&w->wakers->arc);
	free(w);
}

struct waker *
waker_ref(struct waker *w)
{
	arc_get(&w->arc);
	return w;
}

void
waker_unref(struct waker *w)
{
	if (w)
		arc_put(&w->arc);
}

struct waker *
job_waker(struct job *j)
{
	struct waker *w = j->waker;

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	arc_init(&w->arc, waker_destroy);
	list_init(&w->link);
	w->wakers = j->server->wakers;
	arc_get(&w->wakers->arc);
	w->job = j;
	return j->waker = w;
}

static void
nudge(const struct wakers *ws)
{
	static const uint64_t one = 1;

	(void)!write(ws->fd, &one, sizeof(one)); /* a full counter wakes as well */
}

/* The reference of the poster becomes the list's. */
static bool
enqueue(struct waker *w)
{
	LOCK_SCOPE(&w->wakers->lock);

	if (w->wakers->closed)
		return false;
	list_push_back(&w->wakers->posted, &w->link);
	return true;
}

void
waker_post(void *waker, int result, const struct err *err)
{
	struct waker *w = waker;
	struct wakers *ws = w->wakers;

	arc_get(&ws->arc); /* the loop may be done with `w` before the nudge */
	w->result = result;
	if (err)
		w->err = *err;
	store_rel(&w->posted, true); /* pairs with waker_posted() */
	if (enqueue(w))
		nudge(ws);
	else
		waker_unref(w);
	arc_put(&ws->arc);
}

bool
waker_posted(const struct waker *w)
{
	return load_acq(&w->posted); /* pairs with waker_post() */
}

void
server_nudge(struct server *s)
{
	nudge(s->wakers);
}

static struct waker *
next_posted(struct wakers *ws)
{
	struct list *link;

	LOCK_SCOPE(&ws->lock);
	link = list_pop_front(&ws->posted);
	return link ? LIST_ITEM(link, struct waker, link) : NULL;
}

static void
on_nudge(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint64_t ignored;
	struct waker *w;

	(void)what;
	/* Emptied first: who posts from here on nudges again. */
	(void)!read((int)fd, &ignored, sizeof(ignored));
	while ((w = next_posted(s->wakers))) {
		if (w->job)
			job_wake(w->job);
		waker_unref(w);
	}
	LIST_EACH (&s->subscribers, it)
		job_wake(LIST_ITEM(it, struct job, subscriber));
}

int
wakers_open(struct server *s)
{
	struct wakers *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return -ENOMEM;
	arc_init(&ws->arc, wakers_destroy);
	lock_init(&ws->lock, RANK_LEAF, "wakers");
	list_init(&ws->posted);
	ws->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->wakers = ws;
	if (ws->fd < 0)
		return -errno;
	s->nudge_event = event_new(s->base, ws->fd, EV_READ | EV_PERSIST, on_nudge, s);
	return s->nudge_event && event_add(s->nudge_event, NULL) == 0 ? 0 : -ENOMEM;
}

static void
refuse_posts(struct wakers *ws)
{
	LOCK_SCOPE(&ws->lock);

	ws->closed = true;
}

void
wakers_close(struct server *s)
{
	struct wakers *ws = TAKE_PTR(s->wakers);
	struct waker *w;

	if (!ws)
		return;
	refuse_posts(ws);
	while ((w = next_posted(ws)))
		waker_unref(w);
	if (s->nudge_event)
		event_free(s->nudge_event);
	arc_put(&ws->arc);
}
