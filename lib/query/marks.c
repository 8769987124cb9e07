#include "query/marks.h"

#include <errno.h>

void
marks_reset(struct marks *m)
{
	m->ahead.len = 0;
	m->cover = 0;
}

void
marks_fini(struct marks *m)
{
	VEC_FINI(&m->ahead);
}

static void
swap_marks(struct mark *a, struct mark *b)
{
	struct mark t = *a;

	*a = *b;
	*b = t;
}

int
marks_add(struct marks *m, uint32_t lo, uint32_t hi)
{
	struct mark *h = m->ahead.data;
	size_t at = m->ahead.len;
	int r;

	if (lo >= hi || hi <= m->cover)
		return 0;
	/* Sub-directories side by side, all of them marked: one range. */
	if (at > 0 && h[at - 1].hi == lo) {
		h[at - 1].hi = hi;
		return 0;
	}
	r = VEC_PUSH(&m->ahead, (struct mark){lo, hi});
	if (r < 0)
		return r;
	h = m->ahead.data;
	for (; at > 0 && h[at].lo < h[(at - 1) / 2].lo; at = (at - 1) / 2)
		swap_marks(&h[at], &h[(at - 1) / 2]);
	return 0;
}

static struct mark
pop_first(struct marks *m)
{
	struct mark first = m->ahead.data[0], *h = m->ahead.data;
	size_t at = 0, n = --m->ahead.len;

	h[0] = h[n];
	for (;;) {
		size_t top = at, kid = 2 * at + 1;

		if (kid < n && h[kid].lo < h[top].lo)
			top = kid;
		if (kid + 1 < n && h[kid + 1].lo < h[top].lo)
			top = kid + 1;
		if (top == at)
			return first;
		swap_marks(&h[at], &h[top]);
		at = top;
	}
}

void
marks_apply(struct marks *m, uint32_t lo, uint32_t n, struct bits *out)
{
	uint32_t end = lo + n;

	if (m->cover > lo)
		bits_set_range(out, 0, MIN(m->cover, end) - lo);
	while (m->ahead.len > 0 && m->ahead.data[0].lo < end) {
		struct mark r = pop_first(m);

		if (r.hi > MAX(r.lo, lo))
			bits_set_range(out, MAX(r.lo, lo) - lo, MIN(r.hi, end) - lo);
		if (r.hi > end)
			m->cover = MAX(m->cover, r.hi);
	}
}
