#include "sync/par_sort.h"

#include <errno.h>
#include <string.h>

#include "sync/par_merge.h"

#define N_SERIAL 8192u /* elements that one thread sorts */
#define N_CHUNK 2048u  /* elements of a chunk, at least */
#define MAX_CHUNKS 256u
#define MERGE_GRAIN 2048u /* elements of output; finding the place costs 2 log2(n) comparisons */

struct sorting {
	struct merge_order order;
	char *a, *spare;
	size_t n;
	unsigned n_chunks; /* a power of two */
	bool to_spare;     /* where the chunks are sorted to */

	/* One level: pairs of runs of `run` chunks each are merged. */
	char *from, *to;
	unsigned run;
};

/* Where a chunk begins. */
static size_t
chunk_at(const struct sorting *s, unsigned chunk)
{
	return s->n / s->n_chunks * chunk + MIN((size_t)chunk, s->n % s->n_chunks);
}

/* The token does not keep a chunk from being put where it belongs: see merge_sort(). */
static int
sort_chunks(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sorting *s = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		size_t at = chunk_at(s, (unsigned)lo), end = chunk_at(s, (unsigned)lo + 1);
		size_t offset = at * s->order.size;

		merge_sort(&s->order, s->a + offset, s->spare + offset, end - at, s->to_spare);
	}
	return 0;
}

/* Elements [lo, hi) of what comes out of the pair of runs that begins with `chunk`. */
static void
merge_part(const struct sorting *s, unsigned chunk, size_t lo, size_t hi)
{
	size_t size = s->order.size, begin = chunk_at(s, chunk);
	size_t n_left = chunk_at(s, chunk + s->run) - begin;
	size_t n_right = chunk_at(s, chunk + 2 * s->run) - begin - n_left;
	const char *left = s->from + begin * size, *right = left + n_left * size;
	size_t i, k;

	lo -= begin;
	hi -= begin;
	i = merge_split(&s->order, left, n_left, right, n_right, lo);
	k = merge_split(&s->order, left, n_left, right, n_right, hi);
	merge_runs_to(&s->order, left + i * size, k - i, right + (lo - i) * size, hi - k - (lo - i),
		s->to + (begin + lo) * size);
}

static int
merge_piece(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct sorting *s = ctx;
	unsigned chunk = 0;

	(void)worker;
	while (lo < hi) {
		size_t end = chunk_at(s, chunk + 2 * s->run);

		if (lo < end) {
			merge_part(s, chunk, lo, MIN(hi, end));
			lo = MIN(hi, end);
		}
		chunk += 2 * s->run;
	}
	return 0;
}

/* A level that was stopped has only read `from`. */
static int
merge_levels(struct sorting *s, struct pool *p, enum task_class cls)
{
	int r = 0;

	s->from = s->to_spare ? s->spare : s->a;
	s->to = s->to_spare ? s->a : s->spare;
	for (s->run = 1; r == 0 && s->run < s->n_chunks; s->run *= 2) {
		r = par_for(p, cls, s->n, MERGE_GRAIN, merge_piece, s, s->order.stop);
		if (r == 0) {
			char *was = s->from;

			s->from = s->to;
			s->to = was;
		}
	}
	if (s->from != s->a)
		memcpy(s->a, s->from, s->n * s->order.size);
	return r;
}

/* After the levels the elements are where they came from: there are as many changes of place as
 * levels, and one more when the chunks go to the spare. */
static int
sort_parallel(struct sorting *s, struct pool *p, enum task_class cls)
{
	unsigned wanted = MIN(4 * par_width(p), MAX_CHUNKS);

	s->n_chunks = 1;
	while (s->n_chunks < wanted && s->n / s->n_chunks >= (size_t)2 * N_CHUNK) {
		s->n_chunks *= 2;
		s->to_spare = !s->to_spare;
	}
	(void)par_for(p, cls, s->n_chunks, 1, sort_chunks, s, NULL);
	return merge_levels(s, p, cls);
}

static int
sort_direct(struct pool *p, enum task_class cls, void *base, size_t n, struct merge_order order)
{
	struct sorting s = {.order = order, .a = base, .n = n};
	AUTO(freep) char *spare = NULL;
	size_t bytes;
	int r = 0;

	if (__builtin_mul_overflow(n, order.size, &bytes) || !(spare = malloc(bytes)))
		return -ENOMEM;
	s.spare = spare;
	if (p && n > N_SERIAL)
		r = sort_parallel(&s, p, cls);
	else
		merge_sort(&order, base, spare, n, false);
	if (r == 0 && stop_requested(order.stop))
		r = -ECANCELED; /* it may have been looked at */
	return r;
}

static int
compare_pointed(const void *a, const void *b, void *ctx)
{
	const struct merge_order *o = ctx;

	return o->cmp(*(const void *const *)a, *(const void *const *)b, o->ctx);
}

/* Sort pointers to the elements, then put these in order through a copy. */
static int
sort_indirect(struct pool *p, enum task_class cls, void *base, size_t n, struct merge_order order)
{
	struct merge_order by_pointer = {sizeof(char *), compare_pointed, &order, order.stop};
	AUTO(freep) char **at = NULL;
	AUTO(freep) char *copy = NULL;
	size_t bytes;
	int r;

	if (__builtin_mul_overflow(n, order.size, &bytes) || !(copy = malloc(bytes)) ||
		!(at = malloc(n * sizeof(*at)))) /* less than `bytes` */
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		at[i] = (char *)base + i * order.size;
	r = sort_direct(p, cls, at, n, by_pointer);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		memcpy(copy + i * order.size, at[i], order.size);
	memcpy(base, copy, bytes);
	return 0;
}

int
par_sort(struct pool *p, enum task_class cls, void *base, size_t n, size_t size, par_cmp_fn cmp,
	void *ctx, struct stop *stop)
{
	struct merge_order order = {size, cmp, ctx, stop};

	lock_assert_none();
	if (n < 2 || size == 0)
		return 0;
	if (size > PAR_SORT_DIRECT)
		return sort_indirect(p, cls, base, n, order);
	return sort_direct(p, cls, base, n, order);
}
