#include "query/sql_scan.h"

#include <errno.h>

#include "query/sql_place.h"

void
sql_scan_init(struct sql_scan *s, const struct sql_env *env)
{
	*s = (struct sql_scan){.env = env};
}

void
sql_scan_reset(struct sql_scan *s)
{
	cursor_close(TAKE_PTR(s->cursor));
	sql_terms_fini(&s->terms);
	s->terms = (struct sql_terms){0};
	s->bounds.len = 0;
	s->ranges.len = s->at = 0;
	s->n_given = 0;
	s->part = s->n_parts = 0;
	s->skip_roots = false;
}

void
sql_scan_fini(struct sql_scan *s)
{
	sql_scan_reset(s);
	VEC_FINI(&s->bounds);
	VEC_FINI(&s->ranges);
}

int
sql_scan_add(struct sql_scan *s, uint32_t layer, uint32_t lo, uint32_t hi)
{
	const struct tree_dead *dead = s->env->snapshot->layers[layer].dead;

	return lo < hi ? VEC_PUSH(&s->ranges, (struct sql_range){layer, lo, hi, dead}) : 0;
}

static struct sql_range
whole_layer(const struct snapshot *s, uint32_t layer)
{
	return (struct sql_range){.layer = layer, .hi = snapshot_cols(s, layer)->n_entries};
}

int
sql_scan_below(struct sql_scan *s, struct span where)
{
	const struct snapshot *snap = s->env->snapshot;
	bool first = s->bounds.len == 0;
	int r = 0;

	for (uint32_t i = 0; i < snap->n_layers && r == 0; i++) {
		uint32_t lo = 0, hi = 0;

		if (first)
			r = VEC_PUSH(&s->bounds, whole_layer(snap, i));
		if (r == 0)
			r = sql_place_below(snap, i, where, &lo, &hi);
		if (r == 0) {
			s->bounds.data[i].lo = MAX(s->bounds.data[i].lo, lo);
			s->bounds.data[i].hi = MIN(s->bounds.data[i].hi, hi);
		}
	}
	return r < 0 ? r : sql_terms_below(&s->terms, where);
}

/* Where nothing else is asked no question is needed: twice as fast. */
static int
add_all(struct sql_scan *s)
{
	const struct snapshot *snap = s->env->snapshot;
	int r = 0;

	for (uint32_t i = 0; i < snap->n_layers && r == 0; i++) {
		struct sql_range whole = whole_layer(snap, i);
		const struct sql_range *b = s->bounds.len > 0 ? &s->bounds.data[i] : &whole;

		r = sql_scan_add(s, i, b->lo, b->hi);
	}
	return r;
}

static int
add_roots(struct sql_scan *s)
{
	const struct snapshot *snap = s->env->snapshot;
	int r = 0;

	s->skip_roots = true;
	for (uint32_t i = 0; i < snap->n_layers && r == 0; i++)
		r = sql_scan_add(s, i, 0, 1);
	return r;
}

int
sql_scan_ask(struct sql_scan *s, const struct query_sort *sort, uint32_t n_sort, uint64_t limit)
{
	assert(n_sort == 0 || s->terms.n_pieces == 0);
	if (s->terms.none)
		return 0;
	if (s->terms.n_pieces == 0 && s->terms.text.len == 0 && n_sort == 0)
		return add_all(s);
	s->opts = s->env->opts;
	s->opts.n_sort = n_sort;
	s->opts.limit = limit;
	for (uint32_t i = 0; i < n_sort; i++)
		s->opts.sort[i] = sort[i];
	s->n_parts = s->terms.n_pieces > 0 ? s->env->snapshot->n_roots : 1;
	return s->terms.words && n_sort == 0 && s->terms.scope.len == 0 ? add_roots(s) : 0;
}

static int
write_part(const struct sql_scan *s, uint32_t part, struct strbuf *out)
{
	AUTO(strbuf_fini) struct strbuf body = {0};
	const struct snap_root *root = &s->env->snapshot->roots[part];
	const struct sql_terms *t = &s->terms;
	bool admit_root = t->words && !s->skip_roots;
	int r = strbuf_span(&body, strbuf_view(&t->text));

	if (r == 0 && t->n_pieces > 0)
		r = sql_terms_of_root(t, root, &body, out);
	(void)strbuf_puts(out, out->len ? " " : "");
	(void)strbuf_span(out, strbuf_view(&t->scope));
	if (body.len > 0)
		(void)strbuf_printf(out, admit_root ? " ((%s) | depth:0)" : " %s", body.data);
	return r < 0 || out->failed ? -ENOMEM : 0;
}

/* A text that the language refuses is a mistake of ours; the answer is right without it. */
static int
parse(const struct sql_scan *s, struct span text, struct query **ret)
{
	struct query_env env = {.cas = s->terms.fold ? QUERY_CASE_FOLD : QUERY_CASE_EXACT};
	int r = query_parse(text, &env, ret, NULL);

	assert_slow(r == 0 || r == -ENOMEM);
	return r == 0 || r == -ENOMEM ? r : query_parse(SPAN_LIT(""), &env, ret, NULL);
}

/* 1 a cursor is open, 0 there is no part left. */
static int
open_part(struct sql_scan *s)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct query *q = NULL;
	int r;

	while (s->part < s->n_parts && s->terms.n_pieces > 0 &&
		!s->env->snapshot->roots[s->part].stack)
		s->part++;
	if (s->part == s->n_parts)
		return 0;
	r = write_part(s, s->part++, &text);
	if (r == 0)
		r = parse(s, strbuf_view(&text), &q);
	if (r == 0)
		r = cursor_open(q, s->env->snapshot, &s->opts, &s->cursor, NULL);
	query_unref(q);
	return r < 0 ? r : 1;
}

static bool
next_of_ranges(struct sql_scan *s)
{
	while (s->at < s->ranges.len) {
		const struct sql_range *range = &s->ranges.data[s->at];
		uint32_t entry = range->lo + s->n_given;

		if (range->dead)
			entry = tree_dead_skip(range->dead, entry);
		if (entry < range->hi) {
			s->layer = range->layer;
			s->entry = entry;
			s->n_given = entry + 1 - range->lo;
			return true;
		}
		s->at++;
		s->n_given = 0;
	}
	return false;
}

static int
next_of_part(struct sql_scan *s)
{
	int r;

	do
		r = cursor_next(s->cursor, &s->hit);
	while (r == 1 && s->skip_roots && s->hit.entry == 0);
	s->layer = s->hit.layer;
	s->entry = s->hit.entry;
	return r;
}

int
sql_scan_next(struct sql_scan *s)
{
	if (next_of_ranges(s))
		return 1;
	for (;;) {
		int r = s->cursor ? 1 : open_part(s);

		if (r == 1)
			r = next_of_part(s);
		else if (r == 0)
			return 0;
		if (r != 0)
			return r;
		cursor_close(TAKE_PTR(s->cursor));
	}
}
