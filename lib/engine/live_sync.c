/*
 * Barriers. One is asked for with a cookie; when that comes back, all that was done before is
 * gathered, and each root's number says what has to be applied (note: numbers of batches, live.h).
 */
#include "engine/internal.h"
#include "engine/live_impl.h"

#include <errno.h>

struct sync {
	struct list link; /* live.syncs, or a list of those that are done */
	uint64_t cookie;
	bool begun; /* the cookie has come back */
	usec_t deadline;
	engine_synced_fn *done;
	void *ctx;
	/* Once it is done. */
	int result;
	uint64_t tick;
	/* Once begun: what each root has to have applied. */
	uint32_t n, room;
	struct sync_want {
		uint32_t root;
		uint64_t number;
	} want[];
};

static const struct root *
root_of_locked(const struct engine *e, uint32_t id)
{
	VEC_EACH (&e->roots, r) {
		if ((*r)->id == id)
			return *r;
	}
	return NULL;
}

static bool
is_stale(const struct root *r)
{
	return !r->walked || r->state == ROOT_FAILED || live_stale_locked(r);
}

/* It has failed, and nobody tries it again soon. */
static bool
is_given_up(const struct root *r)
{
	return r->state == ROOT_FAILED && !r->wanted && !r->live.busy;
}

/* Is there something that has no number yet? A walk gets one once its watches are set up. */
static bool
has_more(const struct root *r)
{
	const struct live_root *l = &r->live;

	return r->wanted || l->begins || l->lost || l->mounts_due || l->first_usec;
}

/* Windows close; what is polled is walked. */
static void
want_locked(struct sync *s, struct root *r)
{
	struct live_root *l = &r->live;

	if (live_is_polled(r))
		root_request_locked(r);
	if (r->wanted || r->state == ROOT_INDEXING)
		root_urge_locked(r);
	if (l->first_usec) {
		l->due_usec = l->first_usec;
		cond_broadcast(&r->changed);
	}
	s->want[s->n++] = (struct sync_want){r->id, has_more(r) ? l->number : l->number - 1};
}

void
sync_begin_locked(struct live *l, uint64_t cookie)
{
	LIST_EACH (&l->syncs, link) {
		struct sync *s = LIST_ITEM(link, struct sync, link);

		if (s->begun || s->cookie > cookie)
			continue;
		s->begun = true;
		/* A root that a reload has added since was not there at the call. */
		VEC_EACH (&l->engine->roots, r) {
			if (s->n < s->room)
				want_locked(s, *r);
		}
	}
}

/* 0 it is over, -EAGAIN it is not. */
static int
look_locked(const struct live *l, const struct sync *s, bool *ret_stale)
{
	if (!s->begun)
		return -EAGAIN;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct root *r = root_of_locked(l->engine, s->want[i].root);

		if (!r)
			continue;
		if (r->live.applied < s->want[i].number && !is_given_up(r))
			return -EAGAIN;
		*ret_stale |= is_stale(r);
	}
	return 0;
}

void
sync_collect_locked(struct live *l, struct list *done)
{
	usec_t now = clock_mono();

	LIST_EACH (&l->syncs, link) {
		struct sync *s = LIST_ITEM(link, struct sync, link);
		bool stale = false;
		int r = look_locked(l, s, &stale);

		if (r < 0 && now < s->deadline)
			continue;
		s->result = r < 0 ? -ETIMEDOUT : stale ? -ESTALE : 0;
		s->tick = l->engine->tick;
		list_remove(&s->link);
		list_push_back(done, &s->link);
	}
}

void
sync_finish(struct list *done)
{
	LIST_EACH (done, link) {
		struct sync *s = LIST_ITEM(link, struct sync, link);

		list_remove(&s->link);
		s->done(s->ctx, s->result, s->tick);
		free(s);
	}
}

usec_t
sync_deadline_locked(const struct live *l)
{
	usec_t first = USEC_NEVER;

	LIST_EACH (&l->syncs, link)
		first = MIN(first, LIST_ITEM(link, struct sync, link)->deadline);
	return first;
}

void
sync_end(struct live *l)
{
	struct list done = LIST_INIT(done);

	{
		LOCK_SCOPE(&l->engine->lock);
		l->ended = true;
		LIST_EACH (&l->syncs, link) {
			struct sync *s = LIST_ITEM(link, struct sync, link);

			s->result = -ECANCELED;
			s->tick = l->engine->tick;
			list_remove(&s->link);
			list_push_back(&done, &s->link);
		}
	}
	sync_finish(&done);
}

void
live_applied(struct root *r)
{
	struct list done = LIST_INIT(done);

	{
		LOCK_SCOPE(&r->engine->lock);
		sync_collect_locked(r->engine->live, &done);
	}
	sync_finish(&done);
}

static int
enter(struct live *l, struct sync *s)
{
	LOCK_SCOPE(&l->engine->lock);
	if (l->ended || stop_requested(&l->stop))
		return -ECANCELED;
	l->n_syncs++;
	list_push_back(&l->syncs, &s->link);
	if (l->watch && !l->deaf) {
		s->cookie = watch_cookie(l->watch); /* comes back after this section */
	} else {
		sync_begin_locked(l, 0);
		cond_broadcast(&l->changed);
	}
	return 0;
}

int
engine_sync(struct engine *e, usec_t deadline, engine_synced_fn *done, void *ctx)
{
	struct sync *s;
	uint32_t n;
	int r;

	{
		LOCK_SCOPE(&e->lock);
		n = (uint32_t)e->roots.len;
	}
	s = calloc(1, sizeof(*s) + n * sizeof(s->want[0]));
	if (!s)
		return -ENOMEM;
	*s = (struct sync){.deadline = deadline, .done = done, .ctx = ctx, .room = n};
	r = enter(e->live, s);
	if (r < 0)
		free(s);
	return r;
}
