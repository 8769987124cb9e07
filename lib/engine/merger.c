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
void
merger_be_humble(void)
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

	merger_be_humble();
	thread_doing("merges layers of %s", m->root->path);
	return tree_merge_write(&merge, m->root->engine->segment_fd, m->name, &bytes, thread_err());
}

/* Write the segment in a thread. */
static int
write_merged(struct merging *m, struct err *err)
{
	SCOPE(s, &m->root->stop);
	int r = root_begin_leisure(m->root, &s.stop);

	if (r < 0)
		return r;
	(void)scope_spawn(&s, "merge", merge_main, m); /* its failure is the join's */
	r = scope_join(&s, err);
	root_end_leisure(m->root);
	return r;
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
