#include "engine/contents.h"
#include "engine/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * A reload builds the whole new list of roots beside the old one. Roots whose walk would find the
 * same tree are carried over with their thread and segment; only their presentation (name,
 * contents) changes. Nothing is visible before the swap, and everything built is thrown away when a
 * step fails.
 */
/* What a root shows may change without a walk. */
struct shown {
	char *name;
	enum snap_content content;
	unsigned n_symbols;
	uint64_t content_max_bytes;
	struct shown_watch {
		enum engine_watch how;
		usec_t settle, poll_min, poll_max, verify;
	} watch;
};

struct plan {
	struct planned {
		struct root *root; /* new one, or the old one carried over */
		bool carried;
		struct shown
			shown; /* carried: what it is to show; after the swap, what it showed */
		struct text_view *view; /* of the settings that hold no longer */
	} * rows;
	size_t n;
};

static struct root *
find_same(struct engine *e, const struct root *wanted)
{
	VEC_EACH (&e->roots, root) {
		if (root_same_settings(*root, wanted))
			return *root;
	}
	return NULL;
}

/* A new root gets its thread now, because that may fail; it sleeps until it is asked to walk. */
static int
plan_root(struct engine *e, const struct engine_config *cfg, struct plan *plan, struct err *err)
{
	struct planned *row = &plan->rows[plan->n];
	const struct engine_root *c = &cfg->roots[plan->n];
	struct root *same;
	int r = root_create(e, cfg, plan->n, &row->root, err);

	if (r < 0)
		return r;
	plan->n++;
	same = find_same(e, row->root);
	if (!same)
		return root_start(row->root, err);
	row->shown = (struct shown){strdup(c->name), c->content, row->root->cfg.n_symbols,
		c->content_max_bytes,
		{c->watch, c->settle_usec, c->poll_min_usec, c->poll_max_usec, c->verify_usec}};
	root_destroy(row->root);
	row->root = same;
	row->carried = true;
	return row->shown.name ? 0 : err_set(err, -ENOMEM, "could not reload: out of memory");
}

static int
plan_make(struct engine *e, const struct engine_config *cfg, struct plan *plan, struct err *err)
{
	int r = 0;

	plan->rows = calloc(cfg->n_roots + 1, sizeof(*plan->rows));
	if (!plan->rows)
		return err_set(err, -ENOMEM, "could not reload: out of memory");
	while (plan->n < cfg->n_roots && r == 0)
		r = plan_root(e, cfg, plan, err);
	return r;
}

static void
plan_fini(struct plan *plan, bool with_new_roots)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->rows[i].shown.name);
		text_view_unref(plan->rows[i].view);
		if (!plan->rows[i].carried && with_new_roots)
			root_destroy(plan->rows[i].root);
	}
	free(plan->rows);
}

static struct shown
shown_now(const struct engine_root *c)
{
	return (struct shown){c->name, c->content, c->n_symbols, c->content_max_bytes,
		{c->watch, c->settle_usec, c->poll_min_usec, c->poll_max_usec, c->verify_usec}};
}

static void
show(struct engine_root *c, const struct shown *s)
{
	c->name = s->name;
	c->content = s->content;
	c->n_symbols = s->n_symbols;
	c->content_max_bytes = s->content_max_bytes;
	c->watch = s->watch.how;
	c->settle_usec = s->watch.settle;
	c->poll_min_usec = s->watch.poll_min;
	c->poll_max_usec = s->watch.poll_max;
	c->verify_usec = s->watch.verify;
}

static bool
same_contents(const struct shown *a, const struct shown *b)
{
	return a->content == b->content && a->n_symbols == b->n_symbols &&
	       a->content_max_bytes == b->content_max_bytes;
}

/* Exchange what the carried roots show with what the plan says; a second call takes it back, but
 * for views, which are made anew. */
static void
exchange_shown_locked(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct engine_root *c = &plan->rows[i].root->cfg;
		struct shown old = shown_now(c);

		if (!plan->rows[i].carried)
			continue;
		show(c, &plan->rows[i].shown);
		if (old.watch.how != c->watch)
			live_changed_locked(plan->rows[i].root);
		if (old.watch.verify != c->verify_usec)
			live_verify_later_locked(plan->rows[i].root);
		if (!same_contents(&old, &plan->rows[i].shown))
			contents_changed_locked(plan->rows[i].root, &plan->rows[i].view);
		plan->rows[i].shown = old;
	}
}

static bool
plan_has(const struct plan *plan, const struct root *root)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->rows[i].root == root)
			return true;
	}
	return false;
}

static bool
plan_has_id(const struct plan *plan, uint32_t id)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->rows[i].root->id == id)
			return true;
	}
	return false;
}

/* What was served for this path until now, so that changed rules do not empty the answers.
 */
static void
inherit_locked(struct engine *e, struct root *to)
{
	VEC_EACH (&e->roots, from) {
		if ((*from)->id != to->id || !(*from)->stack)
			continue;
		if (files_copy(&to->files, (*from)->files.name, (*from)->files.n) < 0)
			return; /* its entries are missing until the walk is done */
		to->stack = tree_stack_ref((*from)->stack);
		to->n_synced = (*from)->n_synced;
		to->doomed = (*from)->doomed;
		(*from)->doomed = (struct files){0};
		to->settle_at = (*from)->settle_at;
		to->n_entries = (*from)->n_entries;
		to->walked_usec = (*from)->walked_usec;
		contents_inherit_locked(to, *from);
		live_inherit_locked(to, *from);
	}
}

/* Let no root that is to go begin a commit, and wait for those under way: afterwards what `files`
 * says is what the catalog says. */
static void
hold(struct engine *e, const struct plan *plan, bool hold)
{
	LOCK_SCOPE(&e->lock);
	VEC_EACH (&e->roots, root) {
		if (plan_has(plan, *root))
			continue;
		(*root)->held = hold;
	}
	cond_broadcast(&e->turn);
	VEC_EACH (&e->roots, root) {
		while (hold && (*root)->held && (*root)->committing)
			cond_wait(&(*root)->changed, &e->lock);
	}
}

/* The roots that are not carried leave: they stop, and are reaped once their threads have ended. */
static void
retire_locked(struct engine *e, const struct plan *plan, struct root *const *old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (plan_has(plan, old[i]))
			continue;
		root_stop_locked(old[i]);
		old[i]->forget = !plan_has_id(plan, old[i]->id);
		list_push_back(&e->retired, &old[i]->link);
	}
}

/* A root that leaves is told by nothing but the clock. */
static bool
removes_any(const struct engine *e, const struct plan *plan)
{
	VEC_EACH (&e->roots, root) {
		if (!plan_has_id(plan, (*root)->id))
			return true;
	}
	return false;
}

/* The swap: from here on queries see the new roots. Nothing in it fails but publishing, after which
 * all is put back, but for the clock: no section, for nobody can find the table half changed.
 * `anew` moves; NULL: no root leaves. */
static int
swap(struct engine *e, struct plan *plan, struct ledger_batch *anew)
{
	__typeof__(e->roots) old, fresh = {0};
	int r = VEC_RESERVE(&fresh, plan->n);

	WRLOCK_SCOPE(&e->table);
	LOCK_SCOPE(&e->lock);
	if (anew)
		engine_add_anew_locked(e, anew);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n; i++) {
		if (!plan->rows[i].carried)
			inherit_locked(e, plan->rows[i].root);
		fresh.data[fresh.len++] = plan->rows[i].root;
	}
	exchange_shown_locked(plan);
	old = e->roots;
	e->roots = fresh;
	r = engine_publish_locked(e);
	if (r < 0) {
		e->roots = old;
		exchange_shown_locked(plan);
		VEC_FINI(&fresh);
		return r;
	}
	retire_locked(e, plan, old.data, old.len);
	VEC_FINI(&old);
	return 0;
}

/* Commits are held only over the swap: a failure lets them go on. */
static int
take_over(struct engine *e, struct plan *plan, struct err *err)
{
	struct ledger_batch *anew = NULL;
	int r;

	hold(e, plan, true);
	engine_begin_turn(e);
	r = removes_any(e, plan) ? engine_note_anew(e, &anew, err) : 0;
	if (r == 0) {
		r = swap(e, plan, anew);
		if (r < 0)
			(void)err_set(err, r, "could not reload: %s", err_reason(r));
	}
	{
		LOCK_SCOPE(&e->lock);
		engine_end_turn_locked(e);
	}
	if (r < 0)
		hold(e, plan, false);
	return r;
}

/* Its thread may still publish what it has, but commits nothing any more. Without memory the files
 * stay until the next start. */
static void
copy_files(const struct root *r, struct files *trees, struct files *texts)
{
	LOCK_SCOPE(&r->engine->lock);
	(void)files_copy(trees, r->files.name, r->files.n);
	(void)files_copy(texts, r->contents.files.name, r->contents.files.n);
}

static void
forget(struct engine *e, const struct root *r)
{
	AUTO(files_fini) struct files trees = {0};
	AUTO(files_fini) struct files texts = {0};
	struct err err = {0};

	copy_files(r, &trees, &texts);
	if (catalog_forget_root(e->catalog, r->id, &err) < 0) {
		engine_event(e, true, "could not forget root \"%s\": %s, ignoring", r->cfg.name,
			err.what);
		return;
	}
	files_unlink(&trees, e->segment_fd, NULL);
	files_unlink(&texts, e->segment_fd, NULL);
}

/* Removed roots whose thread has ended. One that hangs in the kernel is looked at again the next
 * time. */
static void
reap(struct engine *e)
{
	LIST_EACH (&e->retired, link) {
		struct root *r = LIST_ITEM(link, struct root, link);

		if (!root_ended(r))
			continue;
		list_remove(link);
		root_destroy(r);
	}
}

static void
retire(struct engine *e)
{
	LIST_EACH (&e->retired, link) {
		struct root *r = LIST_ITEM(link, struct root, link);

		root_stop(r);
		if (r->forget)
			forget(e, r);
		r->forget = false;
	}
	reap(e);
}

static void
walk_new(struct engine *e, const struct plan *plan)
{
	LOCK_SCOPE(&e->lock);
	for (size_t i = 0; i < plan->n; i++) {
		if (!plan->rows[i].carried)
			root_request_locked(plan->rows[i].root);
	}
}

int
engine_reload(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	struct snapshot *before =
		engine_snapshot(e); /* so that the last reference goes without the lock */
	struct plan plan = {0};
	int r;

	if (cfg->n_roots > ENGINE_MAX_ROOTS)
		r = err_set(err, -E2BIG, "the configuration has %zu roots, at most %u are possible",
			cfg->n_roots, ENGINE_MAX_ROOTS);
	else
		r = plan_make(e, cfg, &plan, err);
	if (r == 0)
		r = take_over(e, &plan, err);
	if (r == 0) {
		manners_set(&e->manners, cfg->pressure_percent);
		engine_tell_published(e);
		retire(e);
		walk_new(e, &plan);
	}
	plan_fini(&plan, r < 0);
	snapshot_unref(before);
	return r;
}
