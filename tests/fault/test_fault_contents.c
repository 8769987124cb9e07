/* Contents asked through text segments: a view of them, and questions over it, with each allocation
 * failing. A question ends with all its answers or with an error. */
#include "fault.h"
#include "one_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "gram/gram.h"
#include "index/snapshot.h"
#include "index/text_builder.h"
#include "index/tree_build.h"
#include "query/explain.h"
#include "sync/epoch.h"

#define N_FILES 60u
#define N_KNOWN 40u /* the others are pending */

static struct snapshot *snap;
static struct text *texts[2];

static bool
holds_word(uint32_t i)
{
	return i % 3 == 0;
}

static struct stat
write_file(int dirfd, uint32_t i, char name[16])
{
	int fd;
	struct stat st;

	(void)snprintf(name, 16, "f%03u", i);
	fd = openat(dirfd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	FAULT_CHECK(fd >= 0);
	FAULT_CHECK(write(fd, holds_word(i) ? "a needle\n" : "nothing.\n", 9) == 9);
	FAULT_CHECK(fstat(fd, &st) == 0);
	(void)close(fd);
	return st;
}

static struct tree *
build_tree(int dirfd, struct stat *st)
{
	static struct tree_input in[N_FILES];
	static char names[N_FILES][16];
	struct tree_input root = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint64_t bytes;

	for (uint32_t i = 0; i < N_FILES; i++) {
		st[i] = write_file(dirfd, i, names[i]);
		in[i] = (struct tree_input){.name = span_of(names[i]),
			.mode = S_IFREG | 0644,
			.nlink = 1,
			.ino = st[i].st_ino,
			.dev = st[i].st_dev,
			.size = 9,
			.mtime_ns = i,
			.dir = TREE_BUILD_NO_DIR};
	}
	FAULT_CHECK(tree_builder_create(&root, &b) == 0);
	FAULT_CHECK(tree_builder_add(b, 0, in, N_FILES, false) == 0);
	FAULT_CHECK(tree_builder_write(b, dirfd, "tree", NULL, &bytes, NULL) == 0);
	tree_builder_destroy(b);
	FAULT_CHECK(tree_open(dirfd, "tree", &tree, NULL) == 0);
	return tree;
}

static void
add_known(struct text_adder *a, struct gram_maker *m, const struct stat *st, uint32_t i)
{
	struct text_stamp stamp = {.dev = st->st_dev, .ino = st->st_ino, .size = 9, .mtime_ns = i};
	struct text_doc_in doc = {.order = i + 1, .hash.low = i};
	struct text_unit_in unit = {0};
	uint32_t id;

	FAULT_CHECK(gram_maker_add(m, span_of(holds_word(i) ? "a needle\n" : "nothing.\n")) == 0);
	FAULT_CHECK(gram_maker_end(m, &unit.grams, &unit.n_grams) == 0);
	FAULT_CHECK(text_add_unit(a, &unit) == 0);
	if (i % 8 == 0) { /* in two units, so that they are asked for */
		unit.offset_bytes = 5;
		unit.at_line = true;
		FAULT_CHECK(text_add_unit(a, &unit) == 0);
	}
	FAULT_CHECK(text_add_doc(a, &doc, &id) == 1);
	FAULT_CHECK(text_add_file(a, text_file_key(&stamp), id) == 0);
}

/* Files [lo, hi), which have the contents of these numbers. */
static struct text *
build_text(int dirfd, const char *name, const struct stat *st, uint32_t lo, uint32_t hi)
{
	struct text_builder_opts opts = {.n_symbols = 4, .n_adders = 1};
	struct text_open_opts open_opts = {0};
	struct text_written written;
	struct text_builder *b = NULL;
	struct gram_maker *m = NULL;
	struct text *t = NULL;

	FAULT_CHECK(text_builder_create(&opts, &b) == 0 && gram_maker_create(4, &m) == 0);
	for (uint32_t i = lo; i < hi; i++)
		add_known(text_builder_adder(b, 0), m, &st[i], i);
	FAULT_CHECK(text_builder_write(b, dirfd, name, lo, NULL, &written, NULL) == 0);
	text_builder_destroy(b);
	gram_maker_destroy(m);
	FAULT_CHECK(text_open(dirfd, name, &open_opts, &t, NULL) == 0);
	return t;
}

/* What is known, in two steps. */
static int
make_view(struct text_view **ret)
{
	struct text_view_opts opts = {.max_bytes = UINT64_MAX};
	struct text_set *sets[2] = {NULL, NULL};
	struct text_view *first = NULL;
	struct err err = {0};
	int r = text_set_create(texts, 1, &sets[0], &err);

	FAULT_CHECK(r == 0 || err.what[0]);
	if (r == 0)
		r = text_set_create(texts, 2, &sets[1], NULL);
	if (r == 0)
		r = text_view_create(snap->roots[0].stack, sets[0], &opts, &first);
	opts.before = first;
	if (r == 0)
		r = text_view_create(snap->roots[0].stack, sets[1], &opts, ret);
	text_view_unref(first);
	text_set_unref(sets[0]);
	text_set_unref(sets[1]);
	return r;
}

static void
setup(void *arg)
{
	int dirfd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static struct stat st[N_FILES];

	(void)arg;
	FAULT_CHECK(mapfile_setup() == 0);
	snap = snapshot_create(1);
	snap->roots[0] = (struct snap_root){.id = 1,
		.name = strdup("t"),
		.path = strdup(fault_dir()),
		.stack = one_stack(build_tree(dirfd, st)),
		.content = SNAP_CONTENT_INDEX,
		.content_max_bytes = UINT64_MAX};
	texts[0] = build_text(dirfd, "a", st, 0, N_KNOWN / 2);
	texts[1] = build_text(dirfd, "b", st, N_KNOWN / 2, N_KNOWN);
	FAULT_CHECK(make_view(&snap->roots[0].view) == 0);
	snapshot_seal(snap);
	(void)close(dirfd);
}

static void
teardown(void *arg)
{
	(void)arg;
	FAULT_CHECK(arc_refs(&snap->shared.arc) == 1);
	snapshot_unref(snap);
	text_unref(texts[0]);
	text_unref(texts[1]);
	(void)epoch_flush();
}

static int
run_view(void *arg)
{
	struct text_view *v = NULL;
	int r = make_view(&v);

	(void)arg;
	FAULT_CHECK(r < 0 || v->sums.n_pending == N_FILES - N_KNOWN);
	text_view_unref(v);
	return r;
}

struct question {
	const char *text, *grep;
	uint64_t n, n_read;
};

static int
run_cursor(struct query *q, const struct question *asked, const struct pattern *grep)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .grep = grep, .answer = GREP_LINES};
	struct cursor_stats st = {0};
	struct cursor *c = NULL;
	struct hit hit;
	int r = cursor_open(q, snap, &opts, &c, NULL);

	while (r >= 0 && (r = cursor_next(c, &hit)) == 1)
		;
	if (r == 0)
		cursor_get_stats(c, &st);
	FAULT_CHECK(r < 0 || (st.n == asked->n && st.n_verified == asked->n_read));
	cursor_close(c);
	return r;
}

static int
run_question(void *arg)
{
	const struct question *asked = arg;
	struct query_env env = {0};
	struct pattern *grep = NULL;
	struct query *q = NULL;
	int r = query_parse(span_of(asked->text), &env, &q, NULL);

	if (r == 0)
		r = pattern_create(span_of(asked->grep), 0, &grep, NULL);
	if (r == 0)
		r = run_cursor(q, asked, grep);
	pattern_destroy(grep);
	query_unref(q);
	return r;
}

static int
run_explain(void *arg)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct query_env env = {0};
	struct explain *x = NULL;
	struct query *q = NULL;
	int r = query_parse(SPAN_LIT("content:needle"), &env, &q, NULL);

	(void)arg;
	if (r == 0)
		r = explain_create(q, snap, &opts, true, &x, NULL);
	FAULT_CHECK(r < 0 || x->step[0].n_docs == 14);
	if (r == 0)
		explain_destroy(x);
	query_unref(q);
	return r;
}

/* Of 60 files 20 hold the word, of the 40 that are known 14. */
static struct question question = {
	"(name:*1 | content:needle content:/nee.le/) content:needle", "needle", 20, 34};

#define CASE(what, fn, of)                                                                \
	{                                                                                 \
		.name = what, .run = fn, .arg = of, .setup = setup, .teardown = teardown, \
		.kinds = FAULT_MEMORY, .flags = FAULT_NEEDS_DIR, .min_calls = 15,         \
	}

static const struct fault_case cases[] = {
	CASE("view", run_view, NULL),
	CASE("question", run_question, &question),
	CASE("explain", run_explain, NULL),
};
FAULT_MAIN(cases)
