#include "sync/scope.h"

#include <errno.h>

#include "sync/registry.h"

struct scope_thread {
	struct thread thread;
	struct list link; /* on scope.live until it is being joined */
	struct scope *scope;
	scope_fn fn;
	void *arg;
};

void
scope_init(struct scope *s, struct stop *parent)
{
	*s = (struct scope){0};
	stop_init(&s->stop, parent);
	lock_init(&s->lock, RANK_LEAF, "scope");
	list_init(&s->live);
}

static bool
note_first(struct scope *s, int code, const struct err *err)
{
	LOCK_SCOPE(&s->lock);

	if (s->n_failures++ > 0)
		return false;
	s->code = code;
	s->err = *err;
	s->err.code = code;
	return true;
}

/* The token is fired without the lock, whose rank is the higher. */
static void
note_failure(struct scope *s, int code, const struct err *err)
{
	if (note_first(s, code, err))
		stop_request(&s->stop);
}

static int
scope_thread_main(void *arg)
{
	struct scope_thread *st = arg;
	int r = st->fn(st->arg, &st->scope->stop);

	if (r < 0) {
		struct err *err = thread_err();

		if (!err->what[0])
			(void)err_set(err, r, "thread \"%s\" failed: %s", thread_self()->name,
				err_reason(r));
		note_failure(st->scope, r, err);
	}
	return r;
}

static void
push_live(struct scope *s, struct scope_thread *st)
{
	LOCK_SCOPE(&s->lock);

	list_push_back(&s->live, &st->link);
}

static struct scope_thread *
pop_live(struct scope *s)
{
	struct list *link;

	LOCK_SCOPE(&s->lock);
	link = list_pop_front(&s->live);
	return link ? LIST_ITEM(link, struct scope_thread, link) : NULL;
}

static int
start_failed(struct scope *s, const char *name, int code)
{
	struct err err;

	(void)err_set(&err, code, "could not start thread \"%s\": %s", name, err_reason(code));
	note_failure(s, code, &err);
	return code;
}

/* Listed after it has begun: only a join could miss it, and whoever may spawn is either the one who
 * joins or is itself still to be joined. */
int
scope_spawn(struct scope *s, const char *name, scope_fn fn, void *arg)
{
	struct scope_thread *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return start_failed(s, name, -ENOMEM);
	*st = (struct scope_thread){.scope = s, .fn = fn, .arg = arg};
	list_init(&st->link);
	r = thread_start(&st->thread, name, scope_thread_main, st);
	if (r < 0) {
		free(st);
		return start_failed(s, name, r);
	}
	push_live(s, st);
	return 0;
}

static int
who_runs(struct scope *s, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf names = {0};

	LOCK_SCOPE(&s->lock);
	LIST_EACH (&s->live, it) {
		const struct scope_thread *st = LIST_ITEM(it, struct scope_thread, link);

		if (load_acq(&st->thread.ended) == 0)
			(void)strbuf_printf(
				&names, "%s\"%s\"", names.len ? ", " : "", st->thread.name);
	}
	return err_set(err, -EINPROGRESS, "not ended in time: %.*s", (int)names.len,
		strbuf_view(&names).data);
}

/* Everything that failed is written by threads that have been joined, but for a start that failed
 * on this one. */
static int
scope_result(struct scope *s, struct err *err)
{
	LOCK_SCOPE(&s->lock);

	if (s->code < 0 && err)
		*err = s->err;
	return s->code;
}

int
scope_join_until(struct scope *s, usec_t deadline, struct err *err)
{
	struct scope_thread *st;
	int ignored;

	while ((st = pop_live(s))) {
		if (thread_join_until(&st->thread, deadline, &ignored) < 0) {
			push_live(s, st);
			return who_runs(s, err);
		}
		free(st);
	}
	return scope_result(s, err);
}

int
scope_join(struct scope *s, struct err *err)
{
	return scope_join_until(s, USEC_NEVER, err);
}

static bool
anybody_left(struct scope *s)
{
	LOCK_SCOPE(&s->lock);

	return !list_empty(&s->live);
}

void
scope_fini(struct scope *s)
{
	if (anybody_left(s))
		stop_request(&s->stop);
	(void)scope_join(s, NULL);
	stop_fini(&s->stop);
	lock_fini(&s->lock);
}

struct map_piece {
	size_t lo, hi;
	scope_map_fn fn;
	void *ctx;
};

static int
map_piece_main(void *arg, struct stop *stop)
{
	const struct map_piece *p = arg;

	for (size_t i = p->lo; i < p->hi; i++) {
		int r = stop_requested(stop) ? -ECANCELED : p->fn(i, p->ctx, stop);

		if (r < 0)
			return r;
	}
	return 0;
}

int
scope_map(unsigned n_threads, size_t n, scope_map_fn fn, void *ctx, struct stop *parent,
	struct err *err)
{
	size_t n_pieces = MIN(n, (size_t)MAX(n_threads, 1u));
	AUTO(freep) struct map_piece *pieces = calloc(n_pieces + 1, sizeof(*pieces));

	if (!pieces)
		return err_set(err, -ENOMEM, "could not start threads: out of memory");
	SCOPE(s, parent);
	for (size_t i = 0; i < n_pieces; i++) {
		/* The first n % n_pieces pieces are one longer. */
		size_t lo = n / n_pieces * i + MIN(i, n % n_pieces);
		size_t len = n / n_pieces + (i < n % n_pieces);

		pieces[i] = (struct map_piece){lo, lo + len, fn, ctx};
		if (scope_spawn(&s, "map", map_piece_main, &pieces[i]) < 0)
			break;
	}
	return scope_join(&s, err);
}
