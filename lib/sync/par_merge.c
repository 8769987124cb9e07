#include "sync/par_merge.h"

#include <string.h>

#define N_INSERT 8u  /* elements that are sorted by insertion */
#define N_POLL 1024u /* sorting fewer does not look at the token */

#define INLINE static inline __attribute__((always_inline))

/*
 * Everything below is written once for a `size` that each copy knows at compile time: memcpy() then
 * is a move of registers. 0 is any other size.
 */
INLINE void
move_one(char *to, const char *from, size_t size, const struct merge_order *o)
{
	memcpy(to, from, size ? size : o->size);
}

/* `from` and `to` may be the same. */
INLINE void
insert_sort(const struct merge_order *o, const char *from, char *to, size_t n, size_t size)
{
	size_t step = size ? size : o->size;
	char x[PAR_SORT_DIRECT];

	for (size_t i = 0; i < n; i++) {
		char *at = to + i * step;

		move_one(x, from + i * step, size, o);
		for (; at > to && o->cmp(at - step, x, o->ctx) > 0; at -= step)
			move_one(at, at - step, size, o);
		move_one(at, x, size, o);
	}
}

/* Which run gives the next element is computed, not branched on: it is a coin's toss. Runs that are
 * in order as they stand, as in sorted input, are only copied. */
INLINE void
merge_sized(const struct merge_order *o, const char *left, size_t n_left, const char *right,
	size_t n_right, char *to, size_t size)
{
	size_t step = size ? size : o->size;
	const char *left_end = left + n_left * step, *right_end = right + n_right * step;
	bool mixed = n_left > 0 && n_right > 0 && o->cmp(left_end - step, right, o->ctx) > 0;

	while (mixed && left < left_end && right < right_end) {
		bool from_right = o->cmp(left, right, o->ctx) > 0;

		move_one(to, from_right ? right : left, size, o);
		right += from_right ? step : 0;
		left += from_right ? 0 : step;
		to += step;
	}
	memcpy(to, left, (size_t)(left_end - left));
	memcpy(to + (left_end - left), right, (size_t)(right_end - right));
}

/* Where the elements are to lie is a promise to the caller also when the token has fired: then they
 * are copied instead of sorted. */
#define SORTER(name, size_)                                                                        \
	static void name(                                                                          \
		const struct merge_order *o, char *a, char *spare, size_t n, bool to_spare)        \
	{                                                                                          \
		size_t step = (size_) ? (size_) : o->size, half = n / 2;                           \
		char *to = to_spare ? spare : a, *from = to_spare ? a : spare;                     \
		if (n <= N_INSERT) {                                                               \
			insert_sort(o, a, to, n, (size_));                                         \
			return;                                                                    \
		}                                                                                  \
		if (n < N_POLL || !stop_requested(o->stop)) {                                      \
			name(o, a, spare, half, !to_spare);                                        \
			name(o, a + half * step, spare + half * step, n - half, !to_spare);        \
			if (n < N_POLL || !stop_requested(o->stop))                                \
				merge_sized(                                                       \
					o, from, half, from + half * step, n - half, to, (size_)); \
			else                                                                       \
				memcpy(to, from, n *step);                                         \
		} else if (to_spare) {                                                             \
			memcpy(to, a, n *step);                                                    \
		}                                                                                  \
	}

SORTER(sort_4, 4)
SORTER(sort_8, 8)
SORTER(sort_16, 16)
SORTER(sort_24, 24)
SORTER(sort_32, 32)
SORTER(sort_any, 0)

void
merge_sort(const struct merge_order *o, char *a, char *spare, size_t n, bool to_spare)
{
	switch (o->size) {
	case 4:
		sort_4(o, a, spare, n, to_spare);
		break;
	case 8:
		sort_8(o, a, spare, n, to_spare);
		break;
	case 16:
		sort_16(o, a, spare, n, to_spare);
		break;
	case 24:
		sort_24(o, a, spare, n, to_spare);
		break;
	case 32:
		sort_32(o, a, spare, n, to_spare);
		break;
	default:
		sort_any(o, a, spare, n, to_spare);
	}
}

void
merge_runs_to(const struct merge_order *o, const char *left, size_t n_left, const char *right,
	size_t n_right, char *to)
{
	switch (o->size) {
	case 4:
		merge_sized(o, left, n_left, right, n_right, to, 4);
		break;
	case 8:
		merge_sized(o, left, n_left, right, n_right, to, 8);
		break;
	case 16:
		merge_sized(o, left, n_left, right, n_right, to, 16);
		break;
	case 24:
		merge_sized(o, left, n_left, right, n_right, to, 24);
		break;
	case 32:
		merge_sized(o, left, n_left, right, n_right, to, 32);
		break;
	default:
		merge_sized(o, left, n_left, right, n_right, to, 0);
	}
}

/* left[i] is among the first k when it is not above right[k - 1 - i], the one that would stand
 * there in its stead. */
size_t
merge_split(const struct merge_order *o, const char *left, size_t n_left, const char *right,
	size_t n_right, size_t k)
{
	size_t lo = k > n_right ? k - n_right : 0, hi = MIN(k, n_left);

	while (lo < hi) {
		size_t i = lo + (hi - lo) / 2;

		if (o->cmp(left + i * o->size, right + (k - 1 - i) * o->size, o->ctx) <= 0)
			lo = i + 1;
		else
			hi = i;
	}
	return lo;
}
