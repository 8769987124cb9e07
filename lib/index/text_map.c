#include "index/text_map.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bisect.h"
#include "sync/atomic.h"
#include "sync/par.h"
#include "sync/par_sort.h"

/* Work on a map, a share of TREE_CHUNK entries at a time. */
struct mapping {
	const struct tree_cols *c;
	const struct text_set *set;
	const struct text_map_opts *opts;
	uint32_t from;       /* of the set's segments */
	const bool *regular; /* [n_classes] */
	uint32_t *content;
	uint64_t *pending;
	struct counter n_files, n_bytes, n_pending, pending_bytes, n_too_large, n_found;
};

/* Columns of a block. */
struct block {
	uint32_t lo, n;
	uint64_t cls[TREE_BLOCK], size[TREE_BLOCK];
};

static void
map_destroy(struct arc *a)
{
	struct text_map *m = CONTAINER_OF(a, struct text_map, arc);

	free((void *)(uintptr_t)m->content);
	free((void *)(uintptr_t)m->by_content);
	free((void *)(uintptr_t)m->ends);
	free((void *)(uintptr_t)m->marks);
	free((void *)(uintptr_t)m->pending);
	free((void *)(uintptr_t)m->text);
	free((void *)(uintptr_t)m->large);
	free((void *)(uintptr_t)m->binary);
	free(m);
}

void
text_map_unref(struct text_map *m)
{
	if (m)
		arc_put(&m->arc);
}

/* What can be told without a set. */
static void
classify(struct mapping *g, const struct block *b)
{
	uint64_t n_files = 0, n_bytes = 0, n_too_large = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		bool regular = g->regular[b->cls[i]], large = b->size[i] > g->opts->max_bytes;

		g->content[b->lo + i] = !regular ? TEXT_NO_FILE
		                        : large  ? TEXT_TOO_LARGE
		                                 : TEXT_PENDING;
		n_files += regular && !large;
		n_bytes += regular && !large ? b->size[i] : 0;
		n_too_large += regular && large;
	}
	counter_add(&g->n_files, n_files);
	counter_add(&g->n_bytes, n_bytes);
	counter_add(&g->n_too_large, n_too_large);
}

_Static_assert(TREE_BLOCK <= TEXT_FIND_MANY, "a block is looked up at once");

/* Look up what is pending in the block. */
static void
resolve(struct mapping *g, const struct block *b)
{
	uint64_t ino[TREE_BLOCK], mtime[TREE_BLOCK], ctime[TREE_BLOCK];
	uint64_t keys[TREE_BLOCK];
	uint32_t places[TREE_BLOCK], n = 0;

	tree_read(g->c, TREE_INO, b->lo, b->n, ino);
	tree_read(g->c, TREE_MTIME, b->lo, b->n, mtime);
	tree_read(g->c, TREE_CTIME, b->lo, b->n, ctime);
	for (uint32_t i = 0; i < b->n; i++) {
		struct text_stamp s = {.ino = ino[i],
			.size = b->size[i],
			.mtime_ns = (int64_t)mtime[i],
			.ctime_ns = (int64_t)ctime[i]};

		if (g->content[b->lo + i] != TEXT_PENDING)
			continue;
		s.dev = g->c->classes[b->cls[i]].dev;
		keys[n] = text_file_key(&s);
		places[n++] = b->lo + i;
	}
	counter_add(&g->n_found, text_set_find_many(g->set, g->from, keys, places, n, g->content));
}

static void
count_pending(struct mapping *g, const struct block *b)
{
	uint64_t n = 0, n_bytes = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		if (g->content[b->lo + i] != TEXT_PENDING)
			continue;
		g->pending[(b->lo + i) / 64] |= (uint64_t)1 << (b->lo + i) % 64;
		n++;
		n_bytes += b->size[i];
	}
	counter_add(&g->n_pending, n);
	counter_add(&g->pending_bytes, n_bytes);
}

static bool
any_pending(const uint32_t *content, uint32_t n)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < n; i++)
		any |= content[i] == TEXT_PENDING;
	return any;
}

static void
map_block(struct mapping *g, uint32_t lo, uint32_t n)
{
	struct block b = {.lo = lo, .n = n};

	if (g->opts->old && !any_pending(g->content + lo, n))
		return;
	tree_read(g->c, TREE_CLS, lo, n, b.cls);
	tree_read(g->c, TREE_SIZE, lo, n, b.size);
	if (!g->opts->old)
		classify(g, &b);
	if (!any_pending(g->content + lo, n))
		return;
	if (g->set)
		resolve(g, &b);
	count_pending(g, &b);
}

static int
map_shares(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct mapping *g = ctx;

	(void)worker;
	for (; lo < hi; lo++) {
		uint32_t end = (uint32_t)MIN((lo + 1) * TREE_CHUNK, (size_t)g->c->n_entries);

		for (uint32_t at = (uint32_t)(lo * TREE_CHUNK); at < end; at += TREE_BLOCK)
			map_block(g, at, MIN(TREE_BLOCK, end - at));
	}
	return 0;
}

/* Contents are spread over a range that is not much larger: by counting. */
static int
sort_dense(struct text_map *m, uint32_t *ret)
{
	uint32_t *at = calloc((size_t)(m->end - m->first) + 1, sizeof(*at));

	m->ends = at;
	if (!at)
		return -ENOMEM;
	for (uint32_t e = 0; e < m->n_entries; e++) {
		if (m->content[e] < TEXT_CONTENT_END)
			at[m->content[e] - m->first + 1]++;
	}
	for (uint32_t i = 1; i < m->end - m->first; i++)
		at[i] += at[i - 1];
	for (uint32_t e = 0; e < m->n_entries; e++) {
		if (m->content[e] < TEXT_CONTENT_END)
			ret[at[m->content[e] - m->first]++] = e;
	}
	return 0;
}

static int
by_value(const void *a, const void *b, void *ctx)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	(void)ctx;
	return x < y ? -1 : x > y;
}

static int
sort_sparse(const struct text_map *m, const struct text_map_opts *opts, uint32_t *ret)
{
	AUTO(freep) uint64_t *pair = malloc(((size_t)m->n_known + 1) * sizeof(*pair));
	uint32_t n = 0;
	int r;

	if (!pair)
		return -ENOMEM;
	for (uint32_t e = 0; e < m->n_entries; e++) {
		if (m->content[e] < TEXT_CONTENT_END)
			pair[n++] = (uint64_t)m->content[e] << 32 | e;
	}
	r = par_sort(opts->pool, TASK_INDEX, pair, n, sizeof(*pair), by_value, NULL, opts->stop);
	for (uint32_t i = 0; i < n && r == 0; i++)
		ret[i] = (uint32_t)pair[i];
	return r;
}

static int
set_marks(struct text_map *m)
{
	uint32_t *marks = malloc(((size_t)m->n_known / TEXT_MARK + 1) * sizeof(*marks));

	m->marks = marks;
	if (!marks)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_known; i += TEXT_MARK)
		marks[i / TEXT_MARK] = m->content[m->by_content[i]];
	return 0;
}

static int
invert(struct text_map *m, const struct text_map_opts *opts)
{
	uint32_t *by_content, first = UINT32_MAX, end = 0, known = 0;
	int r;

	for (uint32_t e = 0; e < m->n_entries; e++) {
		if (m->content[e] >= TEXT_CONTENT_END)
			continue;
		first = MIN(first, m->content[e]);
		end = MAX(end, m->content[e] + 1);
		known++;
	}
	m->n_known = known;
	m->by_content = by_content = malloc(((size_t)known + 1) * sizeof(*by_content));
	if (!by_content)
		return -ENOMEM;
	m->first = first;
	m->end = end;
	if (known > 0 && (end - first) / 2 <= known)
		return sort_dense(m, by_content);
	r = sort_sparse(m, opts, by_content);
	return r < 0 ? r : set_marks(m);
}

/* In ascending order of contents, so documents are read in order. */
static int
mark_text(struct text_map *m, const struct text_set *set)
{
	uint64_t *text = calloc(m->n_entries / 64 + 1, sizeof(*text));
	uint64_t *binary = calloc(m->n_entries / 64 + 1, sizeof(*binary));
	uint32_t last = TEXT_PENDING;
	bool is_binary = false, any = false;

	m->text = text;
	m->binary = binary;
	if (!text || !binary)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_known; i++) {
		uint32_t e = m->by_content[i];

		if (m->content[e] != last) {
			const struct text_doc *d = text_set_doc(set, m->content[e]);

			last = m->content[e];
			is_binary = d && (d->flags & TEXT_ENCODING_MASK) == TEXT_BINARY;
			any = any || is_binary;
		}
		(is_binary ? binary : text)[e / 64] |= (uint64_t)1 << e % 64;
	}
	if (!any) {
		m->binary = NULL;
		free(binary);
	}
	return 0;
}

static int
mark_large(struct text_map *m)
{
	uint64_t *large =
		m->all.n_too_large > 0 ? calloc(m->n_entries / 64 + 1, sizeof(*large)) : NULL;

	m->large = large;
	if (m->all.n_too_large == 0)
		return 0;
	for (uint32_t e = 0; large && e < m->n_entries; e++) {
		if (m->content[e] == TEXT_TOO_LARGE)
			large[e / 64] |= (uint64_t)1 << e % 64;
	}
	return large ? 0 : -ENOMEM;
}

static int
run_mapping(struct mapping *g, struct text_map *m)
{
	const struct text_map *old = g->opts->old;
	AUTO(freep) bool *regular = malloc(g->c->n_classes + 1);
	int r;

	m->content = g->content = malloc(((size_t)m->n_entries + 1) * sizeof(*g->content));
	m->pending = g->pending = calloc(m->n_entries / 64 + 1, sizeof(*g->pending));
	if (!regular || !g->content || !g->pending)
		return -ENOMEM;
	for (uint32_t k = 0; k < g->c->n_classes; k++)
		regular[k] = S_ISREG(g->c->classes[k].mode);
	g->regular = regular;
	if (old)
		memcpy(g->content, old->content, m->n_entries * sizeof(*g->content));
	r = par_for(g->opts->pool, TASK_INDEX, (m->n_entries - 1) / TREE_CHUNK + 1, 1, map_shares,
		g, g->opts->stop);
	m->all = old ? old->all
	             : (struct text_sums){.n_files = counter_get(&g->n_files),
			       .n_bytes = counter_get(&g->n_bytes),
			       .n_too_large = counter_get(&g->n_too_large)};
	m->all.n_pending = counter_get(&g->n_pending);
	m->all.pending_bytes = counter_get(&g->pending_bytes);
	return r;
}

/* 1: the old map will do, nothing new was found. */
static int
make_map(const struct tree *t, const struct text_set *set, const struct text_map_opts *opts,
	struct text_map **ret)
{
	struct text_map *m = calloc(1, sizeof(*m));
	struct mapping g = {.c = tree_cols(t), .set = set, .opts = opts, .from = opts->from};
	int r;

	if (!m)
		return -ENOMEM;
	arc_init(&m->arc, map_destroy);
	m->tree_sum = tree_header_sum(t);
	m->max_bytes = opts->max_bytes;
	m->n_entries = g.c->n_entries;
	r = run_mapping(&g, m);
	if (r == 0 && opts->old && counter_get(&g.n_found) == 0)
		r = 1;
	if (r == 0)
		r = invert(m, opts);
	if (r == 0)
		r = mark_text(m, set);
	if (r == 0)
		r = mark_large(m);
	if (r != 0) {
		text_map_unref(m);
		return r;
	}
	*ret = m;
	return 0;
}

/* Has the set all contents of the map? Asked in ascending order. */
static bool
has_all(const struct text_set *set, const struct text_map *m)
{
	uint32_t last = TEXT_PENDING;

	for (uint32_t i = 0; i < m->n_known; i++) {
		uint32_t content = m->content[m->by_content[i]];

		if (content != last && (!set || !text_set_doc(set, content)))
			return false;
		last = content;
	}
	return true;
}

int
text_map_create(const struct tree *t, const struct text_set *set, const struct text_map_opts *opts,
	struct text_map **ret)
{
	struct text_map_opts anew = *opts;
	int r = 0;

	if (opts->old && opts->check_old && !has_all(set, opts->old)) {
		anew.old = NULL;
		anew.from = 0;
	}
	if (!anew.old)
		anew.from = 0;
	if (anew.old && (!set || anew.from == set->n || anew.old->all.n_pending == 0))
		r = 1;
	if (r == 0)
		r = make_map(t, set, &anew, ret);
	if (r == 1) {
		arc_get(&anew.old->arc);
		*ret = anew.old;
	}
	return MIN(r, 0);
}

/* The first place of by_content whose content is not below. */
static uint32_t
place_of(const struct text_map *m, uint32_t content)
{
	uint32_t n_marks = m->n_known > 0 ? (m->n_known - 1) / TEXT_MARK + 1 : 0;
	uint32_t mark = FIRST_NOT(i, n_marks, m->marks[i] < content);
	/* It lies behind the last mark that is below. */
	uint32_t lo = mark > 0 ? (mark - 1) * TEXT_MARK : 0;
	uint32_t n = MIN(mark * TEXT_MARK, m->n_known) - lo;

	return lo + FIRST_NOT(i, n, m->content[m->by_content[lo + i]] < content);
}

static uint32_t
end_of(const struct text_map *m, uint32_t content, uint32_t hi)
{
	while (hi < m->n_known && m->content[m->by_content[hi]] == content)
		hi++;
	return hi;
}

/* Where contents are dense. */
static void
entries_between(const struct text_map *m, uint32_t content, uint32_t *ret_lo, uint32_t *ret_hi)
{
	uint32_t i = content - m->first;

	*ret_lo = content <= m->first ? 0 : content >= m->end ? m->n_known : m->ends[i - 1];
	*ret_hi = content < m->first || content >= m->end ? *ret_lo : m->ends[i];
}

void
text_map_entries(const struct text_map *m, uint32_t content, uint32_t *ret_lo, uint32_t *ret_hi)
{
	if (m->ends) {
		entries_between(m, content, ret_lo, ret_hi);
		return;
	}
	*ret_lo = place_of(m, content);
	*ret_hi = end_of(m, content, *ret_lo);
}

static uint32_t
place_from(const struct text_map *m, uint32_t from, uint32_t content)
{
	uint32_t lo = from, hi = from;

	for (uint32_t step = 1; hi < m->n_known && m->content[m->by_content[hi]] < content;
		step *= 2) {
		lo = hi + 1;
		hi += MIN(step, m->n_known - hi);
	}
	return lo + FIRST_NOT(i, hi - lo, m->content[m->by_content[lo + i]] < content);
}

void
text_map_entries_from(const struct text_map *m, uint32_t from, uint32_t content, uint32_t *ret_lo,
	uint32_t *ret_hi)
{
	if (m->ends) {
		entries_between(m, content, ret_lo, ret_hi);
		return;
	}
	*ret_lo = place_from(m, from, content);
	*ret_hi = end_of(m, content, *ret_lo);
}

void
text_map_sum(const struct text_map *m, const struct tree_cols *c, uint32_t lo, uint32_t hi,
	struct text_sums *ret)
{
	*ret = (struct text_sums){0};
	for (; lo < hi; lo++) {
		uint32_t content = m->content[lo];
		uint64_t size;

		if (content == TEXT_NO_FILE)
			continue;
		if (content == TEXT_TOO_LARGE) {
			ret->n_too_large++;
			continue;
		}
		size = tree_size(c, lo);
		ret->n_files++;
		ret->n_bytes += size;
		ret->n_pending += content == TEXT_PENDING;
		ret->pending_bytes += content == TEXT_PENDING ? size : 0;
	}
}
