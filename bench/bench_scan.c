/*
 * bench_scan LIST: a list of paths, one a line, searched in memory as fast as memory goes. Each
 * line of stdin is a job
 *
 *     THREADS LIMIT FOLD TEXT[<tab>TEXT]
 *
 * and is answered with "LINES NANOSECONDS": how many lines hold all texts, at most LIMIT (0: all).
 * FOLD 1: TEXT is in small letters and the case of ASCII letters does not matter. No index, nothing
 * kept between jobs: what a search of names must beat.
 *
 * AVX2: 32 starts at a time are compared by the first and the last byte of the first text.
 */
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 8
#define AVX2 __attribute__((target("avx2")))

struct job {
	const char *text[2];
	size_t len[2]; /* text[1]: 0 when there is one text */
	bool fold;
	uint64_t limit;
};

/* Lines [begin, end) of one thread. */
struct part {
	pthread_t thread;
	const struct job *job;
	const char *begin, *end;
	uint64_t n;
};

static char
small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
is_at(const struct job *j, const char *at, unsigned which)
{
	const char *text = j->text[which];

	if (!j->fold)
		return memcmp(at, text, j->len[which]) == 0;
	for (size_t i = 0; i < j->len[which]; i++) {
		if (small(at[i]) != text[i])
			return false;
	}
	return true;
}

/* Is the second text in the line around `at`? */
static bool
holds_second(const struct part *p, const char *at, const char *line_end)
{
	const struct job *j = p->job;
	const char *line = memrchr(p->begin, '\n', (size_t)(at - p->begin));

	if (j->len[1] == 0)
		return true;
	line = line ? line + 1 : p->begin;
	for (; line + j->len[1] <= line_end; line++) {
		if (is_at(j, line, 1))
			return true;
	}
	return false;
}

/* A place where the first text may stand: the next place to look at. */
static const char *
try_at(struct part *p, const char *at)
{
	const char *line_end;

	if (!is_at(p->job, at, 0))
		return at + 1;
	line_end = memchr(at, '\n', (size_t)(p->end - at));
	line_end = line_end ? line_end : p->end;
	p->n += holds_second(p, at, line_end);
	return line_end;
}

AVX2 static uint32_t
places(const char *at, size_t last, __m256i a, __m256i b, __m256i bit_a, __m256i bit_b)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(at + last));

	x = _mm256_cmpeq_epi8(_mm256_or_si256(x, bit_a), a);
	y = _mm256_cmpeq_epi8(_mm256_or_si256(y, bit_b), b);
	return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(x, y));
}

/* The bit that makes both cases of a letter one. */
static char
case_bit(const struct job *j, char c)
{
	return j->fold && c >= 'a' && c <= 'z' ? 0x20 : 0;
}

/* The list is followed by 64 bytes of zeros, so a load may pass its end. */
AVX2 static void *
scan(void *arg)
{
	struct part *p = arg;
	const struct job *j = p->job;
	size_t last = j->len[0] - 1;
	char first_c = j->text[0][0], last_c = j->text[0][last];
	__m256i a = _mm256_set1_epi8(first_c), b = _mm256_set1_epi8(last_c);
	__m256i bit_a = _mm256_set1_epi8(case_bit(j, first_c));
	__m256i bit_b = _mm256_set1_epi8(case_bit(j, last_c));
	const char *at = p->begin, *next = p->begin;

	for (; at + last < p->end && (j->limit == 0 || p->n < j->limit); at += 32) {
		uint32_t mask = at + 32 <= next ? 0 : places(at, last, a, b, bit_a, bit_b);

		for (; mask; mask &= mask - 1) {
			const char *place = at + __builtin_ctz(mask);

			if (place >= next && place + last < p->end)
				next = try_at(p, place);
			if (j->limit > 0 && p->n == j->limit)
				break;
		}
	}
	return NULL;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t
run(const struct job *j, const char *list, size_t len, unsigned n_threads)
{
	struct part part[MAX_THREADS];
	const char *at = list;
	uint64_t n = 0;

	for (unsigned i = 0; i < n_threads; i++) {
		const char *end = list + len / n_threads * (i + 1);
		const char *line = memchr(end, '\n', (size_t)(list + len - end));

		end = i + 1 == n_threads || !line ? list + len : line + 1;
		part[i] = (struct part){.job = j, .begin = at, .end = end};
		at = end;
	}
	for (unsigned i = 1; i < n_threads; i++) {
		if (pthread_create(&part[i].thread, NULL, scan, &part[i]) != 0)
			abort();
	}
	(void)scan(&part[0]);
	for (unsigned i = 0; i < n_threads; i++) {
		if (i > 0)
			(void)pthread_join(part[i].thread, NULL);
		n += part[i].n;
	}
	return j->limit > 0 && n > j->limit ? j->limit : n;
}

/* The list in memory of our own, in large pages where the system has them. */
static char *
load(const char *name, size_t *ret_len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t size = 0;
	char *list;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		exit(1);
	}
	list = aligned_alloc(2u << 20, ((size_t)st.st_size + 64 + (2u << 20)) & ~((2ul << 20) - 1));
	if (!list)
		abort();
	(void)madvise(list, (size_t)st.st_size + 64, MADV_HUGEPAGE);
	while (size < (size_t)st.st_size) {
		ssize_t got = read(fd, list + size, (size_t)st.st_size - size);

		if (got <= 0)
			break;
		size += (size_t)got;
	}
	memset(list + size, 0, 64);
	(void)close(fd);
	*ret_len = size;
	return list;
}

int
main(int argc, char **argv)
{
	char line[4096];
	size_t len;
	const char *list;

	if (argc != 2 || !__builtin_cpu_supports("avx2")) {
		(void)fputs("usage: bench_scan LIST (on a processor with AVX2)\n", stderr);
		return 2;
	}
	list = load(argv[1], &len);
	while (fgets(line, sizeof(line), stdin)) {
		struct job j = {0};
		unsigned threads = 1, fold = 0, text_at = 0;
		unsigned long long limit = 0;
		uint64_t began, n;
		char *tab;

		line[strcspn(line, "\n")] = 0;
		/* NOLINTNEXTLINE(cert-err34-c): our own script writes it */
		if (sscanf(line, "%u %llu %u %n", &threads, &limit, &fold, (int *)&text_at) < 3 ||
			threads < 1 || threads > MAX_THREADS || !line[text_at])
			return 2;
		j.text[0] = line + text_at;
		tab = strchr(j.text[0], '\t');
		j.text[1] = tab ? tab + 1 : "";
		if (tab)
			*tab = 0;
		j.len[0] = strlen(j.text[0]);
		j.len[1] = strlen(j.text[1]);
		j.fold = fold;
		j.limit = limit;
		began = now_ns();
		n = run(&j, list, len, threads);
		(void)printf("%llu %llu\n", (unsigned long long)n,
			(unsigned long long)(now_ns() - began));
		(void)fflush(stdout);
	}
	return 0;
}
