#include "forest.h"

#include "base/vec.h"
#include "query/tally.h"

#include <ctype.h>

static struct pool *pool;
static struct forest forest;

static void
begin(void)
{
	CHECK_INT(pool_create("test", 2, &pool), 0);
}

static void
finish(void)
{
	pool_destroy(pool);
}

TestSuite(tally, .init = begin, .fini = finish);

struct group {
	char key[1200];
	struct tally_sum sum;
};

static VEC(struct group) groups;

static void
add(const char *key, const struct plant *p)
{
	struct group *found = NULL;

	VEC_EACH (&groups, g) {
		if (strcmp(g->key, key) == 0)
			found = g;
	}
	if (!found) {
		CHECK_INT(VEC_PUSH(&groups, (struct group){0}), 0);
		found = &groups.data[groups.len - 1];
		(void)snprintf(found->key, sizeof(found->key), "%s", key);
	}
	found->sum.n++;
	found->sum.size += p->size;
	found->sum.blocks += p->size / 512;
}

static const char *
key_of(uint32_t root, uint32_t entry, enum tally_by by)
{
	static const enum field fields[] = {[TALLY_EXT] = FIELD_EXT,
		[TALLY_TYPE] = FIELD_TYPE,
		[TALLY_USER] = FIELD_USER,
		[TALLY_GROUP] = FIELD_GROUP,
		[TALLY_ROOT] = FIELD_ROOT,
		[TALLY_DIR] = FIELD_DIR};
	static struct strbuf text;
	int64_t number;

	strbuf_reset(&text);
	CHECK_INT(strbuf_puts(&text, ""), 0);
	if (by == TALLY_NONE)
		return "";
	if (by == TALLY_DIR && entry == 0)
		return forest_roots[root]; /* the root has no directory in the index but itself */
	CHECK_INT(field_value(forest.snapshot, root, entry, fields[by], &text, &number), 0);
	for (char *p = text.data; by == TALLY_EXT && *p; p++)
		*p = (char)tolower(*p);
	return text.data;
}

/* What the cursor gives, one answer at a time. */
static void
count_by_cursor(const char *text, enum tally_by by)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct cursor *c = ask_cursor(forest.snapshot, text, &opts);
	struct hit hit;
	int r;

	groups.len = 0;
	while ((r = cursor_next(c, &hit)) == 1)
		add(key_of(hit.layer, hit.entry, by), forest_at(&forest, hit.layer, hit.entry));
	CHECK_INT(r, 0);
	cursor_close(c);
}

static bool
same(const struct tally_sum *a, const struct tally_sum *b)
{
	return a->n == b->n && a->size == b->size && a->blocks == b->blocks;
}

/* Two roots have a directory of the same path: two groups with one name. */
static bool
is_ambiguous(enum tally_by by)
{
	uint32_t entry;

	return by == TALLY_DIR &&
	       tree_lookup(snapshot_cols(forest.snapshot, 0), SPAN_LIT("nested"), &entry) == 0;
}

static void
check(const char *text, enum tally_by by, struct pool *p)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .compute = p};
	struct tally_opts what = {.by = by, .depth = UINT64_MAX};
	struct query *q = ask(text);
	struct tally_sum all = {0}, before = {.size = UINT64_MAX};
	struct strbuf key = {0};
	struct tally_stats st;
	struct tally *t;

	count_by_cursor(text, by);
	CHECK_INT(tally_create(q, forest.snapshot, &opts, &what, &t), 0);
	query_unref(q);
	CHECK_INT(tally_order(t, &opts, TALLY_BY_SIZE), 0);
	CHECK_INT(tally_len(t), groups.len);
	for (uint32_t i = 0; i < tally_len(t); i++) {
		struct tally_sum sum;
		bool found = false;

		strbuf_reset(&key);
		CHECK_INT(strbuf_puts(&key, ""), 0);
		CHECK_INT(tally_at(t, i, &key, &sum), 0);
		VEC_EACH (&groups, g)
			found |= strcmp(g->key, key.data) == 0 && same(&g->sum, &sum);
		CHECK_SAY(found, "%s by %u: %s", text, by, key.data);
		CHECK(sum.size <= before.size);
		before = sum;
		all.n += sum.n;
		all.size += sum.size;
		all.blocks += sum.blocks;
	}
	tally_get_stats(t, &st);
	CHECK(st.complete && same(&st.all, &all) && st.other.n == 0);
	tally_destroy(t);
	strbuf_fini(&key);
}

TEST(tally, groups_are_those_that_the_answers_fall_into)
{
	static const char *const texts[] = {"", "type:f", "foo", "ext:c,gz | size:0", "depth:>2 -a",
		"in:/r/one/nested", "user:1 perm:644", "name:nothing", "root:two type:d"};
	static const enum tally_by bys[] = {
		TALLY_NONE, TALLY_EXT, TALLY_TYPE, TALLY_USER, TALLY_GROUP, TALLY_ROOT, TALLY_DIR};

	for (uint64_t seed = 1; seed <= MAX(test_scale(1500), 3ul); seed++) {
		forest_grow(&forest, seed, 1500);
		for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
			for (size_t k = 0; k < ARRAY_LEN(bys); k++)
				if (!is_ambiguous(bys[k]))
					check(texts[i], bys[k], k % 2 ? pool : NULL);
		}
		forest_fell(&forest);
	}
	VEC_FINI(&groups);
}

TEST(tally, a_stopped_count_says_so)
{
	struct stop stop;
	struct cursor_opts opts = {.deadline = USEC_NEVER, .stop = &stop, .compute = pool};
	struct tally_opts what = {.by = TALLY_EXT};
	struct query *q = ask("");
	struct tally *t;

	forest_grow(&forest, 1, 100);
	stop_init(&stop, NULL);
	stop_request(&stop);
	CHECK_INT(tally_create(q, forest.snapshot, &opts, &what, &t), -ECANCELED);
	stop_fini(&stop);
	query_unref(q);
	forest_fell(&forest);
}

TEST(tally, words_of_groups_are_known)
{
	enum tally_by by;

	CHECK_INT(tally_by_parse(SPAN_LIT("age"), &by), 0);
	CHECK_INT(by, TALLY_AGE);
	CHECK_INT(tally_by_parse(SPAN_LIT("colour"), &by), -EINVAL);
}
