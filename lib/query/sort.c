#include "query/sort_impl.h"

#include <errno.h>

#include "query/halt.h"
#include "query/path_order.h"

int
sorter_create(const struct snapshot *s, const struct cursor_opts *opts, uint64_t keep,
	struct sorter **ret)
{
	struct sorter *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->snapshot = s;
	st->opts = opts;
	st->keep = keep;
	*ret = st;
	return 0;
}

void
sorter_destroy(struct sorter *s)
{
	if (!s)
		return;
	VEC_FINI(&s->heap.items);
	free(s);
}

static int
compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static const struct tree_cols *
cols_of(const struct sorter *s, uint32_t layer)
{
	return snapshot_cols(s->snapshot, layer);
}

/* Any text field, built: for entries of different roots and fields that are seldom sorted by. */
static int
compare_built(
	const struct sorter *s, const struct sort_item *a, const struct sort_item *b, enum field f)
{
	AUTO(strbuf_fini) struct strbuf x = {0};
	AUTO(strbuf_fini) struct strbuf y = {0};
	int64_t unused;

	(void)field_value(s->snapshot, a->layer, a->entry, f, &x, &unused);
	(void)field_value(s->snapshot, b->layer, b->entry, f, &y, &unused);
	return span_cmp(strbuf_view(&x), strbuf_view(&y));
}

static int
compare_text(
	const struct sorter *s, const struct sort_item *a, const struct sort_item *b, enum field f)
{
	const struct tree_cols *x = cols_of(s, a->layer), *y = cols_of(s, b->layer);
	bool one_root = s->snapshot->layers[a->layer].root == s->snapshot->layers[b->layer].root;

	if (f == FIELD_NAME)
		return span_cmp(field_name(s->snapshot, a->layer, a->entry),
			field_name(s->snapshot, b->layer, b->entry));
	if (f == FIELD_EXT)
		return span_cmp(field_ext(x, a->entry), field_ext(y, b->entry));
	if (one_root && f == FIELD_ROOT)
		return 0;
	if (one_root && f == FIELD_PATH)
		return path_compare_bytes(x, a->entry, y, b->entry);
	if (one_root && f == FIELD_DIR && a->entry && b->entry)
		return path_compare_bytes(x, x->dir_entry[tree_parent(x, a->entry)], y,
			y->dir_entry[tree_parent(y, b->entry)]);
	return compare_built(s, a, b, f);
}

static int
compare_key(
	const struct sorter *s, const struct sort_item *a, const struct sort_item *b, enum field f)
{
	int64_t x, y;

	if (field_kind(f) == FIELD_TEXT)
		return compare_text(s, a, b, f);
	x = field_number(cols_of(s, a->layer), a->entry, f);
	y = field_number(cols_of(s, b->layer), b->entry, f);
	if (field_kind(f) == FIELD_NUMBER)
		return compare_u64((uint64_t)x, (uint64_t)y);
	return x < y ? -1 : x > y;
}

/* Is nothing left to compare of two first keys that are the same number? A text has no NUL, so one
 * that ends within the eight bytes is whole. */
static bool
first_is_whole(const struct sorter *s, uint64_t first)
{
	enum field f = s->opts->sort[0].field;

	if (f == FIELD_NAME || f == FIELD_EXT)
		return (unsigned char)(s->opts->sort[0].descending ? ~first : first) == 0;
	return field_kind(f) != FIELD_TEXT;
}

int
sorter_compare(const void *va, const void *vb, void *ctx)
{
	const struct sort_item *a = va, *b = vb;
	const struct sorter *s = ctx;
	const struct query_sort *key = s->opts->sort;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	for (uint32_t i = first_is_whole(s, a->first); i < s->opts->n_sort; i++) {
		int r = compare_key(s, a, b, key[i].field);

		if (r != 0)
			return key[i].descending ? -r : r;
	}
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* The first eight bytes, so that most comparisons need no more. */
static uint64_t
text_prefix(struct span s)
{
	unsigned char bytes[8] = {0};
	uint64_t v = 0;

	memcpy(bytes, s.data, MIN(s.len, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		v = v << 8 | bytes[i];
	return v;
}

uint64_t
sorter_number(const struct query_sort *key, uint64_t value)
{
	if (field_kind(key->field) == FIELD_TIME)
		value += 1ull << 63;
	return key->descending ? ~value : value;
}

struct sort_item
sorter_item(const struct sorter *s, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *c = cols_of(s, layer);
	const struct query_sort *key = &s->opts->sort[0];
	uint64_t v = 0; /* only comparing tells */

	if (key->field == FIELD_NAME)
		v = text_prefix(field_name(s->snapshot, layer, entry));
	else if (key->field == FIELD_EXT)
		v = text_prefix(field_ext(c, entry));
	else if (field_kind(key->field) != FIELD_TEXT)
		v = (uint64_t)field_number(c, entry, key->field);
	else
		return (struct sort_item){0, layer, entry};
	return (struct sort_item){sorter_number(key, v), layer, entry};
}

static void
heap_down(const struct sorter *s, struct sort_heap *heap, size_t at)
{
	struct sort_item *h = heap->items.data;

	for (;;) {
		size_t top = at, kid = 2 * at + 1;
		struct sort_item swap;

		for (size_t i = kid; i < kid + 2 && i < heap->items.len; i++) {
			if (sorter_compare(&h[i], &h[top], (void *)(uintptr_t)s) > 0)
				top = i;
		}
		if (top == at)
			return;
		swap = h[at];
		h[at] = h[top];
		h[top] = swap;
		at = top;
	}
}

int
sort_heap_add(const struct sorter *s, struct sort_heap *h, const struct sort_item *it)
{
	int r;

	if (sort_heap_full(s, h)) {
		if (sorter_compare(it, &h->items.data[0], (void *)(uintptr_t)s) < 0) {
			h->items.data[0] = *it;
			heap_down(s, h, 0);
		}
		return 0;
	}
	r = VEC_PUSH(&h->items, *it);
	if (r == 0 && sort_heap_full(s, h)) {
		/* Until now it was a heap of things. */
		for (size_t i = h->items.len / 2; i-- > 0;)
			heap_down(s, h, i);
	}
	return r;
}

int
sorter_add(struct sorter *s, uint32_t layer, uint32_t entry)
{
	struct sort_item it = sorter_item(s, layer, entry);

	assert(!s->finished);
	s->n_added++;
	return sort_heap_add(s, &s->heap, &it);
}

int
sorter_finish(struct sorter *s)
{
	uint64_t began = clock_mono_ns();
	int r = query_sort_array(s->opts, s->heap.items.data, s->heap.items.len,
		sizeof(struct sort_item), sorter_compare, s);

	s->finished = true;
	s->cost.nsec += clock_mono_ns() - began;
	/* Several heaps may have been joined. */
	if (r == 0 && s->keep > 0)
		s->heap.items.len = MIN(s->heap.items.len, s->keep);
	return r;
}

uint64_t
sorter_added(const struct sorter *s)
{
	return s->n_added;
}

bool
sorter_saw_all(const struct sorter *s)
{
	return !s->partial;
}

void
sorter_get_cost(const struct sorter *s, struct sort_cost *ret)
{
	*ret = s->cost;
	ret->n_kept = s->heap.items.len;
}

int
sorter_next(struct sorter *s, uint32_t *ret_layer, uint32_t *ret_entry)
{
	if (s->at == s->heap.items.len)
		return 0;
	*ret_layer = s->heap.items.data[s->at].layer;
	*ret_entry = s->heap.items.data[s->at].entry;
	s->at++;
	return 1;
}

/* One "field[:asc|:desc]". */
static int
parse_key(struct span item, uint32_t pos, struct query_sort *ret, struct err *err)
{
	const char *colon = memchr(item.data, ':', item.len);
	struct span word = {item.data, colon ? (size_t)(colon - item.data) : item.len};
	struct span order = {0};
	int r = 0;

	if (colon)
		order = (struct span){colon + 1, item.len - word.len - 1};
	ret->descending = span_eq(order, SPAN_LIT("desc"));
	if (field_parse(word, &ret->field) < 0)
		r = err_set(err, -EINVAL, "unknown sort key \"%.*s\"", (int)MIN(word.len, 40u),
			word.data);
	else if (colon && !ret->descending && !span_eq(order, SPAN_LIT("asc")))
		r = err_set(err, -EINVAL, "unknown order \"%.*s\"", (int)MIN(order.len, 40u),
			order.data);
	if (r < 0) {
		(void)err_hint(err, "write a field such as name, path, size or mtime, with :asc or "
				    ":desc, as in mtime:desc,name");
		if (err)
			err->pos = pos;
	}
	return r;
}

int
query_sort_parse(struct span text, struct query_sort keys[QUERY_MAX_SORT_KEYS], struct err *err)
{
	size_t start = 0;
	int n = 0;

	for (size_t i = 0; i <= text.len && text.len > 0; i++) {
		int r;

		if (i < text.len && text.data[i] != ',')
			continue;
		if (n == (int)QUERY_MAX_SORT_KEYS) {
			r = err_set(err, -EINVAL, "more than %u sort keys", QUERY_MAX_SORT_KEYS);
			if (err)
				err->pos = (uint32_t)start + 1;
			return r;
		}
		r = parse_key((struct span){text.data + start, i - start}, (uint32_t)start + 1,
			&keys[n], err);
		if (r < 0)
			return r;
		n++;
		start = i + 1;
	}
	return n;
}
