/*
 * bench_contents -f DIR         floor: microseconds to read every file below DIR and to form the
 * set of its trigrams of bytes, on two threads bench_contents DIR STATE N    index DIR with grams
 * of N symbols: microseconds until all is durable and found, until segments are merged, too; files,
 * bytes, bytes of the index, most memory in KiB
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "sync/par.h"
#include "sync/thread.h"
#include "text/mapfile.h"

#define N_THREADS 2u
#define N_TRIGRAMS (1u << 24)

static VEC(char *) paths;

struct floor {
	struct strbuf text;
	uint64_t *seen;  /* a bit a trigram */
	uint32_t *found; /* those that are set */
};
static struct floor floors[N_THREADS + 1];

static int
found(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)at;
	return type == FTW_F && S_ISREG(st->st_mode) ? VEC_PUSH(&paths, strdup(path)) : 0;
}

/* Without a branch, which nothing could predict, and in registers: 500 MB/s. */
static void
form_set(const struct floor *f)
{
	const unsigned char *p = (const unsigned char *)f->text.data;
	uint32_t gram = 0, *found = f->found;
	uint64_t *seen = f->seen;
	size_t n = 0, len = f->text.len;

	for (size_t i = 0; i < len; i++) {
		gram = (gram << 8 | p[i]) & (N_TRIGRAMS - 1);
		found[n] = gram;
		n += i >= 2 && !(seen[gram / 64] >> gram % 64 & 1);
		seen[gram / 64] |= (uint64_t)(i >= 2) << gram % 64;
	}
	for (size_t i = 0; i < n; i++)
		seen[found[i] / 64] = 0;
}

static int
read_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct floor *f = &floors[worker];

	(void)ctx;
	for (; lo < hi; lo++) {
		strbuf_reset(&f->text);
		if (fd_slurp(AT_FDCWD, paths.data[lo], 1u << 30, &f->text) == 0 &&
			!memchr(f->text.data, '\0', f->text.len))
			form_set(f);
	}
	return 0;
}

static int
run_floor(const char *dir)
{
	struct pool *pool;
	usec_t start;

	if (nftw(dir, found, 64, FTW_PHYS) != 0 || pool_create("floor", N_THREADS - 1, &pool) < 0)
		return 1;
	for (unsigned i = 0; i < par_width(pool); i++) {
		floors[i].seen = calloc(N_TRIGRAMS / 64, sizeof(uint64_t));
		floors[i].found = malloc((N_TRIGRAMS + 1) * sizeof(uint32_t));
		if (!floors[i].seen || !floors[i].found)
			return 1;
	}
	start = clock_mono();
	(void)par_for(pool, TASK_INDEX, paths.len, 16, read_some, NULL, NULL);
	(void)printf("%llu\n", (unsigned long long)(clock_mono() - start));
	pool_destroy(pool);
	return 0;
}

static void
say(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	if (trouble)
		(void)fprintf(stderr, "bench_contents: %s\n", text);
}

/* Ask until `done`; the engine tells nobody by itself. */
static struct engine_root_status
wait_for(struct engine *e, bool (*done)(const struct engine_root_status *r))
{
	for (;;) {
		struct engine_status s;
		struct engine_root_status r;

		if (engine_status(e, &s) < 0)
			abort();
		r = s.roots[0];
		r.name = r.path = NULL;
		engine_status_fini(&s);
		if (done(&r) || r.state == ROOT_FAILED || r.contents.phase == CONTENTS_FAILED)
			return r;
		(void)usleep(1000);
	}
}

static bool
is_found(const struct engine_root_status *r)
{
	return r->state == ROOT_READY && r->contents.phase == CONTENTS_DONE;
}

static int
run_index(char *dir, char *state, unsigned n_symbols)
{
	static char name[] = "root";
	struct engine_root root = {.name = name,
		.path = dir,
		.one_file_system = true,
		.content = SNAP_CONTENT_INDEX,
		.n_symbols = n_symbols};
	struct engine_config cfg = {
		.state_dir = state, .roots = &root, .n_roots = 1, .on_event = say};
	struct engine_root_status r;
	struct engine *e;
	struct err err = {0};
	struct rusage usage;
	usec_t start, took;

	if (mapfile_setup() < 0 || pool_create("io", MAX(4u, 2 * thread_cpus()), &cfg.io) < 0)
		return 1;
	start = clock_mono();
	if (engine_create(&cfg, &e, &err) < 0 || engine_start(e, &err) < 0) {
		(void)fprintf(stderr, "bench_contents: %s\n", err.what);
		return 1;
	}
	r = wait_for(e, is_found);
	took = clock_mono() - start;
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("%llu %llu %llu %llu %u %ld\n", (unsigned long long)took,
		(unsigned long long)r.contents.done_files,
		(unsigned long long)r.contents.done_bytes,
		(unsigned long long)r.contents.segment_bytes, r.contents.n_segments,
		usage.ru_maxrss);
	engine_destroy(e);
	pool_destroy(cfg.io);
	return r.contents.phase != CONTENTS_DONE;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-f") == 0)
		return run_floor(argv[2]);
	if (argc == 4)
		return run_index(argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	(void)fputs("usage: bench_contents -f DIR | DIR STATE GRAM\n", stderr);
	return 2;
}
