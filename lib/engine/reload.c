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
struct plan {
	struct {
		struct root *root; /* new one, or the old one carried over */
		const struct engine_root *cfg;
		bool carried;
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

static int
plan_make(struct engine *e, const struct engine_config *cfg, struct plan *plan, struct err *err)
{
	for (; plan->n < cfg->n_roots; plan->n++) {
		struct root *fresh, *same;
		int r = root_create(e, cfg, plan->n, &fresh, err);

		if (r < 0)
			return r;
		same = find_same(e, fresh);
		plan->rows[plan->n].cfg = &cfg->roots[plan->n];
		plan->rows[plan->n].carried = same != NULL;
		plan->rows[plan->n].root = same ? same : fresh;
		if (same)
			root_destroy(fresh);
	}
	return 0;
}

static void
plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (!plan->rows[i].carried)
			root_destroy(plan->rows[i].root);
	}
	free(plan->rows);
}

/* What a carried root shows may change without a walk. */
static int
represent_locked(struct root *r, const struct engine_root *cfg)
{
	char *name = strdup(cfg->name);

	if (!name)
		return -ENOMEM;
	free(r->cfg.name);
	r->cfg.name = name;
	r->cfg.content = cfg->content;
	r->cfg.content_max_bytes = cfg->content_max_bytes;
	return 0;
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

/* The tree that was served for this path until now, so that changed rules do not empty the answers.
 */
static void
inherit_locked(struct engine *e, struct root *to)
{
	VEC_EACH (&e->roots, from) {
		if ((*from)->id != to->id || !(*from)->tree)
			continue;
		to->segment = strdup((*from)->segment);
		if (!to->segment)
			return; /* its entries are missing until the walk is done */
		to->tree = tree_ref((*from)->tree);
		to->n_entries = (*from)->n_entries;
		to->walked_usec = (*from)->walked_usec;
	}
}

/* Let no root that is to go begin a commit, and wait for those under way: afterwards what `segment`
 * says is what the catalog says. */
static void
hold_locked(struct engine *e, const struct plan *plan, bool hold)
{
	VEC_EACH (&e->roots, root) {
		if (plan_has(plan, *root))
			continue;
		(*root)->held = hold;
		cond_broadcast(&(*root)->changed);
	}
	VEC_EACH (&e->roots, root) {
		while (hold && (*root)->held && (*root)->committing)
			cond_wait(&(*root)->changed, &e->lock);
	}
}

/* The swap: from here on queries see the new roots. Old roots that are not carried go to
 * e->retired. */
static int
swap(struct engine *e, const struct plan *plan)
{
	__typeof__(e->roots) old;
	int r;

	LOCK_SCOPE(&e->lock);
	hold_locked(e, plan, true);
	for (size_t i = 0; i < plan->n; i++) {
		if (!plan->rows[i].carried)
			inherit_locked(e, plan->rows[i].root);
	}
	old = e->roots;
	e->roots.data = NULL;
	e->roots.len = e->roots.cap = 0;
	r = VEC_RESERVE(&e->roots, plan->n);
	for (size_t i = 0; i < plan->n && r == 0; i++) {
		e->roots.data[e->roots.len++] = plan->rows[i].root;
		if (plan->rows[i].carried)
			r = represent_locked(plan->rows[i].root, plan->rows[i].cfg);
	}
	if (r == 0)
		r = engine_publish_locked(e);
	if (r < 0) {
		VEC_FINI(&e->roots);
		e->roots = old;
		hold_locked(e, plan, false);
		return r;
	}
	VEC_EACH (&old, root) {
		if (plan_has(plan, *root))
			continue;
		root_stop_locked(*root);
		(*root)->forget = !plan_has_id(plan, (*root)->id);
		list_push_back(&e->retired, &(*root)->link);
	}
	VEC_FINI(&old);
	return 0;
}

static void
forget(struct engine *e, const struct root *r)
{
	struct err err = {0};

	if (catalog_forget_root(e->catalog, r->id, &err) < 0) {
		engine_event(e, true, "could not forget root \"%s\": %s, ignoring", r->cfg.name,
			err.what);
		return;
	}
	if (r->segment)
		(void)unlinkat(e->segment_fd, r->segment, 0);
}

/* Removed roots whose thread has ended. One that hangs in the kernel is looked at again the next
 * time. */
static void
reap(struct engine *e)
{
	LIST_EACH (&e->retired, link) {
		struct root *r = LIST_ITEM(link, struct root, link);

		if (r->thread.started && !load_acq(&r->ended))
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

static int
start_new(struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n; i++) {
		int r = plan->rows[i].carried ? 0 : root_start(plan->rows[i].root, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int
engine_reload(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	struct plan plan = {0};
	int r;

	if (cfg->n_roots > ENGINE_MAX_ROOTS)
		return err_set(err, -E2BIG,
			"the configuration has %zu roots, at most %u are possible", cfg->n_roots,
			ENGINE_MAX_ROOTS);
	plan.rows = calloc(cfg->n_roots + 1, sizeof(*plan.rows));
	if (!plan.rows)
		return err_set(err, -ENOMEM, "could not reload: out of memory");
	r = plan_make(e, cfg, &plan, err);
	if (r == 0) {
		r = swap(e, &plan);
		if (r < 0)
			(void)err_set(err, r, "could not reload: %s", err_reason(r));
	}
	if (r < 0) {
		plan_fini(&plan);
		return r;
	}
	retire(e);
	r = start_new(&plan, err);
	free(plan.rows);
	return r;
}
