/*
 * bench_index DIR STATE: what the daemon does with a new root, and nothing else: walk it, build its
 * tree segment, write it to the directory STATE, commit it to the catalog. Prints how many entries
 * it holds, the microseconds of the walk as the engine counts them, and the segment's bytes.
 */
#include "base/clock.h"
#include "engine/engine.h"
#include "sync/thread.h"
#include <stdio.h>
#include <unistd.h>

static int
fail(const struct err *err)
{
	(void)fprintf(stderr, "bench_index: %s\n", err->what);
	return 1;
}

/* Waits for the end of the walk: 1 and the root's status, or 0 when it failed. */
static int
wait_ready(struct engine *e, struct engine_root_status *ret)
{
	for (;;) {
		struct engine_status s = {0};
		enum root_state state = ROOT_FAILED;

		if (engine_status(e, &s) == 0 && s.n_roots == 1) {
			*ret = s.roots[0];
			state = s.roots[0].state;
		}
		engine_status_fini(&s);
		if (state == ROOT_READY || state == ROOT_FAILED)
			return state == ROOT_READY;
		(void)usleep(500);
	}
}

int
main(int argc, char **argv)
{
	struct engine_root root = {.content = true, .one_file_system = true};
	struct engine_config cfg = {.roots = &root, .n_roots = 1};
	struct engine_root_status status;
	struct engine *e = NULL;
	struct err err = {0};
	int ready;

	if (argc != 3) {
		(void)fputs("usage: bench_index DIR STATE\n", stderr);
		return 2;
	}
	root.name = argv[1];
	root.path = argv[1];
	cfg.state_dir = argv[2];
	if (pool_create("io", MAX(4u, 2 * thread_cpus()), &cfg.io) < 0)
		return 1;
	if (engine_create(&cfg, &e, &err) < 0 || engine_start(e, &err) < 0)
		return fail(&err);
	ready = wait_ready(e, &status);
	if (ready)
		(void)printf("%llu %llu %llu\n", (unsigned long long)status.n_entries,
			(unsigned long long)status.walk_took_usec,
			(unsigned long long)status.segment_bytes);
	engine_destroy(e);
	pool_destroy(cfg.io);
	return !ready;
}
