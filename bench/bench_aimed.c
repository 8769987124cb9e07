/*
 * bench_aimed [-c] DIR STATE [N]: what one changed file costs, from the call to the published
 * snapshot: DIR is walked, then N times (100) a file in it is written and looked at by an aimed
 * walk, which commits. With -c contents are read before. Prints the least and the middle
 * microseconds of the whole, of a walk alone that finds nothing changed, and of a rescan.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/contents.h"
#include "engine/indexer.h"

struct bench {
	struct engine *engine;
	struct root *root;
	struct walk_aim *aim;
	char path[4096];
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	if (trouble)
		(void)fprintf(stderr, "bench_aimed: %s\n", text);
}

static int
compare(const void *a, const void *b)
{
	const usec_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
touch(const struct bench *b, unsigned i)
{
	int fd = open(b->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int r = fd < 0 || pwrite(fd, &i, sizeof(i), 0) < 0;

	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* The least and the middle of n runs. */
static int
time_runs(struct bench *b, unsigned n, bool change, bool aimed, const char *what)
{
	usec_t *took = calloc(n, sizeof(*took));
	struct err err = {0};
	int r = took ? 0 : -1;

	for (unsigned i = 0; i < n && r == 0; i++) {
		usec_t began;

		r = change ? touch(b, i) : 0;
		began = clock_mono();
		if (r == 0)
			r = aimed ? indexer_run_aimed(b->root, b->aim, &err)
			          : indexer_run(b->root, &err);
		took[i] = clock_mono() - began;
	}
	if (r == 0) {
		qsort(took, n, sizeof(*took), compare);
		(void)printf("%s %llu %llu\n", what, (unsigned long long)took[0],
			(unsigned long long)took[n / 2]);
	} else {
		(void)fprintf(stderr, "bench_aimed: %s: %s\n", what, err.what);
	}
	free(took);
	return r;
}

static int
run(struct bench *b, const char *dir, unsigned n)
{
	struct err err = {0};

	(void)snprintf(b->path, sizeof(b->path), "%s/bench aimed", dir);
	if (aim_create(&b->aim) < 0 || aim_add(b->aim, SPAN_LIT("bench aimed"), AIM_NAME) < 0 ||
		touch(b, 0))
		return 1;
	if (indexer_run(b->root, &err) < 0) {
		(void)fprintf(stderr, "bench_aimed: %s\n", err.what);
		return 1;
	}
	if (b->root->cfg.content == SNAP_CONTENT_INDEX) {
		contents_open(b->root);
		contents_run(b->root);
	}
	return time_runs(b, n, true, true, "aimed, one file changed:") ||
	       time_runs(b, n, false, true, "aimed, nothing changed:") ||
	       time_runs(b, 3, false, false, "rescan, nothing changed:");
}

int
main(int argc, char **argv)
{
	struct engine_root root = {.one_file_system = true};
	struct engine_config cfg = {.roots = &root, .n_roots = 1, .on_event = on_event};
	struct bench b = {0};
	struct err err = {0};
	int failed = 1;

	if (argc > 1 && strcmp(argv[1], "-c") == 0) {
		root.content = SNAP_CONTENT_INDEX;
		argv++;
		argc--;
	}
	if (argc != 3 && argc != 4) {
		(void)fputs("usage: bench_aimed [-c] DIR STATE [N]\n", stderr);
		return 2;
	}
	root.name = root.path = argv[1];
	cfg.state_dir = argv[2];
	if (mapfile_setup() < 0 || pool_create("io", MAX(4u, 2 * thread_cpus()), &cfg.io) < 0)
		return 1;
	if (engine_create(&cfg, &b.engine, &err) == 0) {
		b.root = b.engine->roots.data[0];
		failed = run(&b, argv[1], argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 100);
		(void)unlink(b.path);
	} else {
		(void)fprintf(stderr, "bench_aimed: %s\n", err.what);
	}
	aim_destroy(b.aim);
	engine_destroy(b.engine);
	pool_destroy(cfg.io);
	return failed;
}
