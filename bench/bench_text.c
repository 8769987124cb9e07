/*
 * bench_text DIR SYMBOLS [BUDGET_MIB [ROUNDS [WORD...]]]: text segments of the files below DIR, on
 * two threads, without the engine.
 *
 *     floor    reading the files; reading them and making their grams; touching every gram once and
 *              writing as many bytes
 *     build    reading, grams, adding and writing, batch by batch as the budget demands
 *     add, write, open, read, merge    the index alone, from grams that are in memory
 *     words    documents that can hold each of them, and the time to find these
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/vec.h"
#include "gram/regex_grams.h"
#include "index/text_builder.h"
#include "index/text_eval.h"
#include "index/text_list.h"
#include "index/text_merge.h"
#include "sync/par.h"

#define N_THREADS 2u

struct doc {
	char *path;
	uint32_t *grams;
	size_t n;
	struct hash128 hash;
};

static VEC(struct doc) docs;
static unsigned n_symbols;
static size_t budget_bytes;

static int
found(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)at;
	if (type == FTW_F && S_ISREG(st->st_mode))
		return VEC_PUSH(&docs, (struct doc){.path = strdup(path)});
	return 0;
}

static int
cmp_paths(const void *a, const void *b)
{
	return strcmp(((const struct doc *)a)->path, ((const struct doc *)b)->path);
}

struct reader {
	struct gram_maker *maker;
	struct strbuf text;
};
static struct reader readers[N_THREADS + 2];

/* 1 the text of a file, 0 it is none. */
static int
read_text(struct reader *r, const struct doc *d)
{
	strbuf_reset(&r->text);
	return fd_slurp(AT_FDCWD, d->path, 1u << 30, &r->text) == 0 && r->text.len > 0 &&
	       !memchr(r->text.data, '\0', r->text.len);
}

static void
make_grams(struct reader *r, const uint32_t **ret, size_t *ret_n)
{
	if (gram_maker_add(r->maker, strbuf_view(&r->text)) < 0 ||
		gram_maker_end(r->maker, ret, ret_n) < 0)
		abort();
}

static int
read_docs(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const uint32_t *grams;
	size_t n;

	for (; lo < hi; lo++) {
		if (read_text(&readers[worker], &docs.data[lo]) && ctx)
			make_grams(&readers[worker], &grams, &n);
	}
	return 0;
}

static int
keep_docs(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct reader *r = &readers[worker];

	(void)ctx;
	for (; lo < hi; lo++) {
		struct doc *d = &docs.data[lo];
		const uint32_t *grams;

		if (!read_text(r, d))
			continue;
		make_grams(r, &grams, &d->n);
		d->grams = malloc(d->n * sizeof(uint32_t) + 1);
		if (!d->grams)
			abort();
		memcpy(d->grams, grams, d->n * sizeof(uint32_t));
		d->hash = hash128(r->text.data, r->text.len);
	}
	return 0;
}

struct adding {
	struct text_builder *b;
	size_t done; /* documents of earlier batches */
};

static int
add_docs(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct adding *a = ctx;
	struct text_adder *adder = text_builder_adder(a->b, worker);

	for (; lo < hi; lo++) {
		const struct doc *d = &docs.data[a->done + lo];
		struct text_unit_in unit = {.grams = d->grams, .n_grams = d->n};
		struct text_doc_in in = {.order = lo, .hash = d->hash};
		uint32_t id;

		if (!d->grams)
			continue;
		if (text_builder_find(a->b, &d->hash, &id) == 0 &&
			(text_add_unit(adder, &unit) < 0 || text_add_doc(adder, &in, &id) < 0))
			abort();
		if (text_add_file(adder, hash64(d->path, strlen(d->path), 0), id) < 0)
			abort();
	}
	return 0;
}

/* Since when, and how much of the processors all threads had used by then. */
struct moment {
	usec_t wall;
	double cpu;
};

static double
cpu_seconds(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct moment
now(void)
{
	return (struct moment){clock_mono(), cpu_seconds()};
}

static void
print_since(const char *what, struct moment m)
{
	printf("%s %.3f s (%.3f s of processors)", what, (double)(clock_mono() - m.wall) / 1e6,
		cpu_seconds() - m.cpu);
}

/* As the engine does, with a batch for each time that the memory is used up. */
static int
build_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct adding *a = ctx;
	struct text_adder *adder = text_builder_adder(a->b, worker);
	struct reader *r = &readers[worker];

	for (; lo < hi; lo++) {
		const struct doc *d = &docs.data[a->done + lo];
		struct text_doc_in in = {.order = lo};
		struct text_unit_in unit = {0};
		uint32_t id;

		if (!read_text(r, d))
			continue;
		in.hash = hash128(r->text.data, r->text.len);
		if (text_builder_find(a->b, &in.hash, &id) == 0) {
			make_grams(r, &unit.grams, &unit.n_grams);
			if (text_add_unit(adder, &unit) < 0 || text_add_doc(adder, &in, &id) < 0)
				abort();
		}
		if (text_add_file(adder, hash64(d->path, strlen(d->path), 0), id) < 0)
			abort();
	}
	return 0;
}

struct slice {
	struct adding adding;
	size_t at;
};

static int
build_slice(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct slice *s = ctx;

	return build_some(s->at + lo, s->at + hi, worker, &s->adding);
}

#define RUN 32u /* documents an adder takes at a time */
#define SLICE 2048u

static struct text_builder *
make_builder(struct pool *pool)
{
	struct text_builder_opts opts = {.n_symbols = n_symbols,
		.n_adders = par_width(pool),
		.budget_bytes = budget_bytes,
		.pool = pool};
	struct text_builder *b;

	if (text_builder_create(&opts, &b) < 0)
		abort();
	return b;
}

static void
write_or_die(struct text_builder *b, int dirfd, const char *name, uint32_t base,
	struct text_written *ret)
{
	struct err err;

	if (text_builder_write(b, dirfd, name, base, NULL, ret, &err) == 0)
		return;
	(void)fprintf(stderr, "%s\n", err.what);
	abort();
}

static void
build_all(int dirfd, struct pool *pool)
{
	struct moment start = now();
	struct text_written written;
	uint64_t bytes = 0, n_postings = 0;
	unsigned n_batches = 0;
	uint32_t base = 0;

	for (size_t lo = 0, hi; lo < docs.len; lo = hi) {
		struct adding a = {.b = make_builder(pool), .done = lo};

		/* The place in the walk is the order, so slices may follow each other. */
		for (hi = lo; hi < docs.len && !text_builder_full(a.b);) {
			size_t n = MIN(docs.len - hi, SLICE);
			struct slice s = {a, hi - lo};

			(void)par_for(pool, TASK_INDEX, n, RUN, build_slice, &s, NULL);
			hi += n;
		}
		write_or_die(a.b, dirfd, "batch", base, &written);
		text_builder_destroy(a.b);
		base += written.n_docs;
		bytes += written.file_bytes;
		n_postings += written.n_postings;
		n_batches++;
	}
	print_since("build", start);
	printf(": %u batches, %.1f M postings, %.1f MB\n", n_batches, (double)n_postings / 1e6,
		(double)bytes / 1e6);
}

static struct text *
open_text(int dirfd, const char *name, struct pool *pool, enum text_open_flags flags)
{
	struct text_open_opts opts = {.flags = flags, .pool = pool};
	struct text *t;
	struct err err;

	if (text_open(dirfd, name, &opts, &t, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.what);
		abort();
	}
	return t;
}

/* Documents [lo, hi) as one segment. */
static void
build(int dirfd, const char *name, struct pool *pool, size_t lo, size_t hi, uint32_t base,
	struct text_written *ret)
{
	struct adding a = {.b = make_builder(pool), .done = lo};
	struct moment start = now();
	bool full;

	(void)par_for(pool, TASK_INDEX, hi - lo, RUN, add_docs, &a, NULL);
	print_since("add", start);
	full = text_builder_full(a.b);
	start = now();
	write_or_die(a.b, dirfd, name, base, ret);
	print_since(", write", start);
	printf(": %u documents, %.1f M postings, %.1f MB%s\n", ret->n_docs,
		(double)ret->n_postings / 1e6, (double)ret->file_bytes / 1e6,
		full ? ", over the budget" : "");
	text_builder_destroy(a.b);
}

static void
read_lists(const struct text *t)
{
	static struct text_list l;
	const struct text_cols *c = text_cols(t);
	static uint32_t units[4096];
	uint64_t n = 0, lists = 0;
	struct moment start = now();

	for (uint32_t g = 0; g < 1u << (6 * n_symbols); g += 61) {
		uint32_t k;

		if (text_list_find(c, g, &l) == 0)
			continue;
		lists++;
		while ((k = text_list_read(&l, units, 4096)) > 0)
			n += k;
	}
	print_since("read", start);
	printf(": %.1f M postings of %llu lists\n", (double)n / 1e6, (unsigned long long)lists);
}

static void
floor_of(int dirfd, uint64_t bytes)
{
	AUTO(freep) char *data = calloc(1, bytes);
	AUTO(closep)
	int fd = openat(dirfd, "floor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct moment start = now();
	uint64_t sum = 0;

	VEC_EACH (&docs, d) {
		for (size_t i = 0; d->grams && i < d->n; i++)
			sum += d->grams[i];
	}
	print_since("floor: touch every gram", start);
	start = now();
	if (!data || fd < 0 || fd_write_full(fd, data, bytes) < 0 || fd_sync(fd) < 0)
		abort();
	print_since(", write and sync as many bytes", start);
	printf(" (%llx)\n", (unsigned long long)sum);
	(void)unlinkat(dirfd, "floor", 0);
}

static void
floor_of_files(struct pool *pool)
{
	struct moment start = now();
	int with_grams = 1;

	(void)par_for(pool, TASK_INDEX, docs.len, 16, read_docs, NULL, NULL);
	print_since("floor: read every file", start);
	start = now();
	(void)par_for(pool, TASK_INDEX, docs.len, 16, read_docs, &with_grams, NULL);
	print_since(", read and make grams", start);
	printf("\n");
}

static void
find_word(const struct text *t, const char *word)
{
	struct text_eval_opts opts = {.flags = TEXT_EVAL_IN_UNIT};
	struct text_found found;
	struct gram_query q;
	uint64_t best = UINT64_MAX;

	gram_query_init(&q, n_symbols);
	if (grams_of_pattern(span_of(word), 0, &q) < 0)
		abort();
	for (unsigned i = 0; i < 20; i++) {
		uint64_t start = clock_mono_ns();

		if (i > 0)
			text_found_fini(&found);
		if (text_eval(text_cols(t), q.root, &opts, &found) < 0)
			abort();
		best = MIN(best, clock_mono_ns() - start);
	}
	printf("%s: %u documents, %.1f us\n", word, found.n, (double)best / 1e3);
	text_found_fini(&found);
	gram_query_fini(&q);
}

static void
merge_halves(int dirfd, struct pool *pool)
{
	struct text_written half[2], merged;
	struct text_merge_opts opts = {.pool = pool};
	struct text_merge_source s[2] = {0};
	struct moment start;
	struct err err;

	build(dirfd, "a", pool, 0, docs.len / 2, 0, &half[0]);
	build(dirfd, "b", pool, docs.len / 2, docs.len, half[0].n_docs, &half[1]);
	s[0].text = open_text(dirfd, "a", pool, 0);
	s[1].text = open_text(dirfd, "b", pool, 0);
	start = now();
	if (text_merge(s, 2, &opts, dirfd, "ab", NULL, &merged, &err) < 0)
		abort();
	print_since("merge", start);
	printf(": %.1f MB\n", (double)merged.file_bytes / 1e6);
}

static void
ask(int dirfd, struct pool *pool, char *const *words)
{
	struct moment start = now();
	struct text *t = open_text(dirfd, "all", pool, 0);

	print_since("open", start);
	printf("\n");
	read_lists(t);
	for (; *words; words++)
		find_word(t, *words);
	text_unref(t);
	start = now();
	text_unref(open_text(dirfd, "all", pool, TEXT_OPEN_DEEP));
	print_since("open with a deep check", start);
	printf("\n");
}

static void
remove_all(int dirfd, const char *dir)
{
	static const char *const names[] = {"all", "batch", "a", "b", "ab"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		(void)unlinkat(dirfd, names[i], 0);
	(void)rmdir(dir);
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 3;
	char dir[] = "/tmp/bench_text.XXXXXX";
	struct text_written all = {0};
	struct pool *pool;
	int dirfd;

	if (argc < 3)
		return 2;
	n_symbols = (unsigned)strtoul(argv[2], NULL, 10);
	budget_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) << 20 : TEXT_BUDGET_BYTES;
	if (nftw(argv[1], found, 64, FTW_PHYS) != 0 || mapfile_setup() < 0 ||
		pool_create("bench", N_THREADS - 1, &pool) < 0 || !mkdtemp(dir))
		return 1;
	qsort(docs.data, docs.len, sizeof(*docs.data), cmp_paths);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
		if (gram_maker_create(n_symbols, &readers[i].maker) < 0)
			return 1;
	}
	for (unsigned i = 0; i < rounds; i++) {
		floor_of_files(pool);
		build_all(dirfd, pool);
	}
	(void)par_for(pool, TASK_INDEX, docs.len, 16, keep_docs, NULL, NULL);
	for (unsigned i = 0; i < rounds; i++)
		build(dirfd, "all", pool, 0, docs.len, 0, &all);
	floor_of(dirfd, all.file_bytes);
	ask(dirfd, pool, argc > 5 ? argv + 5 : argv + argc);
	merge_halves(dirfd, pool);
	remove_all(dirfd, dir);
	return 0;
}
