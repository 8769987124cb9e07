#include "layered.h"

#include "sql_rows.h"

#include "query/entry_set.h"

/* What given entries answer: those of all answers that were given. */

static const char *const terms[] = {"a", "foo", "b/", "/a", "o/b", "foo/", "name:foo", "*.c", "a*",
	"a/*.c", "/^a.*c$/", "ext:c", "type:f", "type:d", "empty:", "in:/r/one/a", "depth:<3",
	"size:>9000", "user:1", "root:one", "lang:c", "-foo", "a | ext:c", "foo -ext:c", ""};

struct answers {
	struct hit hit[8 * FOREST_MAX];
	size_t n;
};
static struct answers all, some;

static void
ask_all(struct snapshot *s, const char *text, const struct cursor_opts *opts, struct answers *ret)
{
	struct cursor *c = ask_cursor(s, text, opts);
	int r;

	ret->n = 0;
	while ((r = cursor_next(c, &ret->hit[ret->n])) == 1)
		ret->n++;
	CHECK_INT(r, 0);
	cursor_close(c);
}

/* In clumps, so that chunks are left out: entries that are no answers, and dead ones, among them.
 */
static void
give_some(const struct snapshot *s, struct entry_set *set)
{
	CHECK_INT(entry_set_init(set, s->n_layers), 0);
	for (uint32_t k = roll(200); k > 0; k--) {
		uint32_t layer = roll(s->n_layers), n = snapshot_cols(s, layer)->n_entries;

		for (uint32_t at = roll(n), i = 0; i < 1 + roll(20) && at + i < n; i++)
			CHECK_INT(entry_set_add(set, layer, at + i), 0);
	}
	entry_set_seal(set);
}

static bool
is_given(const struct entry_set *set, const struct hit *h)
{
	const struct entry_list *l = &set->layer[h->layer];

	for (size_t i = 0; i < l->len; i++) {
		if (l->data[i] == h->entry)
			return true;
	}
	return false;
}

static void
check_given(struct snapshot *s, const char *text, struct pool *pool)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .compute = pool};
	struct entry_set set;
	size_t n = 0;

	give_some(s, &set);
	ask_all(s, text, &opts, &all);
	opts.only = &set;
	ask_all(s, text, &opts, &some);
	for (size_t i = 0; i < all.n; i++) {
		if (!is_given(&set, &all.hit[i]))
			continue;
		CHECK_SAY(n < some.n && some.hit[n].layer == all.hit[i].layer &&
				  some.hit[n].entry == all.hit[i].entry,
			"\"%s\": answer %zu of given entries", text, n);
		n++;
	}
	CHECK_SAY(n == some.n, "\"%s\": %zu answers of given entries, not %zu", text, some.n, n);
	entry_set_fini(&set);
}

TEST(entry_set, given_entries_answer_what_all_would)
{
	struct pool *pool;

	CHECK_INT(pool_create("test", 2, &pool), 0);
	for (uint64_t i = MAX(test_scale(250), 2ul); i > 0; i--) {
		struct snapshot *many;

		forest_grow(&forest, i, i % 2 ? 300 : 5000);
		many = layered_snapshot(&forest);
		for (size_t k = 0; k < ARRAY_LEN(terms); k++)
			check_given(
				roll(2) ? many : forest.snapshot, terms[k], k % 2 ? pool : NULL);
		snapshot_unref(many);
		forest_fell(&forest);
	}
	pool_destroy(pool);
}

TEST(entry_set, nothing_given_is_no_answer_and_an_order_is_refused)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct query_env env = {0};
	struct entry_set set;
	struct cursor *c;
	struct query *q;

	forest_grow(&forest, 7, 100);
	CHECK_INT(entry_set_init(&set, forest.snapshot->n_layers), 0);
	entry_set_seal(&set);
	opts.only = &set;
	ask_all(forest.snapshot, "", &opts, &some);
	CHECK_INT(some.n, 0);
	CHECK_INT(entry_set_count(&set), 0);
	opts.n_sort = 1;
	CHECK_INT(query_parse(SPAN_LIT("a"), &env, &q, NULL), 0);
	CHECK_INT(cursor_open(q, forest.snapshot, &opts, &c, NULL), -EINVAL);
	query_unref(q);
	entry_set_fini(&set);
	forest_fell(&forest);
}
