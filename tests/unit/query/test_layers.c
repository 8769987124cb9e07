#include "layered.h"

#include "sql_rows.h"

#include "query/explain.h"
#include "query/tally.h"
#include "query/top.h"
#include "query/tour.h"

/* A forest of one segment a root, and the same in layers: every question has one answer. */

static struct pool *pool;
static struct cursor_opts plainly;
static struct snapshot *one, *many;
static uint64_t seed;

static void
begin(void)
{
	CHECK_INT(pool_create("test", 2, &pool), 0);
	CHECK_INT(sql_setup(), 0);
	plainly = (struct cursor_opts){.deadline = USEC_NEVER, .compute = pool};
}

static void
finish(void)
{
	pool_destroy(pool);
}

TestSuite(layers, .init = begin, .fini = finish);

/* Links to one inode are of one size, as on a disk: which of them is the first in the order of the
 * index hangs on the layers. */
static void
plant_both(uint32_t n)
{
	seed++;
	forest_one_size = true;
	forest_grow(&forest, seed, n);
	one = forest.snapshot;
	many = layered_snapshot(&forest);
}

static void
fell_both(void)
{
	snapshot_unref(many);
	forest_fell(&forest);
}

static void
check_lines(struct lines *a, struct lines *b, bool sorted, const char *what)
{
	if (!sorted && a->n > 0)
		qsort(a->line, a->n, sizeof(char *), by_text);
	if (!sorted && b->n > 0)
		qsort(b->line, b->n, sizeof(char *), by_text);
	for (size_t i = 0; i < MIN(a->n, b->n); i++)
		CHECK_SAY(strcmp(a->line[i], b->line[i]) == 0,
			"seed %llu, %s, line %zu: \"%s\" with one layer, \"%s\" with several",
			(unsigned long long)seed, what, i, a->line[i], b->line[i]);
	CHECK_SAY(a->n == b->n, "seed %llu, %s: %zu lines with one layer, %zu with several",
		(unsigned long long)seed, what, a->n, b->n);
	lines_fini(a);
	lines_fini(b);
}

/* Every field of an entry. */
static void
add_entry(struct lines *l, const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	struct strbuf out = {0};

	for (int f = 0; f < N_FIELDS; f++) {
		int64_t number = 0;

		CHECK_INT(field_value(s, layer, entry, (enum field)f, &out, &number), 0);
		if (field_kind((enum field)f) != FIELD_TEXT)
			(void)strbuf_i64(&out, number);
		(void)strbuf_putc(&out, ' ');
	}
	lines_add(l, out.data);
	strbuf_fini(&out);
}

static const char *const terms[] = {"a", "foo", "FOO", "k", "\xc3\xa9", "\"a b\"", "b/", "/a",
	"o/b", "a/Foo", "foo/", "/foo.c", "b/a/fo", "/k/x", "T\xc3\x89/f", "bad\xff.c", "name:foo",
	"*.c", "a*", "name:?", "a/*.c", "/a/*", "foo/f*", "/^a.*c$/", "path:/o[/]b/",
	"name:/oo|^a/", "/foo.*a/", "ext:c", "type:f", "type:d", "empty:", "in:/r/one", "in:/r/",
	"in:/r/one/a", "in:foo", "in:/r/two/Foo", "depth:2", "depth:<3", "depth:0", "size:>9000",
	"mtime:<900d", "user:1", "user:7", "perm:644", "links:>2", "inode:1007", "root:one",
	"lang:c", "junk", "name:nothing"};

/* A question of one to three terms, some of them denied. */
static void
question(char *out, size_t size)
{
	uint32_t n = 1 + roll(3);
	bool any = roll(3) == 0;

	*out = '\0';
	for (uint32_t i = 0; i < n; i++) {
		size_t len = strlen(out);

		(void)snprintf(out + len, size - len, "%s%s%s",
			i == 0 ? ""
			: any  ? " | "
			       : " ",
			roll(4) == 0 ? "-" : "", terms[roll(ARRAY_LEN(terms))]);
	}
}

static void
search(const struct snapshot *s, const char *text, const struct cursor_opts *opts, struct lines *l)
{
	struct cursor *c = ask_cursor((struct snapshot *)(uintptr_t)s, text, opts);
	struct cursor_stats st;
	struct hit hit;
	int r;

	while ((r = cursor_next(c, &hit)) == 1)
		add_entry(l, s, hit.layer, hit.entry);
	CHECK_INT(r, 0);
	cursor_get_stats(c, &st);
	if (opts->count_exact || opts->limit == 0) {
		char total[64];

		CHECK(st.total_exact);
		(void)snprintf(total, sizeof(total), "of %llu", (unsigned long long)st.total);
		lines_add(l, total);
	}
	cursor_close(c);
}

TEST(layers, a_question_finds_the_same_entries)
{
	for (unsigned long i = MAX(test_scale(250), 2ul); i > 0; i--) {
		plant_both(i % 8 ? 300 : 5000); /* at times more than a chunk */
		for (uint32_t k = 0; k < 2 * ARRAY_LEN(terms); k++) {
			struct cursor_opts opts = plainly;
			struct lines a = {0}, b = {0};
			char text[200];

			opts.compute = k % 2 ? pool : NULL;
			if (k < ARRAY_LEN(terms))
				(void)snprintf(text, sizeof(text), "%s", terms[k]);
			else
				question(text, sizeof(text));
			search(one, text, &opts, &a);
			search(many, text, &opts, &b);
			check_lines(&a, &b, false, text);
		}
		fell_both();
	}
}

TEST(layers, an_order_is_the_same_whole_and_in_part)
{
	static const char *const keys[] = {"path", "dir,name:desc,root", "path:desc",
		"size:desc,path", "mtime,path", "depth,path:desc", "ext,path", "name,path",
		"inode,links:desc,path", "blocks,path"};

	for (unsigned long i = MAX(test_scale(250), 2ul); i > 0; i--) {
		plant_both(i % 8 ? 300 : 5000); /* at times more than a chunk */
		for (uint32_t k = 0; k < 4 * ARRAY_LEN(keys); k++) {
			const char *key = keys[k % ARRAY_LEN(keys)];
			struct cursor_opts opts = plainly;
			struct lines a = {0}, b = {0};
			char text[200] = "";

			opts.n_sort = (uint32_t)query_sort_parse(span_of(key), opts.sort, NULL);
			opts.offset = k % 3 == 2 ? roll(20) : 0;
			opts.limit = k % 3 ? 1 + roll(40) : 0;
			opts.count_exact = k % 2;
			if (k % 4)
				question(text, sizeof(text));
			search(one, text, &opts, &a);
			search(many, text, &opts, &b);
			check_lines(&a, &b, true, key);
		}
		fell_both();
	}
}

static struct place
place_in(const struct snapshot *s, const char *path)
{
	struct place at;

	CHECK_SAY(snapshot_lookup(s, span_of(path), &at.layer, &at.entry) == 0,
		"seed %llu: %s is not there", (unsigned long long)seed, path);
	return at;
}

TEST(layers, a_path_is_there_or_is_not)
{
	for (unsigned long i = MAX(test_scale(300), 3ul); i > 0; i--) {
		plant_both(200);
		for (uint32_t k = 0; k < forest.n; k++) {
			const struct plant *p = &forest.plant[k];
			struct lines a = {0}, b = {0};
			struct place x, y;
			char path[2048];

			(void)snprintf(path, sizeof(path), "%s/%s", forest_roots[p->root], p->path);
			if (snapshot_lookup(one, span_of(path), &x.layer, &x.entry) == 0) {
				y = place_in(many, path);
				add_entry(&a, one, x.layer, x.entry);
				add_entry(&b, many, y.layer, y.entry);
				check_lines(&a, &b, true, path);
			}
			(void)snprintf(path, sizeof(path), "%s/%s%sjunk%u", forest_roots[p->root],
				p->path, p->path[0] ? "/" : "", k);
			CHECK_INT(
				snapshot_lookup(many, span_of(path), &y.layer, &y.entry), -ENOENT);
		}
		fell_both();
	}
}

static void
add_total(struct lines *l, const struct snapshot *s, struct place at, const struct total *t)
{
	struct strbuf out = {0};

	CHECK_INT(snapshot_path(s, at.layer, at.entry, &out), 0);
	(void)strbuf_printf(&out, " %llu %llu %llu", (unsigned long long)t->size,
		(unsigned long long)t->blocks, (unsigned long long)t->n_entries);
	lines_add(l, out.data);
	strbuf_fini(&out);
}

/* What du says of everything below a path. */
static void
du(const struct snapshot *s, const char *path, const struct totals_opts *opts, struct lines *l)
{
	struct total total;
	struct totals *t;
	struct tour tour;
	struct place at;
	int r;

	CHECK_INT(totals_open(s, opts, &t), 0);
	tour_init(&tour, s, t, place_in(s, path), UINT64_MAX, true);
	while ((r = tour_next(&tour, &at)) == 1) {
		CHECK_INT(totals_of(t, at, &total), 0);
		add_total(l, s, at, &total);
	}
	CHECK_INT(r, 0);
	tour_fini(&tour);
	totals_close(t);
}

TEST(layers, du_lists_the_same_with_the_same_sums)
{
	for (unsigned long i = MAX(test_scale(300), 3ul); i > 0; i--) {
		plant_both(200);
		for (unsigned k = 0; k < 4 * FOREST_ROOTS; k++) {
			struct totals_opts opts = {
				.every_link = k & 1, .one_device = k & 2, .halt = &plainly};
			struct lines a = {0}, b = {0};

			du(one, forest_roots[k / 4], &opts, &a);
			du(many, forest_roots[k / 4], &opts, &b);
			check_lines(&a, &b, true, "du");
		}
		fell_both();
	}
}

/* A few paths together, of any roots. */
static void
du_union(const struct snapshot *s, char (*path)[2048], size_t n, struct lines *l)
{
	struct totals_opts opts = {.halt = &plainly};
	struct total total;
	struct totals *t;
	struct place at[4];
	uint64_t unread;
	char text[64];

	for (size_t i = 0; i < n; i++)
		at[i] = place_in(s, path[i]);
	CHECK_INT(totals_open(s, &opts, &t), 0);
	CHECK_INT(totals_union(t, at, n, &total), 0);
	CHECK_INT(totals_unread(t, at, n, &unread), 0);
	add_total(l, s, at[0], &total);
	(void)snprintf(text, sizeof(text), "unread %llu", (unsigned long long)unread);
	lines_add(l, text);
	totals_close(t);
}

TEST(layers, several_paths_together_have_the_same_sum)
{
	for (unsigned long i = MAX(test_scale(1000), 10ul); i > 0; i--) {
		plant_both(100);
		for (unsigned k = 0; k < 20; k++) {
			struct lines a = {0}, b = {0};
			static char path[4][2048];

			for (size_t n = 0; n < ARRAY_LEN(path); n++) {
				const struct plant *p = &forest.plant[roll(forest.n)];
				struct place unused;

				(void)snprintf(path[n], sizeof(path[n]), "%s/%s",
					forest_roots[p->root], p->path);
				if (snapshot_lookup(one, span_of(path[n]), &unused.layer,
					    &unused.entry) < 0) /* in the nested root's place */
					n--;
			}
			du_union(one, path, 1 + k % 4, &a);
			du_union(many, path, 1 + k % 4, &b);
			check_lines(&a, &b, true, "several paths");
		}
		fell_both();
	}
}

static void
top(const struct snapshot *s, const char *path, const struct top_opts *opts, struct lines *l)
{
	struct totals_opts how = {.halt = &plainly};
	struct top_row *rows;
	uint64_t ranked;
	struct totals *t;
	char text[64];
	uint32_t n;

	CHECK_INT(totals_open(s, &how, &t), 0);
	CHECK_INT(top_rank(s, t, place_in(s, path), opts, &rows, &n, &ranked), 0);
	for (uint32_t i = 0; i < n; i++)
		add_total(l, s, rows[i].at, &rows[i].total);
	(void)snprintf(text, sizeof(text), "ranked %llu", (unsigned long long)ranked);
	lines_add(l, text);
	free(rows);
	totals_close(t);
}

TEST(layers, the_top_is_the_same)
{
	for (unsigned long i = MAX(test_scale(300), 3ul); i > 0; i--) {
		plant_both(200);
		for (unsigned k = 0; k < 24; k++) {
			struct top_opts opts = {.by = (enum top_key)(k % 3),
				.kind = (enum top_kind)(k / 3 % 3),
				.max_depth = roll(4),
				.n = TOP_MAX_ROWS, /* equal ones are in the order of the layers */
				.halt = &plainly};
			struct lines a = {0}, b = {0};

			top(one, forest_roots[k % FOREST_ROOTS], &opts, &a);
			top(many, forest_roots[k % FOREST_ROOTS], &opts, &b);
			check_lines(&a, &b, false, "top");
		}
		fell_both();
	}
}

static void
tally(struct snapshot *s, const char *text, const struct tally_opts *what, enum tally_sort sort,
	struct lines *l)
{
	struct query *q = ask(text);
	struct tally *t;

	CHECK_INT(tally_create(q, s, &plainly, what, &t), 0);
	CHECK_INT(tally_order(t, &plainly, sort), 0);
	for (uint32_t i = 0; i < tally_len(t); i++) {
		struct strbuf key = {0};
		struct tally_sum sum;

		CHECK_INT(tally_at(t, i, &key, &sum), 0);
		(void)strbuf_printf(&key, " %llu %llu %llu", (unsigned long long)sum.n,
			(unsigned long long)sum.size, (unsigned long long)sum.blocks);
		lines_add(l, key.data);
		strbuf_fini(&key);
	}
	tally_destroy(t);
	query_unref(q);
}

TEST(layers, groups_are_the_same_in_the_same_order)
{
	static const enum tally_by bys[] = {TALLY_NONE, TALLY_EXT, TALLY_TYPE, TALLY_USER,
		TALLY_AGE, TALLY_SIZE, TALLY_ROOT, TALLY_DIR};

	for (unsigned long i = MAX(test_scale(250), 2ul); i > 0; i--) {
		plant_both(i % 8 ? 300 : 5000); /* at times more than a chunk */
		for (unsigned k = 0; k < 10 * ARRAY_LEN(bys); k++) {
			struct tally_opts what = {.by = bys[k % ARRAY_LEN(bys)],
				.depth = roll(2) ? roll(4) : UINT64_MAX,
				.now_ns = 4000ll * 86400 * NSEC_PER_SEC};
			enum tally_sort sort = (enum tally_sort)roll(4);
			struct lines a = {0}, b = {0};
			char text[200];

			question(text, sizeof(text));
			tally(one, text, &what, sort, &a);
			tally(many, text, &what, sort, &b);
			check_lines(&a, &b, true, text);
		}
		fell_both();
	}
}

static void
plan(struct snapshot *s, const char *text, struct lines *l)
{
	struct query *q = ask(text);
	struct explain *x;
	char line[160];

	CHECK_INT(explain_create(q, s, &plainly, true, &x, NULL), 0);
	(void)snprintf(line, sizeof(line), "%llu of %llu, %llu found",
		(unsigned long long)x->n_entries, (unsigned long long)x->n_all,
		(unsigned long long)x->stats.n);
	lines_add(l, line);
	for (uint32_t i = 0; i < x->n_steps; i++) {
		(void)snprintf(line, sizeof(line), "%s %llu", x->step[i].text,
			x->step[i].exact ? (unsigned long long)x->step[i].estimate : 0);
		lines_add(l, line);
	}
	explain_destroy(x);
	query_unref(q);
}

TEST(layers, a_plan_counts_what_is_there)
{
	for (unsigned long i = MAX(test_scale(250), 2ul); i > 0; i--) {
		plant_both(200);
		for (unsigned k = 0; k < ARRAY_LEN(terms); k++) {
			struct lines a = {0}, b = {0};

			plan(one, terms[k], &a);
			plan(many, terms[k], &b);
			check_lines(&a, &b, true, terms[k]);
		}
		fell_both();
	}
}

static const char *const statements[] = {
	"select * from files order by path, root",
	"select * from dirs order by path, root",
	"select count(*), sum(size), min(depth) from files",
	"select path, size from files where size > 9000 order by size desc, path",
	"select path from files where name like 'foo%' order by path",
	"select path from files where path like '%/a/%' order by path, root",
	"select path from files where path glob '/r/one/*a*' order by path, root",
	"select path from files where dir = '/r/one' order by path, root",
	"select path from files where dir = '/r/one/a' order by path, root",
	"select path, ino from (select path, inode as ino from files where path = '/r/two/foo')",
	"select path, n_children from dirs where dir = '/r/one' order by path, root",
	"select path, size, n_entries, n_dirs from dirs where path = '/r/one'",
	"select path, blocks, n_entries from dirs('/r/two') order by path",
	"select path from files('/r/one/a') order by path",
	"select f.path from dirs d, files(d.path) f where d.depth = 1 order by f.path, f.root",
	"select ext, count(*), sum(size) from files group by ext order by ext",
	"select dir, count(*) from files group by dir order by dir",
	"select user, count(*) from files where type = 'f' group by user order by user",
};

static void
run(struct snapshot *s, const char *statement, struct lines *l)
{
	struct strbuf row = {0};
	struct err err = {0};
	struct sql *q;
	int r;

	CHECK_SAY(sql_open(s, span_of(statement), &plain, &q, &err) == 0, "%s: %s", statement,
		err.what);
	while ((r = sql_next(q, &err)) == 1) {
		strbuf_reset(&row);
		for (uint32_t i = 0; i < sql_columns(q); i++) {
			struct sql_value v;

			sql_get(q, i, &v);
			put_value(&row, &v);
			(void)strbuf_putc(&row, '|');
		}
		lines_add(l, row.data);
	}
	CHECK_INT(r, 0);
	sql_close(q);
	strbuf_fini(&row);
}

TEST(layers, statements_give_the_same_rows)
{
	for (unsigned long i = MAX(test_scale(300), 3ul); i > 0; i--) {
		plant_both(200);
		for (unsigned k = 0; k < ARRAY_LEN(statements); k++) {
			struct lines a = {0}, b = {0};

			run(one, statements[k], &a);
			run(many, statements[k], &b);
			check_lines(&a, &b, true, statements[k]);
		}
		fell_both();
	}
}
