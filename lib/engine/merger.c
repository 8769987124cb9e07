#include "engine/merger.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/commit.h"
#include "engine/internal.h"
#include "engine/tier.h"
#include "index/tree_merge.h"
#include "sync/scope.h"

/* Of ioprio_set(2), which has no header: the least of the usual class. The idle one may get nothing
 * for minutes, and the root waits for the merge to end before it walks. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_LEAST (2 << 13 | 7)

struct merging {
	struct root *root;
	const char *name;
	uint32_t keep;
};

/* Only this thread, which ends with the merge: a priority that was given up cannot be had back. */
static void
be_humble(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_LEAST);
}

static int
merge_main(void *arg, struct stop *stop)
{
	const struct merging *m = arg;
	struct tree_merge merge = {.stack = m->root->stack, .from = m->keep, .stop = stop};
	uint64_t bytes;

	be_humble();
	thread_doing("merges layers of %s", m->root->path);
	return tree_merge_write(&merge, m->root->engine->segment_fd, m->name, &bytes, thread_err());
}

/* From now on the token ends when something else is to be done, unless that is so already. */
static bool
may_merge(struct root *r, struct stop *stop)
{
	LOCK_SCOPE(&r->engine->lock);

	if (r->wanted || r->stopping)
		return false;
	r->merging = stop;
	return true;
}

static void
note_end(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	r->merging = NULL;
}

void
merger_stop_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	if (r->merging)
		stop_request(r->merging);
}

/* Write the segment in a thread. */
static int
write_merged(struct merging *m, struct err *err)
{
	SCOPE(s, &m->root->stop);
	int r = -ECANCELED;

	if (!may_merge(m->root, &s.stop))
		return r;
	(void)scope_spawn(&s, "merge", merge_main, m); /* its failure is the join's */
	r = scope_join(&s, err);
	note_end(m->root);
	return r;
}

static int
merge(struct root *r, uint32_t keep, struct err *err)
{
	AUTO(freep) char *name = commit_name(r);
	struct merging m = {.root = r, .name = name, .keep = keep};
	int code;

	if (!name)
		return err_set(err, -ENOMEM, "could not merge the index of \"%s\": out of memory",
			r->path);
	code = write_merged(&m, err);
	return code < 0 ? code : commit_segment(r, name, keep, NULL, err);
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
