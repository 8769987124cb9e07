#include "engine/merger.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/commit.h"
#include "engine/internal.h"
#include "engine/tier.h"
#include "index/tree_merge.h"

struct merging {
	struct root *root;
	const char *name;
	uint32_t keep;
};

struct humble {
	scope_fn fn;
	void *arg;
	struct root *root;
	bool done; /* guarded by the engine's lock */
};

/* Only this thread, which ends with the merge: a priority that was given up cannot be had back. Not
 * the idle class of disk access: it may get nothing for long, a merge is many reads, and the root
 * waits for its end before it walks. */
static int
humble_main(void *arg, struct stop *stop)
{
	struct humble *h = arg;
	int code;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	(void)io_class_set(IO_CLASS_LEAST);
	code = h->fn(h->arg, stop);
	LOCK_SCOPE(&h->root->engine->lock);
	h->done = true;
	cond_broadcast(&h->root->changed);
	return code;
}

static int
hold(void *ctx, struct stop *stop)
{
	return manners_hold(ctx, stop, USEC_NEVER);
}

int
merger_write(struct root *r, scope_fn fn, void *arg, bool serves, struct err *err)
{
	SCOPE(s, &r->stop);
	struct humble h = {.fn = fn, .arg = arg, .root = r};
	int code;

	stop_set_hold(&s.stop, hold, r);
	code = root_begin_leisure(r, &s.stop, serves);

	if (code < 0)
		return code;
	if (serves)
		code = manners_rest(r, &s.stop);
	code = MIN(code, 0);
	/* Its failure is the join's. */
	if (code == 0 && scope_spawn(&s, "merge", humble_main, &h) == 0 && serves)
		(void)live_serve(r, &h.done, USEC_NEVER);
	if (code == 0)
		code = scope_join(&s, err);
	root_end_leisure(r);
	return code;
}

static int
merge_main(void *arg, struct stop *stop)
{
	const struct merging *m = arg;
	struct tree_merge merge = {.stack = m->root->stack, .from = m->keep, .stop = stop};
	uint64_t bytes;

	thread_doing("merges layers of %s", m->root->path);
	return tree_merge_write(&merge, m->root->engine->segment_fd, m->name, &bytes, thread_err());
}

static int
merge(struct root *r, uint32_t keep, struct err *err)
{
	AUTO(freep) char *name = commit_name(r, "tree");
	struct merging m = {.root = r, .name = name, .keep = keep};
	int code;

	if (!name)
		return err_set(err, -ENOMEM, "could not merge the index of \"%s\": out of memory",
			r->path);
	code = merger_write(r, merge_main, &m, false, err);
	if (code < 0)
		return code;
	return commit_segment(r, name, keep, &(struct commit){.kind = COMMIT_SAME}, err);
}

int
merger_run(struct root *r, struct err *err)
{
	int code = 0;

	/* Only this thread changes the stack. */
	while (code == 0 && r->stack) {
		struct tier_weights w = tier_weigh(r->stack);
		uint32_t keep;

		if (!tier_is_due(&w, &keep))
			return 0;
		code = manners_rest(r, NULL);
		code = code == 0 ? merge(r, keep, err) : MIN(code, 0); /* weighed anew after it */
	}
	return code;
}
