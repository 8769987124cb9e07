#include "grown_layer.h"

#include "query/dupe.h"
#include "query/names.h"
#include "sync/par.h"
#include "text/mapfile.h"

/* What is read from disk is found by its layer, and under the settings of its root. */

static char *dir, *other, *store, *other_store;
static struct snapshot *fresh, *layered;
static struct pool *pool, *io;

static void
begin(void)
{
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 2, &pool), 0);
	io = pool;
	dir = test_dir();
	other = test_dir();
	store = test_dir();
	other_store = test_dir();
}

static void
finish(void)
{
	pool_destroy(pool);
	snapshot_unref(fresh);
	snapshot_unref(layered);
	test_dir_remove(other_store);
	test_dir_remove(store);
	test_dir_remove(other);
	test_dir_remove(dir);
}

TestSuite(layer_contents, .init = begin, .fini = finish);

static uint32_t
put_file(struct tree_change *c, uint32_t at, const char *above, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s%s", dir, above, name);
	return grown_put(c, at, path, name);
}

/* The root of `s` and one whose contents are not searched, with numbers that are not their layers'.
 */
static struct snapshot *
beside_another(struct snapshot *s, struct tree_stack *stack)
{
	struct snapshot *unread = grown_snapshot(other, other_store);
	struct snapshot *both = snapshot_create(2);

	both->roots[0] = (struct snap_root){.name = strdup("grown"),
		.path = strdup(dir),
		.stack = stack,
		.content = true,
		.content_max_bytes = UINT64_MAX};
	both->roots[1] = (struct snap_root){.name = strdup("other"),
		.path = strdup(other),
		.stack = tree_stack_ref(unread->roots[0].stack)};
	snapshot_seal(both);
	snapshot_unref(unread);
	snapshot_unref(s);
	return both;
}

/* Files in the base that stay, change and go, and new ones above. */
static void
grow_both(void)
{
	struct snapshot *base;
	struct tree_change *c;
	struct tree_stack *stack;
	struct tree_at at;
	uint32_t number;
	char path[4096];

	test_write(other, "unread", "needle\n");
	test_write(dir, "a/stays", "a needle\nand more\n");
	test_write(dir, "a/goes", "a needle that goes\n");
	test_write(dir, "b/changes", "no such word\n");
	test_write(dir, "twin", "two of a kind\n");
	base = grown_snapshot(dir, store);
	stack = base->roots[0].stack;
	(void)snprintf(path, sizeof(path), "%s/a/goes", dir);
	CHECK_INT(unlink(path), 0);
	test_write(dir, "b/changes", "now a needle\n");
	test_write(dir, "a/comes", "a needle\nof a second layer\n");
	test_write(dir, "a/twin", "two of a kind\n");
	test_write(dir, "A/first", "a needle in a new place\n");
	CHECK_INT(tree_change_create(stack, &c), 0);
	CHECK_INT(tree_stack_lookup(stack, SPAN_LIT("a"), &at), 0);
	CHECK_INT(tree_change_dir(c, 0, tree_dir(tree_stack_cols(stack, 0), at.entry), &number), 0);
	(void)put_file(c, number, "a/", "comes");
	(void)put_file(c, number, "a/", "twin");
	CHECK_INT(tree_change_kill(c, number, SPAN_LIT("goes")), 0);
	CHECK_INT(tree_stack_lookup(stack, SPAN_LIT("b"), &at), 0);
	CHECK_INT(tree_change_dir(c, 0, tree_dir(tree_stack_cols(stack, 0), at.entry), &number), 0);
	(void)put_file(c, number, "b/", "changes");
	/* A directory that takes the number of another one of the base. */
	number = put_file(c, TREE_CHANGE_ROOT, "", "A");
	CHECK_INT(tree_change_read(c, number, 0), 0);
	(void)put_file(c, number, "A/", "first");
	layered = beside_another(base, grown_upon(stack, c));
	tree_change_destroy(c);
	fresh = grown_snapshot(dir, store);
	fresh = beside_another(fresh, tree_stack_ref(fresh->roots[0].stack));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The answers, sorted; of grep each line, with its place. */
static void
answers(struct snapshot *s, const char *text, const struct pattern *grep, struct strbuf *out)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .io = io, .compute = io, .grep = grep};
	struct query_env env = {0};
	struct path_maker paths = {0};
	VEC(char *) lines = {0};
	struct cursor_stats st;
	struct query *q;
	struct cursor *c;
	struct hit hit;
	int r;

	CHECK_INT(query_parse(span_of(text), &env, &q, NULL), 0);
	CHECK_INT(cursor_open(q, s, &opts, &c, NULL), 0);
	query_unref(q);
	while ((r = cursor_next(c, &hit)) == 1) {
		struct span path;
		char *line = NULL;

		CHECK_INT(path_make(&paths, s, hit.layer, hit.entry, &path), 0);
		CHECK(asprintf(&line, "%.*s:%u:%.*s\n", (int)path.len, path.data,
			      grep ? (unsigned)hit.line : 0, grep ? (int)hit.text.len : 0,
			      grep ? hit.text.data : "") > 0);
		CHECK_INT(VEC_PUSH(&lines, line), 0);
	}
	CHECK_INT(r, 0);
	cursor_get_stats(c, &st);
	cursor_close(c);
	qsort(lines.data, lines.len, sizeof(char *), by_text);
	VEC_EACH (&lines, line) {
		CHECK_INT(strbuf_puts(out, *line), 0);
		free(*line);
	}
	CHECK_INT(strbuf_printf(out, "gone %u, off %u\n", (unsigned)st.skipped.gone,
			  (unsigned)st.skipped.off),
		0);
	VEC_FINI(&lines);
	path_maker_fini(&paths);
}

static void
check_same(const char *text, const struct pattern *grep, size_t n_lines)
{
	struct strbuf a = {0}, b = {0};
	size_t n = 0;

	answers(fresh, text, grep, &a);
	answers(layered, text, grep, &b);
	CHECK_STR(b.data, a.data);
	for (const char *p = a.data; *p; p++)
		n += *p == '\n';
	CHECK_INT(n, n_lines + 1);
	strbuf_fini(&a);
	strbuf_fini(&b);
}

TEST(layer_contents, files_of_all_layers_are_read_where_they_are)
{
	struct pattern *grep;

	grow_both();
	CHECK_INT(layered->n_layers, 3);
	check_same("content:needle", NULL, 4);
	check_same("content:needle in:a", NULL, 2);
	check_same("type:f -content:needle", NULL, 2);
	check_same("dupe:", NULL, 2);
	CHECK_INT(pattern_create(SPAN_LIT("e"), 0, &grep, NULL), 0);
	check_same("", grep, 6);
	io = NULL; /* one reader for all */
	check_same("", grep, 6);
	check_same("name:comes | name:changes", grep, 3);
	pattern_destroy(grep);
}
