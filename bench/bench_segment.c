/*
 * bench_segment DIR STATE [RUNS [THREADS]]: the tree builder by itself. RUNS times (5): walks DIR
 * and keeps what the walk gave, then takes it in, writes the segment to the directory STATE, opens
 * it as its writer does, and opens it with every check; the last three on THREADS threads (0: one a
 * CPU). Prints the best of each in ns an entry, and the bytes of each section an entry.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"
#include "index/tree_build.h"
#include "index/tree_format.h"
#include "sync/scope.h"
#include "walk/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	struct walk_batch *batches, **end;
	struct walk_opts opts;
	struct walk_root root;
	struct walk_stats stats;
	struct pool *io, *pool;
	struct chan *chan;
} all;

static int
walk_main(void *arg, struct stop *stop)
{
	int r = walk_run(&all.opts, all.io, all.chan, stop, &all.stats, &all.root, thread_err());

	(void)arg;
	chan_close(all.chan);
	return r;
}

static int
walk_it(const char *dir)
{
	struct err err = {0};
	SCOPE(s, NULL);
	void *item;
	int r;

	all.opts = (struct walk_opts){.root = dir, .one_file_system = true};
	all.chan = chan_create(64, NULL);
	all.end = &all.batches;
	if (!all.chan || scope_spawn(&s, "walk", walk_main, NULL) < 0)
		return -1;
	while (chan_recv(all.chan, &item, NULL) == 0) {
		*all.end = item;
		all.end = &(*all.end)->next;
	}
	*all.end = NULL;
	r = scope_join(&s, &err);
	if (r < 0)
		(void)fprintf(stderr, "bench_segment: %s\n", err.what);
	chan_destroy(all.chan);
	return r;
}

enum { TAKE, WRITE, SYNC, OPEN_WRITTEN, OPEN, DEEP, N_TIMES };

struct times {
	usec_t wall, cpu; /* of all threads */
};

static usec_t
cpu_time(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (usec_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (usec_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct times
now(void)
{
	return (struct times){clock_mono(), cpu_time()};
}

static struct times
since(struct times began)
{
	struct times t = now();

	return (struct times){t.wall - began.wall, t.cpu - began.cpu};
}

static int
open_as(int dirfd, enum tree_open_flags flags, struct tree **ret)
{
	struct tree_open_opts opts = {.flags = flags, .pool = all.pool};
	struct err err = {0};
	int r = tree_open_with(dirfd, "bench.seg", &opts, ret, &err);

	if (r < 0)
		(void)fprintf(stderr, "bench_segment: %s\n", err.what);
	return r;
}

static int
build(int dirfd, struct times took[N_TIMES])
{
	const struct walk_class *cls = &all.root.cls;
	struct tree_input root = {.mode = S_IFDIR | 0755, .dev = cls->dev, .dir = 0};
	struct tree_builder *b;
	struct err err = {0};
	uint64_t bytes;
	struct times began = now();
	int r = tree_builder_create(&root, &b);

	if (r < 0)
		return r;
	tree_builder_use_pool(b, all.pool);
	for (struct walk_batch *next, *batch = all.batches; batch; batch = next) {
		next = batch->next;
		r |= tree_builder_take(b, batch);
	}
	took[TAKE] = since(began);
	began = now();
	if (r == 0)
		r = tree_builder_write(b, dirfd, "bench.seg", NULL, &bytes, &err);
	took[WRITE] = since(began);
	tree_builder_destroy(b);
	if (r < 0)
		(void)fprintf(stderr, "bench_segment: %s\n", err.what);
	return r;
}

/* The same bytes once more, written and synced by one thread: the floor of a write. */
static int
write_floor(int dirfd, struct times *ret)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	AUTO(closep)
	int fd = openat(dirfd, "floor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct times began;
	int r = fd_slurp(dirfd, "bench.seg", SIZE_MAX / 2, &text);

	began = now();
	if (r == 0)
		r = fd_write_full(fd, text.data, text.len);
	if (r == 0)
		r = fd_sync(fd);
	*ret = since(began);
	return r;
}

static int
run(int dirfd, const char *dir, struct times took[N_TIMES], double *ret_n)
{
	static const enum tree_open_flags flags[] = {TREE_OPEN_WRITTEN, 0, TREE_OPEN_DEEP};
	int r = walk_it(dir);

	if (r == 0)
		r = build(dirfd, took);
	if (r == 0)
		r = write_floor(dirfd, &took[SYNC]);
	for (unsigned i = 0; i < ARRAY_LEN(flags) && r == 0; i++) {
		struct times began = now();
		struct tree *tree;

		r = open_as(dirfd, flags[i], &tree);
		took[OPEN_WRITTEN + i] = since(began);
		if (r < 0)
			break;
		*ret_n = tree_cols(tree)->n_entries;
		tree_unref(tree);
	}
	return r;
}

/* FORMAT.md 2 */
static void
print_sections(int dirfd, double n)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	uint32_t n_sections;

	if (fd_slurp(dirfd, "bench.seg", SIZE_MAX / 2, &text) < 0)
		return;
	memcpy(&n_sections, text.data + 24, 4);
	for (uint32_t i = 0; i < n_sections; i++) {
		const char *row = text.data + TREE_HEADER_BYTES + (size_t)i * TREE_ROW_BYTES;
		uint64_t length;
		uint32_t id;

		memcpy(&id, row, 4);
		memcpy(&length, row + 16, 8);
		(void)printf("%-12s %8.3f\n", tree_section_name(id), (double)length / n);
	}
	(void)printf("%-12s %8.3f bytes an entry\n", "file", (double)text.len / n);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = {
		"take", "write and sync", "floor of that", "open written", "open", "verify"};
	unsigned runs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
	unsigned threads = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	struct times best[N_TIMES], took[N_TIMES];
	double n = 1;
	int dirfd;

	if (argc < 3) {
		(void)fputs("usage: bench_segment DIR STATE [RUNS [THREADS]]\n", stderr);
		return 2;
	}
	memset(best, 0xff, sizeof(best));
	dirfd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || mapfile_setup() < 0 || pool_create("io", 4, &all.io) < 0 ||
		pool_create("compute", threads, &all.pool) < 0)
		return 1;
	for (unsigned i = 0; i < runs; i++) {
		if (run(dirfd, argv[1], took, &n) < 0)
			return 1;
		for (unsigned k = 0; k < N_TIMES; k++)
			best[k] = (struct times){
				MIN(best[k].wall, took[k].wall), MIN(best[k].cpu, took[k].cpu)};
	}
	(void)printf("%.0f entries\n", n);
	for (unsigned k = 0; k < N_TIMES; k++)
		(void)printf("%-15s %7.1f ns an entry %7.1f ms, %7.1f ms of CPU\n", names[k],
			1e3 * (double)best[k].wall / n, (double)best[k].wall / 1e3,
			(double)best[k].cpu / 1e3);
	print_sections(dirfd, n);
	pool_destroy(all.io);
	pool_destroy(all.pool);
	(void)close(dirfd);
	return 0;
}
