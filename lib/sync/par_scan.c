#include "sync/par_scan.h"

#include <errno.h>
#include <string.h>

/* A block fits into the cache that the processors share, a part into that of one. */
#define PART_BYTES 32768u
#define BLOCK_PARTS 128u

struct scan {
	const struct par_scan_op *op; /* NULL: sums of uint64_t */
	enum par_scan_kind kind;
	size_t size; /* bytes of an element */
	size_t part; /* elements of a part */

	/* The block under way. */
	char *x;
	size_t n;
	char *before; /* of each part, first its total, then what stands before it */
	char *spare;  /* two elements of each worker */
};

static void
add_one(const struct scan *s, void *acc, const void *x)
{
	if (s->op)
		s->op->add(acc, x, s->op->ctx);
	else
		*(uint64_t *)acc += *(const uint64_t *)x;
}

static size_t
part_end(const struct scan *s, size_t part)
{
	return MIN((part + 1) * s->part, s->n);
}

static uint64_t
total_u64(const uint64_t *x, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

static int
total_parts(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct scan *s = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		char *total = s->before + lo * s->size;
		size_t i = lo * s->part, end = part_end(s, lo);

		if (!s->op) {
			*(uint64_t *)(void *)total =
				total_u64((uint64_t *)(void *)s->x + i, end - i);
			continue;
		}
		memcpy(total, s->op->neutral, s->size);
		for (; i < end; i++)
			add_one(s, total, s->x + i * s->size);
	}
	return 0;
}

/* Returns the sum up to the end. */
static uint64_t
scan_u64(uint64_t *x, size_t n, uint64_t sum, enum par_scan_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t before = sum;

		sum += x[i];
		x[i] = kind == SCAN_INCLUSIVE ? sum : before;
	}
	return sum;
}

/* `acc` and `was` are scratch of one element each. */
static void
scan_any(const struct scan *s, char *x, size_t n, char *acc, char *was)
{
	for (size_t i = 0; i < n; i++, x += s->size) {
		memcpy(was, acc, s->size);
		add_one(s, acc, x);
		memcpy(x, s->kind == SCAN_INCLUSIVE ? acc : was, s->size);
	}
}

static int
scan_parts(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct scan *s = ctx;
	char *acc = s->spare + (size_t)2 * worker * s->size;

	for (; lo < hi; lo++) {
		const char *before = s->before + lo * s->size;
		size_t at = lo * s->part, n = part_end(s, lo) - at;

		if (!s->op) {
			(void)scan_u64((uint64_t *)(void *)s->x + at, n,
				*(const uint64_t *)(const void *)before, s->kind);
			continue;
		}
		memcpy(acc, before, s->size);
		scan_any(s, s->x + at * s->size, n, acc, acc + s->size);
	}
	return 0;
}

/* `acc` is what stands before the block, then what stands before the next one. */
static int
scan_block(struct scan *s, struct pool *p, enum task_class cls, struct stop *stop, char *acc)
{
	size_t n_parts = (s->n + s->part - 1) / s->part;
	char *was = acc + s->size;
	int r = par_for(p, cls, n_parts, 1, total_parts, s, stop);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_parts; i++) {
		char *before = s->before + i * s->size;

		memcpy(was, acc, s->size);
		add_one(s, acc, before);
		memcpy(before, was, s->size);
	}
	return par_for(p, cls, n_parts, 1, scan_parts, s, stop);
}

/* A part alone, and what has no pool, is scanned without totals: it is read once. */
static int
scan_all(
	struct scan *s, struct pool *p, enum task_class cls, size_t n, struct stop *stop, char *acc)
{
	char *x = s->x;
	int r = 0;

	for (size_t at = 0; at < n && r == 0; at += s->n) {
		s->x = x + at * s->size;
		s->n = MIN(n - at, s->part * BLOCK_PARTS);
		if (p && s->n > s->part) {
			r = scan_block(s, p, cls, stop, acc);
		} else if (stop_requested(stop)) {
			r = -ECANCELED;
		} else if (s->op) {
			scan_any(s, s->x, s->n, acc, acc + s->size);
		} else {
			uint64_t *sum = (uint64_t *)(void *)acc;

			*sum = scan_u64((uint64_t *)(void *)s->x, s->n, *sum, s->kind);
		}
	}
	return r;
}

int
par_scan_u64(struct pool *p, enum task_class cls, uint64_t *x, size_t n, enum par_scan_kind kind,
	struct stop *stop, uint64_t *ret_total)
{
	uint64_t before[BLOCK_PARTS], acc[2] = {0};
	struct scan s = {.kind = kind,
		.size = sizeof(*x),
		.part = PART_BYTES / sizeof(*x),
		.before = (char *)before};
	int r;

	lock_assert_none();
	s.x = (char *)x;
	r = scan_all(&s, p, cls, n, stop, (char *)acc);
	if (r == 0 && ret_total)
		*ret_total = acc[0];
	return r;
}

int
par_scan(struct pool *p, enum task_class cls, void *x, size_t n, const struct par_scan_op *op,
	enum par_scan_kind kind, struct stop *stop, void *ret_total)
{
	size_t n_spare = 2 * (p ? (size_t)par_width(p) : 1);
	AUTO(freep) char *memory = calloc(BLOCK_PARTS + n_spare + 2, op->size);
	struct scan s = {.op = op,
		.kind = kind,
		.size = op->size,
		.part = MAX(PART_BYTES / op->size, (size_t)1),
		.x = x,
		.before = memory};
	char *acc;
	int r;

	lock_assert_none();
	if (!memory)
		return -ENOMEM;
	s.spare = memory + BLOCK_PARTS * op->size;
	acc = s.spare + n_spare * op->size;
	memcpy(acc, op->neutral, op->size);
	r = scan_all(&s, p, cls, n, stop, acc);
	if (r == 0 && ret_total)
		memcpy(ret_total, acc, op->size);
	return r;
}
