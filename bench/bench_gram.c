/*
 * bench_gram DIR [MB]: how fast the distinct grams of files are formed, in MB/s of processor time
 * of one thread, files in memory, best of three: beside the sum of the bytes, and beside the sets
 * of raw trigrams of bytes that codesearch forms.
 *
 * bench_gram -w DIR [MB] <WORDS: for each line how many files hold it in any case, and how many are
 * left by the query of its grams, of 4 and of 3.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "gram/regex_grams.h"
#include "text/fold.h"

#define ROUNDS 3u
#define MAX_WORDS 64u

/* The texts one after the other, and where each ends. */
static struct strbuf corpus;
static VEC(size_t) ends;
static size_t max_bytes = 400u << 20;

static int
load(const char *path, const struct stat *st, int type, struct FTW *at)
{
	int fd;
	ssize_t got;

	(void)at;
	if (type != FTW_F || st->st_size == 0 || (size_t)st->st_size > max_bytes - corpus.len)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (strbuf_reserve(&corpus, (size_t)st->st_size) < 0)
		abort();
	got = read(fd, corpus.data + corpus.len, (size_t)st->st_size);
	(void)close(fd);
	if (got <= 0 || memchr(corpus.data + corpus.len, 0, (size_t)got))
		return 0;
	corpus.len += (size_t)got;
	return VEC_PUSH(&ends, corpus.len);
}

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct span
text_at(size_t i)
{
	size_t start = i ? ends.data[i - 1] : 0;

	return (struct span){corpus.data + start, ends.data[i] - start};
}

static size_t
sum_bytes(unsigned unused)
{
	uint64_t sum = 0, word;

	(void)unused;
	for (size_t i = 0; i + sizeof(word) <= corpus.len; i += sizeof(word)) {
		memcpy(&word, corpus.data + i, sizeof(word));
		sum += word;
	}
	return sum == 1; /* so that it is computed */
}

/* A bit for each of 2^24 trigrams, and their list. */
static size_t
raw_trigrams(unsigned unused)
{
	uint64_t *seen = calloc(GRAM_END(4) / 64, sizeof(*seen));
	uint32_t *list = malloc(GRAM_END(4) * sizeof(*list)), gram = 0;
	size_t total = 0;

	(void)unused;
	if (!seen || !list)
		abort();
	for (size_t i = 0; i < ends.len; i++) {
		struct span text = text_at(i);
		size_t n = 0;

		for (size_t k = 0; k < text.len; k++) {
			gram = (gram << 8 | (unsigned char)text.data[k]) & (GRAM_END(4) - 1);
			list[n] = gram;
			n += k >= 2 && !(seen[gram >> 6] >> (gram & 63) & 1);
			seen[gram >> 6] |= (uint64_t)(k >= 2) << (gram & 63);
		}
		for (size_t k = 0; k < n; k++)
			seen[list[k] >> 6] = 0;
		total += n;
	}
	free(seen);
	free(list);
	return total;
}

/* `what`: n * 16 + level. */
static size_t
symbol_grams(unsigned what)
{
	struct gram_maker *m;
	const uint32_t *grams;
	size_t total = 0, n;

	if (gram_maker_create_by(what / 16, what % 16, &m) < 0)
		abort();
	for (size_t i = 0; i < ends.len; i++) {
		if (gram_maker_add(m, text_at(i)) < 0 || gram_maker_end(m, &grams, &n) < 0)
			abort();
		total += n;
	}
	gram_maker_destroy(m);
	return total;
}

static size_t
translate(unsigned level)
{
	static uint8_t out[4096];
	const struct symbols *t = symbols_get();
	size_t total = 0, used;

	for (size_t at = 0; at < corpus.len; at += used)
		total += symbols_translate_by(t, level,
			(struct span){corpus.data + at, corpus.len - at}, true, out, sizeof(out),
			&used);
	return total;
}

static void
report(const char *what, size_t (*fn)(unsigned), unsigned arg)
{
	double best = 1e9;
	size_t n = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = now();

		n = fn(arg);
		best = MIN(best, now() - start);
	}
	(void)printf("%-24s %6.0f MB/s %12zu\n", what, (double)corpus.len / 1e6 / best, n);
}

static void
measure_speed(void)
{
	char what[64];

	report("sum of the bytes", sum_bytes, 0);
	report("raw trigrams", raw_trigrams, 0);
	for (unsigned level = 0; level < symbols_n_levels(); level++) {
		(void)snprintf(what, sizeof(what), "symbols, level %u", level);
		report(what, translate, level);
	}
	for (unsigned n = GRAM_MAX; n >= GRAM_MIN; n--) {
		for (unsigned level = 0; level < gram_maker_n_levels(); level++) {
			(void)snprintf(what, sizeof(what), "grams of %u, level %u", n, level);
			report(what, symbol_grams, n * 16 + level);
		}
	}
}

struct word {
	char text[64];
	struct needle needle;
	struct gram_query query[GRAM_MAX + 1];
	size_t n_true, n_left[GRAM_MAX + 1];
};

static struct word words[MAX_WORDS];

static size_t
read_words(void)
{
	size_t n = 0;

	while (n < MAX_WORDS && fgets(words[n].text, sizeof(words[n].text), stdin)) {
		struct word *w = &words[n];

		w->text[strcspn(w->text, "\n")] = '\0';
		if (needle_init(&w->needle, span_of(w->text), true) < 0)
			continue;
		for (unsigned g = GRAM_MIN; g <= GRAM_MAX; g++) {
			gram_query_init(&w->query[g], g);
			if (grams_of_pattern(span_of(w->text), PATTERN_FOLD, &w->query[g]) < 0)
				abort();
		}
		n++;
	}
	return n;
}

static int
gram_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
ask_text(struct gram_maker *const *maker, struct span text, size_t n_words)
{
	for (unsigned g = GRAM_MIN; g <= GRAM_MAX; g++) {
		const uint32_t *grams;
		uint32_t *sorted;
		size_t n;

		if (gram_maker_add(maker[g], text) < 0 || gram_maker_end(maker[g], &grams, &n) < 0)
			abort();
		sorted = malloc((n + 1) * sizeof(*sorted));
		if (!sorted)
			abort();
		memcpy(sorted, grams, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), gram_cmp);
		for (size_t i = 0; i < n_words; i++)
			words[i].n_left[g] += gram_query_holds(words[i].query[g].root, sorted, n);
		free(sorted);
	}
	for (size_t i = 0; i < n_words; i++)
		words[i].n_true += needle_find(&words[i].needle, text, 0, NULL) >= 0;
}

static void
measure_words(void)
{
	struct gram_maker *maker[GRAM_MAX + 1];
	size_t n_words = read_words(), sum[3] = {0};

	for (unsigned g = GRAM_MIN; g <= GRAM_MAX; g++) {
		if (gram_maker_create(g, &maker[g]) < 0)
			abort();
	}
	for (size_t i = 0; i < ends.len; i++)
		ask_text(maker, text_at(i), n_words);
	for (size_t i = 0; i < n_words; i++) {
		(void)printf("%-28s true %7zu  grams of 4 %7zu  of 3 %7zu\n", words[i].text,
			words[i].n_true, words[i].n_left[4], words[i].n_left[3]);
		sum[0] += words[i].n_true;
		sum[1] += words[i].n_left[4];
		sum[2] += words[i].n_left[3];
	}
	(void)printf(
		"%-28s true %7zu  grams of 4 %7zu  of 3 %7zu\n", "all", sum[0], sum[1], sum[2]);
}

int
main(int argc, char **argv)
{
	bool ask = argc > 1 && strcmp(argv[1], "-w") == 0;

	argv += ask;
	argc -= ask;
	if (argc < 2 || argc > 3) {
		(void)fputs("usage: bench_gram [-w] DIR [MB]\n", stderr);
		return 2;
	}
	if (argc == 3)
		max_bytes = (size_t)strtoull(argv[2], NULL, 10) << 20;
	(void)nftw(argv[1], load, 64, FTW_PHYS);
	(void)printf("%zu files, %zu MB\n", ends.len, corpus.len / 1000000);
	if (ask)
		measure_words();
	else
		measure_speed();
	return 0;
}
