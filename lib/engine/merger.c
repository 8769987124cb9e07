#include "engine/merger.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/commit.h"
#include "engine/internal.h"
#include "engine/tier.h"
#include "index/tree_merge.h"

/* Of ioprio_set(2), which has no header: the least of the usual class. The idle one may get nothing
 * for minutes, and the root waits for the merge to end before it walks. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_LEAST (2 << 13 | 7)

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

/* Only this thread, which ends with the merge: a priority that was given up cannot be had back. */
static int
humble_main(void *arg, struct stop *stop)
{
	struct humble *h = arg;
	int code;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_LEAST);
	code = h->fn(h->arg, stop);
	LOCK_SCOPE(&h->root->engine->lock);
	h->done = true;
	cond_broadcast(&h->root->changed);
	return code;
}

int
merger_write(struct root *r, scope_fn fn, void *arg, bool serves, struct err *err)
{
	SCOPE(s, &r->stop);
	struct humble h = {.fn = fn, .arg = arg, .root = r};
	int code = root_begin_leisure(r, &s.stop, serves);

	if (code < 0)
		return code;
	/* Its failure is the join's. */
	if (scope_spawn(&s, "merge", humble_main, &h) == 0 && serves)
		(void)live_serve(r, &h.done, USEC_NEVER);
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
		code = merge(r, keep, err);
	}
	return code;
}
