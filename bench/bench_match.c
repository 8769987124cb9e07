/*
 * bench_match FILE [OPTION...] PATTERN: how fast one text in memory is searched, in one thread.
 * Options are those of grep: -i -w -F -c (count, the default), -l (lines as answers are made of
 * them), -n N (times). Prints matching lines, the best time in ms and GB/s.
 */
#include "base/fd.h"
#include "query/grep.h"
#include "text/mapfile.h"

#include <fcntl.h>
#include <stdio.h>

struct bench {
	struct span text;
	enum pattern_flags flags;
	bool lines;
	unsigned n;
};

static uint64_t
count(const struct bench *b, struct matcher *m)
{
	struct cursor_opts opts = {.answer = GREP_COUNT_LINES, .deadline = USEC_NEVER};
	uint64_t n = 0;

	if (grep_count(m, (struct subject){b->text, NULL}, &opts, &n) < 0)
		fprintf(stderr, "a limit was reached\n");
	return n;
}

/* As an answer in a pipe has them, thrown away piece by piece. */
static uint64_t
lines(const struct bench *b, struct matcher *m)
{
	struct cursor_opts opts = {.first_span_only = true, .deadline = USEC_NEVER};
	struct grep_place place = {0};
	struct grep_lines out = {0};
	uint64_t n = 0;
	int r = 1;

	while (r > 0) {
		r = grep_text(m, (struct subject){b->text, NULL}, &opts,
			(struct grep_bounds){UINT64_MAX, 1u << 20, 0}, &place, &out);
		n += out.lines.len;
		grep_lines_reset(&out);
	}
	grep_lines_fini(&out);
	return n;
}

static int
measure(const struct bench *b, const char *pattern)
{
	struct err err = {0};
	struct pattern *p;
	struct matcher *m;
	uint64_t best = UINT64_MAX, n = 0;

	if (pattern_create(span_of(pattern), b->flags, &p, &err) < 0 || matcher_create(p, &m) < 0) {
		fprintf(stderr, "%s\n", err.what);
		return 2;
	}
	for (unsigned i = 0; i < b->n; i++) {
		uint64_t began = clock_mono_ns();

		n = b->lines ? lines(b, m) : count(b, m);
		best = MIN(best, clock_mono_ns() - began);
	}
	printf("%9llu lines %8.1f ms %6.2f GB/s\n", (unsigned long long)n, (double)best / 1e6,
		(double)b->text.len / (double)best);
	matcher_destroy(m);
	pattern_destroy(p);
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench b = {.flags = PATTERN_REGEX, .n = 3};
	struct strbuf text = {0};
	int i = 2, r;

	for (; i + 1 < argc && argv[i][0] == '-'; i++) {
		switch (argv[i][1]) {
		case 'i':
			b.flags |= PATTERN_FOLD;
			break;
		case 'w':
			b.flags |= PATTERN_WORD;
			break;
		case 'F':
			b.flags &= ~PATTERN_REGEX;
			break;
		case 'l':
			b.lines = true;
			break;
		case 'n':
			b.n = (unsigned)atoi(argv[++i]);
			break;
		default:
			break;
		}
	}
	if (i + 1 != argc || fd_slurp(AT_FDCWD, argv[1], SIZE_MAX / 4, &text) < 0) {
		fprintf(stderr, "usage: bench_match FILE [-i] [-w] [-F] [-l] [-n N] PATTERN\n");
		return 2;
	}
	b.text = strbuf_view(&text);
	r = measure(&b, argv[i]);
	strbuf_fini(&text);
	return r;
}
