/*
 * bench_index DIR STATE [RESCANS]: what the daemon does with a new root, and nothing else: walk it,
 * build its tree segment, write it to the directory STATE, commit it to the catalog. Prints how
 * many entries it holds, the microseconds of the walk as the engine counts them, and the segment's
 * bytes; then the microseconds of each rescan, which finds nothing changed when nothing has.
 */
#include "base/clock.h"
#include "engine/engine.h"
#include "sync/thread.h"
#include <stdio.h>
#include <unistd.h>

/* The engine says when a walk has ended. */
struct ended {
	struct lock lock;
	struct cond changed;
	unsigned n; /* guarded by lock */
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	struct ended *w = ctx;

	if (trouble)
		(void)fprintf(stderr, "bench_index: %s\n", text);
	LOCK_SCOPE(&w->lock);
	w->n++;
	cond_signal(&w->changed);
}

/* Until n walks have ended: the status of the root, or 0 when the last one failed. */
static int
wait_walks(struct ended *w, unsigned n, struct engine *e, struct engine_root_status *ret)
{
	struct engine_status s = {0};
	int ready = 0;

	lock_take(&w->lock);
	while (w->n < n)
		cond_wait(&w->changed, &w->lock);
	lock_give(&w->lock);
	if (engine_status(e, &s) == 0 && s.n_roots == 1) {
		*ret = s.roots[0];
		ready = ret->state == ROOT_READY;
	}
	engine_status_fini(&s);
	return ready;
}

static int
run(struct engine *e, struct ended *w, unsigned n_rescans)
{
	struct engine_root_status status;

	if (!wait_walks(w, 1, e, &status))
		return 1;
	(void)printf("%llu %llu %llu\n", (unsigned long long)status.n_entries,
		(unsigned long long)status.walk_took_usec,
		(unsigned long long)status.segment_bytes);
	for (unsigned i = 0; i < n_rescans; i++) {
		if (engine_rescan(e, NULL, NULL) < 0 || !wait_walks(w, i + 2, e, &status))
			return 1;
		(void)printf("%llu\n", (unsigned long long)status.walk_took_usec);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct ended ended = {0};
	struct engine_root root = {.content = true, .one_file_system = true};
	struct engine_config cfg = {
		.roots = &root, .n_roots = 1, .on_event = on_event, .ctx = &ended};
	struct engine *e = NULL;
	struct err err = {0};
	int failed = 1;

	if (argc != 3 && argc != 4) {
		(void)fputs("usage: bench_index DIR STATE [RESCANS]\n", stderr);
		return 2;
	}
	lock_init(&ended.lock, RANK_LEAF, "ended");
	cond_init(&ended.changed);
	root.name = argv[1];
	root.path = argv[1];
	cfg.state_dir = argv[2];
	if (pool_create("io", MAX(4u, 2 * thread_cpus()), &cfg.io) < 0)
		return 1;
	if (engine_create(&cfg, &e, &err) == 0 && engine_start(e, &err) == 0)
		failed = run(e, &ended, argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0);
	else
		(void)fprintf(stderr, "bench_index: %s\n", err.what);
	engine_destroy(e);
	pool_destroy(cfg.io);
	return failed;
}
