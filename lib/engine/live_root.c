/*
 * What a root's thread does with changes: it takes up what was gathered, finds out what the
 * directories are called, and has that looked at again.
 */
#include "engine/internal.h"
#include "engine/live_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/commit.h"
#include "engine/indexer.h"
#include "engine/other_names.h"

#define LEISURE_USEC (1500 * USEC_PER_MSEC)
#define LEISURE_MAX_USEC (15 * USEC_PER_SEC)
/* A polled root is walked for a twentieth of the time at most. */
#define POLL_SHARE 20u
#define POLL_FRESH_USEC USEC_PER_SEC

/* What was taken up. */
struct batch {
	struct hints names, files;
	usec_t first_usec;
	uint64_t number;
	bool mounts;
	bool verify; /* with a step of verification */
	struct walk_aim *aim;
	uint64_t n_aimed, n_verified; /* names; of them: nobody told of */
	/* The directory that was named last. */
	uint64_t ino;
	struct strbuf path;
};

static void
batch_fini(struct batch *b)
{
	hints_fini(&b->names);
	hints_fini(&b->files);
	aim_destroy(b->aim);
	strbuf_fini(&b->path);
}

static void
take_up_locked(struct root *r, struct batch *b)
{
	struct live_root *l = &r->live;

	*b = (struct batch){.names = l->names,
		.files = l->files,
		.first_usec = l->first_usec,
		.number = l->number++,
		.mounts = l->mounts_due};
	l->names = l->files = (struct hints){0};
	l->first_usec = l->due_usec = 0;
	l->taken_usec = clock_mono();
	l->mounts_due = false;
	l->busy = true;
}

void
live_index(struct root *r)
{
	struct tree_inodes *fresh, *old = r->live.inodes;

	if (!r->stack || (old && tree_inodes_fit(old, r->stack)))
		return;
	if (tree_inodes_create(r->stack, old, &fresh) < 0)
		return; /* all is kept until there is memory */
	{
		LOCK_SCOPE(&r->engine->lock);
		r->live.inodes = fresh;
	}
	tree_inodes_unref(old);
}

/* From inodes to paths. */

/* Whatever is done to a file by one of its names is done to it under all of them. When the walk
 * before has seen it by this name already, and by another one before it was done, this name shows
 * no difference; so all are looked at. */
static void
note_links(const struct root *r, struct batch *b)
{
	const struct tree_cols *c;
	struct tree_at at;

	if (tree_stack_lookup(r->stack, strbuf_view(&b->path), &at) < 0)
		return;
	c = tree_stack_cols(r->stack, at.layer);
	if (tree_nlink(c, at.entry) > 1 && tree_type(c, at.entry) != DT_DIR)
		hints_add(&b->files, tree_ino(c, at.entry), (struct span){0});
}

static int
aim_at(struct root *r, struct batch *b, struct tree_at dir, struct span name)
{
	const struct tree_cols *c = tree_stack_cols(r->stack, dir.layer);
	enum aim_how how = AIM_NAME;
	int code;

	strbuf_reset(&b->path);
	if (tree_path(c, dir.entry, &b->path) < 0)
		return -ENOMEM;
	/* A directory is left out by what it holds. */
	if (r->cfg.exclude_caches && span_eq(name, SPAN_LIT("CACHEDIR.TAG")))
		how = AIM_DEEP;
	else if (name.len > 0 && b->path.len > 0)
		(void)strbuf_putc(&b->path, '/');
	if (how == AIM_NAME && strbuf_span(&b->path, name) < 0)
		return -ENOMEM;
	note_links(r, b);
	code = aim_add(b->aim, strbuf_view(&b->path), how);
	b->n_aimed += code == 0;
	return code == -EINVAL ? 0 : code; /* no name that a walk would give */
}

static int
resolve_one(struct root *r, struct batch *b, const struct hint *item)
{
	struct tree_inode_at at = {0};
	struct tree_at dir;
	int code = 0;

	while (code == 0 && tree_inodes_next(r->live.inodes, r->stack, item->ino, &at, &dir)) {
		/* The root itself may have been moved away: only a walk opens it by its name. */
		if (dir.entry == 0 && item->len == 0)
			code = -EOVERFLOW;
		else
			code = aim_at(r, b, dir, hint_name(&b->names, item));
	}
	return code;
}

/* 0; -EOVERFLOW: to walk all is better. */
static int
resolve(struct root *r, struct batch *b)
{
	int code = 0;

	live_index(r);
	if (!r->stack)
		return 0; /* a walk is to come, or has failed */
	if (b->names.all || b->files.all || !r->same_settings ||
		b->names.items.len > r->n_entries / 2 + 1000)
		return -EOVERFLOW;
	if (!r->live.inodes || !tree_inodes_fit(r->live.inodes, r->stack))
		return -ENOMEM;
	VEC_EACH (&b->names.items, item) {
		if (code == 0)
			code = resolve_one(r, b, item);
	}
	return b->files.all ? -EOVERFLOW : code;
}

/* With marks of directories (note: mark first, live.h). */
static int
mark_new(struct root *r, struct err *err)
{
	struct walk_aim *aim = NULL;
	int code = 0;

	while (code == 0 && r->live.kind == WATCH_DIRECTORIES && !stop_requested(&r->stop)) {
		uint64_t n;

		aim_destroy(aim);
		aim = NULL;
		code = aim_create(&aim);
		live_index(r);
		n = code == 0 ? marks_make(r, aim) : 0;
		if (n == 0)
			break;
		code = indexer_run_aimed(r, aim, err);
	}
	aim_destroy(aim);
	return code;
}

/* Which file systems the root is on. */
static int
note_file(const struct root *r, uint64_t ino, struct other_names *o)
{
	int code = 0;

	for (uint32_t i = 0; i < r->stack->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(r->stack, i);

		for (uint32_t k = 0; k < c->n_classes && code == 0; k++) {
			uint64_t dev = c->classes[k].dev;

			if (o->of.len == 0 || o->of.data[o->of.len - 1].ino != ino ||
				o->of.data[o->of.len - 1].dev != dev)
				code = VEC_PUSH(&o->of, (struct other_inode){dev, ino});
		}
	}
	return code;
}

/* Files that links came to or went from, where the index has them but for what was looked at. */
static int
look_at_files(struct root *r, struct batch *b, struct err *err)
{
	AUTO(other_names_fini) struct other_names o = {0};
	struct walk_aim *aim = NULL;
	int code = 0;

	VEC_EACH (&b->files.items, item)
		code = code < 0 ? code : note_file(r, item->ino, &o);
	if (code == 0)
		code = other_names_aim(&o, r->stack, b->aim, &aim);
	if (code == 0 && aim)
		code = indexer_run_aimed(r, aim, err);
	aim_destroy(aim);
	return code;
}

static int
look_at_names(struct root *r, struct batch *b, struct err *err)
{
	int code;

	if (b->n_aimed == 0 && !b->mounts)
		return 0;
	code = indexer_run_aimed(r, b->aim, err);
	return code < 0 ? code : mark_new(r, err);
}

static int
look(struct root *r, struct batch *b, struct err *err)
{
	int code = aim_create(&b->aim);

	if (code == 0 && b->mounts)
		code = mounts_watch(r, b->aim);
	if (code == 0)
		code = resolve(r, b);
	if (code < 0 || !r->stack)
		return code;
	if (b->verify) {
		code = verify_add(r, b->aim, &b->n_verified);
		b->n_aimed += b->n_verified;
		if (code < 0)
			return code;
	}
	code = look_at_names(r, b, err);
	return code < 0 ? code : look_at_files(r, b, err);
}

void
live_leisure_later_locked(struct root *r)
{
	struct live_root *l = &r->live;
	usec_t now = clock_mono();

	if (!l->leisure_at)
		l->leisure_last = now + LEISURE_MAX_USEC;
	l->leisure_at = MIN(now + LEISURE_USEC, l->leisure_last);
}

static void
note_batch_locked(struct live_root *l, const struct batch *b)
{
	if (!b->first_usec)
		return;
	l->n_batches++;
	l->n_names += b->n_aimed - b->n_verified;
	l->lag_usec = clock_mono() - b->first_usec;
	l->max_lag_usec = MAX(l->max_lag_usec, l->lag_usec);
}

static void
end_batch(struct root *r, const struct batch *b, int code, bool changed)
{
	struct live_root *l = &r->live;

	{
		LOCK_SCOPE(&r->engine->lock);
		l->busy = false;
		if (code == 0) {
			l->applied = b->number;
			note_batch_locked(l, b);
		} else if (code == -EOVERFLOW) {
			root_request_locked(r);
		} else if (code != -ECANCELED) {
			live_lose_locked(r);
		}
		if (changed)
			live_leisure_later_locked(r);
		l->n_mended += changed && b->n_verified > 0 && b->n_aimed == b->n_verified;
	}
	live_applied(r);
}

static void
apply(struct root *r, bool verify)
{
	struct tree_stack *before = r->stack ? tree_stack_ref(r->stack) : NULL;
	AUTO(batch_fini) struct batch b;
	struct err err = {0};
	int code;

	thread_doing("looks at changes of %s", r->path);
	{
		LOCK_SCOPE(&r->engine->lock);
		take_up_locked(r, &b);
	}
	b.verify = verify;
	code = look(r, &b, &err);
	live_index(r);
	end_batch(r, &b, code, r->stack != before);
	tree_stack_unref(before);
	if (code == 0 || code == -EOVERFLOW || code == -ECANCELED)
		return;
	live_publish(r->engine);
	engine_event(r->engine, true, "could not look at changes of \"%s\": %s; it is walked anew",
		r->path, err.what[0] ? err.what : err_reason(code));
}

void
live_apply(struct root *r)
{
	apply(r, false);
}

void
verify_apply(struct root *r)
{
	apply(r, true);
}

/* What falls due while something else runs. SERVE_END: it is over, *ret_result says how. */
enum serve { SERVE_END, SERVE_AGAIN, SERVE_CHANGES, SERVE_SETTLE };

static enum serve
serve_next(struct root *r, const bool *done, usec_t deadline, int *ret_result)
{
	struct engine *e = r->engine;

	LOCK_SCOPE(&e->lock);
	usec_t settle = commit_settle_at_locked(r), at = MIN(deadline, settle);
	bool due = live_wanted_locked(r, &at), away = r->wanted || r->stopping;
	usec_t now = clock_mono();

	if (done ? *done : away) {
		*ret_result = done ? 0 : -ECANCELED;
		return SERVE_END;
	}
	if (now >= deadline) {
		*ret_result = -ETIMEDOUT;
		return SERVE_END;
	}
	if (due && !away)
		return SERVE_CHANGES;
	if (now >= settle && !away)
		return SERVE_SETTLE;
	(void)cond_wait_until(&r->changed, &e->lock, away ? deadline : at);
	return SERVE_AGAIN;
}

int
live_serve(struct root *r, const bool *done, usec_t deadline)
{
	enum serve next;
	int result = 0;

	while ((next = serve_next(r, done, deadline, &result)) != SERVE_END) {
		if (next == SERVE_CHANGES)
			live_apply(r);
		else if (next == SERVE_SETTLE)
			root_settle(r);
	}
	return result;
}

/* Walks of everything. */

void
live_begin_walk(struct root *r)
{
	struct live_root *l = &r->live;
	AUTO(batch_fini) struct batch b = {0};
	int code;

	{
		LOCK_SCOPE(&r->engine->lock);
		l->mounts_due = false;
	}
	code = mounts_watch(r, NULL);
	if (code < 0)
		mounts_unwatch(r);
	LOCK_SCOPE(&r->engine->lock);
	take_up_locked(r, &b);
	if (b.mounts) { /* told while they were listed: they may lack it */
		l->mounts_due = true;
		live_due_locked(r, r->cfg.settle_usec);
	}
	l->taken = b.number;
	l->begins = false;
	l->why = code < 0 ? code : l->why;
	l->healing = l->healing || l->lost;
	l->lost = false;
	l->heal_at = l->poll_at = l->fresh_until = 0;
	l->marks_missing = l->marks_missing || (l->kind == WATCH_DIRECTORIES && !l->marked);
}

/* When it is walked again: sooner where something was found, later where nothing was. */
static void
poll_later_locked(struct root *r, bool changed)
{
	struct live_root *l = &r->live;
	usec_t least = MAX(r->cfg.poll_min_usec, USEC_PER_SEC);

	l->poll_usec = changed ? l->poll_usec / 2 : l->poll_usec + l->poll_usec / 2;
	l->poll_usec = MIN(MAX(l->poll_usec, least), MAX(r->cfg.poll_max_usec, least));
	l->poll_usec = MAX(l->poll_usec, POLL_SHARE * r->walk_took_usec);
	l->poll_at = clock_deadline(l->poll_usec);
}

bool
live_is_polled(const struct root *r)
{
	return r->live.kind == WATCH_POLL && r->cfg.watch == ENGINE_WATCH_POLL;
}

void
live_end_walk(struct root *r, int result, bool changed)
{
	struct live_root *l = &r->live;
	uint64_t marked;
	bool was_missing = l->marks_missing;

	live_index(r);
	marked = result == 0 && l->kind == WATCH_DIRECTORIES ? marks_make(r, NULL) : 0;
	{
		LOCK_SCOPE(&r->engine->lock);
		l->busy = false;
		if (result < 0 && result != -ECANCELED && r->stack)
			live_lose_locked(r);
		if (result < 0)
			l->lost = l->lost || l->healing;
		l->healing = false;
		if (marked > 0)
			root_request_locked(r); /* once more, now that they are marked */
		else if (result == 0)
			l->applied = l->taken;
		if (result == 0) {
			l->verified_usec = clock_real();
			live_verify_later_locked(r);
		}
		l->healed_at = clock_mono();
		l->marks_missing = marked > 0 || l->n_unmarked > 0;
		if (live_is_polled(r) || l->n_unmarked > 0)
			poll_later_locked(r, changed);
		was_missing = was_missing != l->marks_missing;
	}
	if (was_missing || result < 0)
		live_publish(r->engine);
	live_applied(r);
}

void
live_walked_locked(struct root *r)
{
	struct live_root *l = &r->live;

	l->healing = false;
	l->leisure_at = 0; /* it comes after the walk */
	if (live_is_polled(r))
		l->fresh_until = clock_deadline(POLL_FRESH_USEC);
}

/* What is asked with the engine's lock. */

bool
live_wanted_locked(const struct root *r, usec_t *ret_at)
{
	const struct live_root *l = &r->live;

	if (!l->first_usec)
		return false;
	*ret_at = MIN(*ret_at, l->due_usec);
	return clock_mono() >= l->due_usec;
}

bool
live_walk_wanted_locked(const struct root *r, usec_t *ret_at)
{
	const struct live_root *l = &r->live;
	usec_t at = MIN(l->heal_at ? l->heal_at : USEC_NEVER, l->poll_at ? l->poll_at : USEC_NEVER);

	*ret_at = MIN(*ret_at, at);
	return at != USEC_NEVER && clock_mono() >= at;
}

bool
live_ages_locked(const struct root *r, usec_t *ret_at)
{
	const struct live_root *l = &r->live;

	if (!l->fresh_until)
		return false;
	*ret_at = MIN(*ret_at, l->fresh_until);
	return clock_mono() >= l->fresh_until;
}

void
live_age(struct root *r)
{
	{
		LOCK_SCOPE(&r->engine->lock);
		r->live.fresh_until = 0;
	}
	live_publish(r->engine);
}

bool
live_leisure_wanted_locked(const struct root *r, usec_t *ret_at)
{
	const struct live_root *l = &r->live;

	if (!l->leisure_at)
		return false;
	*ret_at = MIN(*ret_at, l->leisure_at);
	return clock_mono() >= l->leisure_at;
}

bool
live_stale_locked(const struct root *r)
{
	const struct live_root *l = &r->live;
	const struct live *live = r->engine->live;

	if (l->fresh_until && clock_mono() < l->fresh_until)
		return false;
	if (!live->watch || live->deaf || l->why < 0 || l->mounts.len == 0)
		return true;
	VEC_EACH (&l->mounts, m) {
		if (m->number && (m->kind == WATCH_OFF || m->kind == WATCH_POLL))
			return true;
	}
	return l->lost || l->healing || l->marks_missing;
}

void
live_inherit_locked(struct root *to, const struct root *from)
{
	to->live.number = from->live.number + 1;
}

void
live_changed_locked(struct root *r)
{
	r->live.why = -EAGAIN;  /* stale until then */
	root_request_locked(r); /* a walk looks after its watches first */
}

void
live_end(struct root *r)
{
	mounts_unwatch(r);
}

void
live_root_fini(struct live_root *l)
{
	hints_fini(&l->names);
	hints_fini(&l->files);
	tree_inodes_unref(l->inodes);
	tree_inodes_unref(l->marked);
	dirmarks_fini(&l->marks);
}

void
live_status_locked(const struct root *r, struct engine_watch_status *ret)
{
	const struct live_root *l = &r->live;

	*ret = (struct engine_watch_status){
		.wanted = r->cfg.watch,
		.kind = l->kind,
		.stale = !r->walked || r->state == ROOT_FAILED || live_stale_locked(r),
		.lost = l->lost || l->healing,
		.n_lost = l->n_lost,
		.n_pending = l->names.items.len + l->files.items.len,
		.n_batches = l->n_batches,
		.n_names = l->n_names,
		.lag_usec = l->lag_usec,
		.max_lag_usec = l->max_lag_usec,
		.poll_usec = l->poll_at ? l->poll_usec : 0,
		.verified_usec = l->verified_usec,
		.n_mended = l->n_mended,
	};
	VEC_EACH (&l->mounts, m)
		ret->n_mounts += m->number > 0;
	if (l->why < 0)
		(void)snprintf(ret->why, sizeof(ret->why), "%s", err_reason(l->why));
	else if (l->n_unmarked > 0)
		(void)snprintf(ret->why, sizeof(ret->why),
			"%llu directories are more than can be watched",
			(unsigned long long)l->n_unmarked);
}
