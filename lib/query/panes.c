#include "query/panes.h"

#include <errno.h>

#include "base/bisect.h"

static bool
is_asked(const uint64_t *units, uint32_t unit)
{
	return !units || (units[unit / 64] >> unit % 64 & 1);
}

/* The window of a unit, which has one. */
static const struct text_window *
window_of(const struct text_cols *c, uint32_t unit)
{
	return &c->windows[FIRST_NOT(i, c->n_windows, c->windows[i].unit < unit)];
}

int
panes_make(const struct text_cols *c, uint32_t doc, const uint64_t *units, struct panes *ret)
{
	const struct text_window *w;
	struct panes p = {0};
	uint32_t lo, hi;
	struct pane *last;

	text_units(c, doc, &lo, &hi);
	*ret = p;
	if (hi - lo < 2)
		return 0;
	if (VEC_RESERVE(&p.list, hi - lo) < 0)
		return -ENOMEM;
	(void)VEC_PUSH(&p.list, (struct pane){.asked = is_asked(units, lo)});
	w = window_of(c, lo + 1);
	for (uint32_t unit = lo + 1; unit < hi; unit++, w++) {
		last = &p.list.data[p.list.len - 1];
		if (!(w->flags & TEXT_WINDOW_LINE))
			last->asked = true;
		else
			(void)VEC_PUSH(&p.list, (struct pane){w->offset_bytes, w->lines_before,
							is_asked(units, unit)});
	}
	*ret = p;
	return 0;
}

void
panes_fini(struct panes *p)
{
	VEC_FINI(&p->list);
}

static uint64_t
pane_bytes(const struct panes *p, size_t i, uint64_t size)
{
	uint64_t end = i + 1 < p->list.len ? p->list.data[i + 1].from : size;

	return end > p->list.data[i].from ? end - p->list.data[i].from : 0;
}

static size_t
next_asked(const struct panes *p, size_t i)
{
	while (i < p->list.len && !p->list.data[i].asked)
		i++;
	return i;
}

int
panes_part(const struct panes *p, uint64_t size, uint64_t max_bytes, size_t *at, struct panes *ret)
{
	size_t lo = next_asked(p, *at), hi = lo;

	*ret = (struct panes){0};
	for (uint64_t n = 0; hi < p->list.len && n < max_bytes; hi++)
		n += p->list.data[hi].asked ? pane_bytes(p, hi, size) : 0;
	if (VEC_RESERVE(&ret->list, hi - lo + 2) < 0)
		return -ENOMEM;
	if (lo > 0)
		(void)VEC_PUSH(&ret->list, (struct pane){0});
	for (size_t i = lo; i < hi; i++)
		(void)VEC_PUSH(&ret->list, p->list.data[i]);
	if (hi < p->list.len)
		(void)VEC_PUSH(&ret->list, (struct pane){.from = p->list.data[hi].from,
						   .lines_before = p->list.data[hi].lines_before});
	*at = next_asked(p, hi);
	return 0;
}

/* The pane that holds an offset. */
static size_t
pane_at(const struct panes *p, uint64_t at)
{
	size_t after = FIRST_NOT(i, p->list.len, p->list.data[i].from <= at);

	return after - 1; /* the first one is from 0 on */
}

void
panes_next(struct subject s, size_t from, size_t *ret_from, size_t *ret_end)
{
	const struct panes *p = s.panes;
	size_t i, n = p ? p->list.len : 0;

	*ret_from = MIN(from, s.text.len);
	*ret_end = s.text.len;
	if (n == 0)
		return;
	i = pane_at(p, from);
	if (!p->list.data[i].asked) {
		i = next_asked(p, i);
		*ret_from = i < n ? (size_t)MIN(p->list.data[i].from, s.text.len) : s.text.len;
	}
	while (i < n && p->list.data[i].asked)
		i++;
	if (i < n)
		*ret_end = (size_t)MIN(p->list.data[i].from, s.text.len);
}

uint64_t
panes_lines(const struct panes *p, size_t at, size_t *ret_from)
{
	const struct pane *pane;

	*ret_from = 0;
	if (!p || p->list.len == 0)
		return 0;
	pane = &p->list.data[pane_at(p, at)];
	*ret_from = (size_t)pane->from;
	return pane->lines_before;
}

uint64_t
panes_bytes(struct subject s)
{
	uint64_t n = 0;

	for (size_t from = 0, end; from < s.text.len; from = end) {
		panes_next(s, from, &from, &end);
		n += end - from;
	}
	return n;
}
