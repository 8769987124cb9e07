#include "engine/live.h"

#include <errno.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/live_impl.h"

#define RETRY_USEC (50 * USEC_PER_MSEC)
#define RECEIVE 128u /* changes that are taken at a time, under the lock */

/* What watches is told of is kept for roots' threads. With the lock. */

static bool
has_mount(const struct root *r, uint32_t mount)
{
	VEC_EACH (&r->live.mounts, m) {
		if (m->number == mount)
			return true;
	}
	return false;
}

/* May the directory be the root's when the change is taken up (note: names by inode)? */
static bool
may_be_of(const struct root *r, uint64_t ino)
{
	const struct live_root *l = &r->live;

	if (l->busy)
		return true;
	if (!r->stack)
		return false; /* a walk is to come */
	return !l->inodes || !tree_inodes_fit(l->inodes, r->stack) ||
	       tree_inodes_have(l->inodes, ino);
}

void
live_due_locked(struct root *r, usec_t settle)
{
	struct live_root *l = &r->live;

	usec_t now = clock_mono();

	if (l->first_usec && l->due_usec <= now + settle)
		return;
	l->first_usec = l->first_usec ? l->first_usec : now;
	l->due_usec = now + settle;
	root_hurry_locked(r);
	cond_broadcast(&r->changed);
}

/* Of files there is no table: that waits until somebody looks. */
static void
hint_file_locked(struct root *r, uint64_t ino)
{
	hints_add(&r->live.files, ino, (struct span){0});
	live_due_locked(r, LIVE_FILES_USEC);
}

/* The first change after quiet is taken up almost at once, and what follows once a window: so one
 * change is seen soon, and a storm of them costs a batch a window. */
static usec_t
window_locked(const struct root *r)
{
	usec_t since = clock_mono() - r->live.taken_usec, settle = r->cfg.settle_usec;
	usec_t lead = MIN(settle, LIVE_LEAD_USEC);

	return since >= settle ? lead : MAX(settle - since, lead);
}

static void
hint_locked(struct root *r, const struct watch_change *c)
{
	if (c->what == WATCH_FILE) {
		hint_file_locked(r, c->ino);
		return;
	}
	if (!may_be_of(r, c->ino))
		return;
	hints_add(&r->live.names, c->ino, c->what == WATCH_NAME ? c->name : (struct span){0});
	live_due_locked(r, window_locked(r));
}

void
live_lose_locked(struct root *r)
{
	struct live_root *l = &r->live;
	usec_t now = clock_mono();

	l->n_lost++;
	l->lost = true;
	if (l->heal_at)
		return;
	if (now - l->healed_at > LIVE_HEAL_MAX_USEC)
		l->heal_patience = 0;
	l->heal_at = now + l->heal_patience;
	l->heal_patience = MIN(MAX(2 * l->heal_patience, LIVE_HEAL_USEC), LIVE_HEAL_MAX_USEC);
	cond_broadcast(&r->changed);
}

/* true: what is published is not true any more. */
static bool
deliver_locked(struct live *l, const struct watch_change *c)
{
	bool lost = false;

	if (c->what == WATCH_COOKIE) {
		sync_begin_locked(l, c->cookie);
		return false;
	}
	VEC_EACH (&l->engine->roots, r) {
		if (!has_mount(*r, c->mount))
			continue;
		if (c->what != WATCH_LOST) {
			hint_locked(*r, c);
			continue;
		}
		live_lose_locked(*r);
		lost = true;
	}
	return lost;
}

static void
take(struct live *l, const struct watch_change *got, int n)
{
	struct list done = LIST_INIT(done);
	bool lost = false;

	{
		LOCK_SCOPE(&l->engine->lock);
		for (int i = 0; i < n; i++)
			lost |= deliver_locked(l, &got[i]);
		sync_collect_locked(l, &done);
	}
	if (lost)
		live_publish(l->engine);
	sync_finish(&done);
}

void
live_publish(struct engine *e)
{
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */

	{
		LOCK_SECTION(&e->lock, section);
		if (engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
}

/* The watch has ended, for what it cannot mend: from now on every root is stale. */
static void
go_deaf(struct live *l, int code)
{
	{
		LOCK_SCOPE(&l->engine->lock);
		l->deaf = true;
	}
	engine_event(l->engine, true,
		"could not receive what changes: %s; roots are stale until the next start",
		err_reason(code));
	live_publish(l->engine);
}

/* Until then, or a new barrier. */
static int
wait_deaf(struct live *l, usec_t deadline)
{
	LOCK_SCOPE(&l->engine->lock);
	if (!stop_requested(&l->stop))
		(void)cond_wait_until(&l->changed, &l->engine->lock, deadline);
	return stop_requested(&l->stop) ? -ECANCELED : -ETIMEDOUT;
}

static int
receive(struct live *l, struct watch_change *got)
{
	usec_t deadline;
	int n;

	{
		LOCK_SCOPE(&l->engine->lock);
		deadline = sync_deadline_locked(l);
	}
	if (!l->watch || l->deaf)
		return wait_deaf(l, deadline);
	n = watch_recv(l->watch, got, RECEIVE, &l->stop, deadline);
	if (n >= 0 || n == -ECANCELED || n == -ETIMEDOUT)
		return n;
	if (n != -EIO) /* nothing is lost, and no descriptor or no memory to be had now */
		return wait_deaf(l, clock_deadline(RETRY_USEC));
	go_deaf(l, n);
	return 0;
}

static int
live_main(void *arg)
{
	struct live *l = arg;
	struct watch_change got[RECEIVE];
	int n;

	for (;;) {
		thread_set_idle(true);
		n = receive(l, got);
		thread_set_idle(false);
		if (n == -ECANCELED)
			break;
		take(l, got, n);
	}
	sync_end(l);
	return 0;
}

static void
wake(void *arg)
{
	struct live *l = arg;

	LOCK_SCOPE(&l->engine->lock);
	cond_broadcast(&l->changed);
}

int
live_create(struct engine *e, const struct engine_config *cfg, struct live **ret, struct err *err)
{
	const struct watch_opts opts = {
		.state_fd = e->state_fd,
		.max_dirs = cfg->watch_max_dirs,
		.allow_file_system = !cfg->watch_no_file_systems,
	};
	struct live *l = calloc(1, sizeof(*l));
	struct err why = {0};
	int code;

	if (!l)
		return err_set(err, -ENOMEM, "could not set up the engine: out of memory");
	l->engine = e;
	l->table_fd = l->wake_fd = -1;
	l->waker = (struct stop_waiter){.wake = wake, .arg = l};
	list_init(&l->syncs);
	cond_init(&l->changed);
	stop_init(&l->stop, &e->stop);
	code = watch_create(&opts, &l->watch, &why);
	if (code == 0)
		code = watch_own(l->watch, e->segment_fd);
	if (code < 0)
		engine_event(e, true,
			"could not watch for what changes: %s; roots are stale between walks",
			why.what[0] ? why.what : err_reason(code));
	*ret = l;
	return 0;
}

int
live_start(struct live *l, struct err *err)
{
	int code = thread_start(&l->thread, "live", live_main, l);

	if (code < 0)
		return err_set(err, code, "could not start a thread: %s", err_reason(code));
	stop_add(&l->stop, &l->waker);
	l->started = true;
	return mounts_watch_start(l, err);
}

void
live_stop(struct live *l)
{
	if (!l)
		return;
	stop_request(&l->stop);
	mounts_watch_end(l);
	(void)thread_join(&l->thread);
	if (l->watch)
		watch_stop(l->watch);
}

void
live_destroy(struct live *l)
{
	if (!l)
		return;
	live_stop(l);
	if (l->started)
		stop_remove(&l->stop, &l->waker);
	watch_destroy(l->watch);
	stop_fini(&l->stop);
	cond_fini(&l->changed);
	free(l);
}

void
live_get_watch(const struct live *l, struct watch_stats *ret)
{
	*ret = (struct watch_stats){0};
	if (l->watch)
		watch_get_stats(l->watch, ret);
}

uint64_t
live_n_syncs_locked(const struct live *l)
{
	return l->n_syncs;
}
