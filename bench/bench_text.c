/*
 * bench_text DIR SYMBOLS [BUDGET_MIB [ROUNDS]]: a text segment of the files below DIR, from grams
 * that are made beforehand, so that what is timed is the index alone: adding, writing, opening,
 * reading lists, merging. Two threads. Floor: touching every gram once and writing as many bytes.
 */
#include <dirent.h>
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
#include "index/text_builder.h"
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
static uint8_t classes[256];
static size_t budget_bytes;

static void
make_classes(void)
{
	static const char marks[] = "_-.+@,~:=(%#[*/\";><&{";

	memset(classes, 59, sizeof(classes));
	for (unsigned i = 0; i < 26; i++)
		classes['a' + i] = classes['A' + i] = (uint8_t)(1 + i);
	for (unsigned i = 0; i < 10; i++)
		classes['0' + i] = (uint8_t)(27 + i);
	for (unsigned i = 0; marks[i]; i++)
		classes[(uint8_t)marks[i]] = (uint8_t)(37 + i);
	classes[' '] = classes['\t'] = 60;
	classes['\n'] = 61;
	for (unsigned i = 128; i < 256; i++)
		classes[i] = (uint8_t)(62 + (i & 1));
}

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

struct seen {
	uint64_t *bits;
	VEC(uint32_t) grams;
	struct strbuf text;
};

static void
make_grams(struct seen *s, struct doc *d)
{
	uint32_t g = 0, mask = (1u << (6 * n_symbols)) - 1;

	s->grams.len = 0;
	for (size_t i = 0; i < s->text.len + 2; i++) {
		g = (g << 6 | (i < s->text.len ? classes[(uint8_t)s->text.data[i]] : 0)) & mask;
		if (i + 1 < n_symbols || (s->bits[g / 64] >> g % 64 & 1))
			continue;
		s->bits[g / 64] |= (uint64_t)1 << g % 64;
		if (VEC_PUSH(&s->grams, g) < 0)
			abort();
	}
	for (size_t i = 0; i < s->grams.len; i++)
		s->bits[s->grams.data[i] / 64] = 0;
	d->n = s->grams.len;
	d->grams = malloc(d->n * sizeof(uint32_t) + 1);
	if (!d->grams)
		abort();
	if (d->n > 0)
		memcpy(d->grams, s->grams.data, d->n * sizeof(uint32_t));
	d->hash = hash128(s->text.data, s->text.len);
}

static int
read_docs(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct seen *s = &((struct seen *)ctx)[worker];

	for (; lo < hi; lo++) {
		struct doc *d = &docs.data[lo];

		strbuf_reset(&s->text);
		if (fd_slurp(AT_FDCWD, d->path, 1u << 30, &s->text) == 0 &&
			!memchr(s->text.data, '\0', s->text.len))
			make_grams(s, d);
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
	struct text_builder_opts opts = {.n_symbols = n_symbols,
		.n_adders = par_width(pool),
		.budget_bytes = budget_bytes,
		.pool = pool};
	struct adding a = {.done = lo};
	struct moment start = now();
	bool full;
	struct err err;

	if (text_builder_create(&opts, &a.b) < 0)
		abort();
	(void)par_for(pool, TASK_INDEX, hi - lo, 32, add_docs, &a, NULL);
	print_since("add", start);
	full = text_builder_full(a.b);
	start = now();
	if (text_builder_write(a.b, dirfd, name, base, NULL, ret, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.what);
		abort();
	}
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

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 3;
	char dir[] = "/tmp/bench_text.XXXXXX";
	struct seen seen[N_THREADS + 2] = {0};
	struct text_written all = {0}, half[2], merged;
	struct pool *pool;
	struct text *t;
	struct moment start;
	struct err err;
	int dirfd;

	if (argc < 3)
		return 2;
	n_symbols = (unsigned)strtoul(argv[2], NULL, 10);
	budget_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) << 20 : TEXT_BUDGET_BYTES;
	make_classes();
	if (nftw(argv[1], found, 64, FTW_PHYS) != 0 || mapfile_setup() < 0 ||
		pool_create("bench", N_THREADS - 1, &pool) < 0 || !mkdtemp(dir))
		return 1;
	qsort(docs.data, docs.len, sizeof(*docs.data), cmp_paths);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < N_THREADS + 2; i++)
		seen[i].bits = calloc(1u << (6 * n_symbols), 1);
	(void)par_for(pool, TASK_INDEX, docs.len, 16, read_docs, seen, NULL);
	for (unsigned i = 0; i < rounds; i++)
		build(dirfd, "all", pool, 0, docs.len, 0, &all);
	floor_of(dirfd, all.file_bytes);
	start = now();
	t = open_text(dirfd, "all", pool, 0);
	print_since("open", start);
	printf("\n");
	read_lists(t);
	text_unref(t);
	start = now();
	text_unref(open_text(dirfd, "all", pool, TEXT_OPEN_DEEP));
	print_since("open with a deep check", start);
	printf("\n");
	build(dirfd, "a", pool, 0, docs.len / 2, 0, &half[0]);
	build(dirfd, "b", pool, docs.len / 2, docs.len, half[0].n_docs, &half[1]);
	{
		struct text_merge_source s[] = {{.text = open_text(dirfd, "a", pool, 0)},
			{.text = open_text(dirfd, "b", pool, 0)}};
		struct text_merge_opts opts = {.pool = pool};

		start = now();
		if (text_merge(s, 2, &opts, dirfd, "ab", NULL, &merged, &err) < 0)
			return 1;
		print_since("merge", start);
		printf(": %.1f MB\n", (double)merged.file_bytes / 1e6);
	}
	return 0;
}
