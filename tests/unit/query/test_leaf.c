#include "clustered.h"

#include "query/eval.h"

#include <dirent.h>

/* Every field as a predicate on one entry, by the accessors of one value. */

static uint64_t
value_of(const struct tree_cols *c, uint32_t e, enum column column)
{
	switch (column) {
	case COLUMN_SIZE:
		return tree_size(c, e);
	case COLUMN_MTIME:
		return (uint64_t)tree_mtime(c, e);
	case COLUMN_CTIME:
		return (uint64_t)tree_ctime(c, e);
	case COLUMN_LINKS:
		return tree_nlink(c, e);
	case COLUMN_INODE:
		return tree_ino(c, e);
	case COLUMN_DEPTH:
		return tree_depth(c, e);
	}
	return 0;
}

static bool
in_range(const struct tree_cols *c, uint32_t e, const struct range_term *r)
{
	uint64_t v = value_of(c, e, r->column);

	if (r->column == COLUMN_MTIME || r->column == COLUMN_CTIME)
		return (int64_t)v >= (int64_t)r->lo && (int64_t)v <= (int64_t)r->hi;
	return v >= r->lo && v <= r->hi;
}

static bool
has_perm(const struct node *n, uint32_t mode)
{
	if (n->perm.test == PERM_EXACT)
		return (mode & 07777) == n->perm.bits;
	if (n->perm.test == PERM_ALL)
		return (mode & n->perm.bits) == n->perm.bits;
	return (mode & n->perm.bits) != 0 || n->perm.bits == 0;
}

static bool
below(const struct clustered *t, uint32_t e, struct span where)
{
	struct strbuf path = {0};
	bool is;

	CHECK_INT(snapshot_path(t->snapshot, 0, e, &path), 0);
	is = path.len > where.len && memcmp(path.data, where.data, where.len) == 0 &&
	     path.data[where.len] == '/';
	strbuf_fini(&path);
	return is;
}

static bool
is_empty(const struct tree_cols *c, uint32_t e)
{
	if (S_ISREG(c->classes[tree_cls(c, e)].mode))
		return tree_size(c, e) == 0;
	return tree_dir(c, e) != TREE_NO_DIR &&
	       c->dir_first[tree_dir(c, e)] == c->dir_first[tree_dir(c, e) + 1];
}

static bool
holds(const struct clustered *t, const struct node *n, uint32_t e)
{
	const struct tree_class *k = &t->cols->classes[tree_cls(t->cols, e)];

	switch (n->term) {
	case TERM_RANGE:
		return in_range(t->cols, e, &n->range);
	case TERM_TYPE:
		return n->types >> IFTODT(k->mode) & 1;
	case TERM_USER:
		return k->uid == n->id;
	case TERM_GROUP:
		return k->gid == n->id;
	case TERM_PERM:
		return has_perm(n, k->mode);
	case TERM_EMPTY:
		return is_empty(t->cols, e);
	case TERM_IN:
		return below(t, e, n->where);
	case TERM_NONE: /* a range with nothing in it */
		return false;
	default:
		CHECK_SAY(false, "not a term of columns");
		return false;
	}
}

PRINTF_LIKE(1, 2)
static struct query *
parse(const char *fmt, ...)
{
	struct query_env env = {.now_ns = 4000ll * 86400 * NSEC_PER_SEC};
	struct query *q = NULL;
	struct err err = {0};
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CHECK_SAY(query_parse(span_of(text), &env, &q, &err) == 0, "%s: %s", text, err.what);
	return q;
}

/* A question of one term, its numbers rolled. */
static struct query *
roll_term(void)
{
	uint32_t a = roll(1 << 20), b = roll(6000), c = roll(600000);

	switch (roll(16)) {
	case 0:
		return parse("size:>%u", a);
	case 1:
		return parse("size:..%u", a);
	case 2:
		return parse("size:%u..%u", a / 2, a);
	case 3:
		return parse("size:0");
	case 4:
		return parse("mtime:<%ud", b);
	case 5:
		return parse("mtime:>%ud", b);
	case 6:
		return parse("ctime:%04u-01..%04u-06", 1968 + b % 12, 1970 + b % 12);
	case 7:
		return parse("links:>%u", b % 4);
	case 8:
		return parse("inode:%u..%u", c / 2, c);
	case 9:
		return parse("depth:%u", b % 6);
	case 10:
		return parse("depth:%s%u", b % 2 ? "<" : ">=", b % 5);
	case 11:
		return parse("%s:%u", b % 2 ? "user" : "group", b % 5);
	case 12:
		return parse("perm:%s%o", b % 3 == 0 ? "" : b % 3 == 1 ? "-" : "/", b & 0777);
	case 13:
		return parse("type:%c", "fdlp"[b % 4]);
	case 14:
		return parse("in:/r/d0000%u", b % 5);
	default:
		return parse("empty:");
	}
}

static struct eval *
bind(const struct query *q, const struct clustered *t)
{
	struct eval *e;

	CHECK_INT(eval_create(q, t->snapshot, 1, &e), 0);
	CHECK_INT(eval_trace(e), 0);
	CHECK_INT(eval_bind(e, 0), 0);
	return e;
}

/* Chunks anywhere, aligned to nothing. */
static void
compare_chunks(const struct clustered *t, const struct query *q, struct bits *got)
{
	struct eval *e = bind(q, t);
	uint32_t n_entries = t->cols->n_entries, n;

	for (uint32_t lo = roll(2) ? 0 : roll(5000); lo < n_entries; lo += n) {
		n = roll(2) ? EVAL_CHUNK : 1 + roll(EVAL_CHUNK);
		n = MIN(n, n_entries - lo);
		CHECK_INT(eval_chunk(e, 0, lo, n, got), 0);
		for (uint32_t i = 0; i < EVAL_CHUNK; i++)
			CHECK(bits_get(got, i) == (i < n && holds(t, q->root, lo + i)));
	}
	eval_destroy(e);
}

TEST(leaf, every_term_over_blocks_is_what_it_is_for_each_entry)
{
	unsigned long rounds = test_scale(2000);

	for (unsigned long i = 0; i < rounds; i++) {
		struct clustered t;
		struct bits got;

		clustered_grow(&t, i + 1, 300);
		for (unsigned k = 0; k < 40; k++) {
			struct query *q = roll_term();

			compare_chunks(&t, q, &got);
			query_unref(q);
		}
		clustered_fell(&t);
	}
}

TEST(leaf, of_what_is_not_wanted_nothing_is_taken_and_the_rest_is_the_same)
{
	struct bits all, some, want;
	struct clustered t;

	clustered_grow(&t, 99, 400);
	for (unsigned k = 0; k < 200; k++) {
		struct query *q = roll_term();
		struct eval *e = bind(q, &t);
		uint32_t lo = roll(t.cols->n_entries);
		uint32_t n = MIN(EVAL_CHUNK, t.cols->n_entries - lo);

		want = (struct bits){0};
		for (uint32_t i = 0; i < n; i += 1 + roll(300))
			bits_set(&want, i);
		CHECK_INT(eval_chunk(e, 0, lo, n, &all), 0);
		CHECK_INT(eval_some(e, 0, lo, n, &want, &some), 0);
		for (uint32_t i = 0; i < EVAL_CHUNK; i++)
			CHECK(bits_get(&some, i) == (bits_get(&want, i) && bits_get(&all, i)));
		eval_destroy(e);
		query_unref(q);
	}
	clustered_fell(&t);
}

TEST(leaf, costs_count_each_block_and_each_entry_once)
{
	struct clustered t;
	struct query *q = parse("size:>100000");
	struct leaf_cost *cost;
	struct eval *e;
	struct bits got;
	uint64_t n_blocks, n_hits = 0;

	clustered_grow(&t, 5, 400);
	e = bind(q, &t);
	cost = &e->worker[0].cost[0];
	for (uint32_t lo = 0; lo < t.cols->n_entries; lo += EVAL_CHUNK)
		CHECK_INT(eval_chunk(e, 0, lo, MIN(EVAL_CHUNK, t.cols->n_entries - lo), &got), 0);
	for (uint32_t i = 0; i < t.cols->n_entries; i++)
		n_hits += holds(&t, q->root, i);
	n_blocks = (t.cols->n_entries - 1) / TREE_BLOCK + 1;
	CHECK_INT(cost->n_calls, (t.cols->n_entries - 1) / EVAL_CHUNK + 1);
	CHECK_INT(cost->n_asked, t.cols->n_entries);
	CHECK_INT(cost->n_hits, n_hits);
	CHECK_INT(cost->n_read + cost->n_skipped, n_blocks);
	CHECK(n_hits > 0 && cost->n_read > 0);
	eval_destroy(e);
	query_unref(q);
	clustered_fell(&t);
}
