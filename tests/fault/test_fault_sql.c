/* SQL: a few statements from first to last row, with each allocation failing, those of SQLite with
 * them: its allocator is ours. A statement ends with all its rows or with -ENOMEM. */
#include "fault.h"
#include "one_stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/snapshot.h"
#include "index/tree_merge.h"
#include "query/sql.h"
#include "sync/epoch.h"

#define N_FILES 300u
#define LINKED 5u /* number of a file that has a second link in the layer, of the same size */

static struct snapshot *snap;

static struct tree *
build_tree(int dirfd)
{
	static struct tree_input in[N_FILES];
	static char names[N_FILES][16];
	struct tree_input root = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint64_t bytes;

	for (uint32_t i = 0; i < N_FILES; i++) {
		in[i] = (struct tree_input){.mode = S_IFREG | 0644,
			.nlink = i == LINKED ? 2 : 1,
			.ino = i + 10,
			.size = i % 7,
			.dir = TREE_BUILD_NO_DIR};
		in[i].name.data = names[i];
		in[i].name.len = (size_t)snprintf(names[i], sizeof(names[i]), "f%06u", i);
	}
	FAULT_CHECK(tree_builder_create(&root, &b) == 0);
	FAULT_CHECK(tree_builder_add(b, 0, in, N_FILES, false) == 0);
	FAULT_CHECK(tree_builder_write(b, dirfd, "t.tree", NULL, &bytes, NULL) == 0);
	tree_builder_destroy(b);
	FAULT_CHECK(tree_open(dirfd, "t.tree", &tree, NULL) == 0);
	return tree;
}

/* One file of the base told anew, as a link to another one. */
static struct tree_stack *
add_layer(struct tree_stack *base)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_input in = {.name = SPAN_LIT("f000012"),
		.mode = S_IFREG | 0644,
		.nlink = 2,
		.ino = LINKED + 10,
		.size = LINKED,
		.dir = TREE_BUILD_NO_DIR};
	struct tree_open_opts opts = {.flags = TREE_OPEN_WRITTEN};
	struct tree_merge m = {.stack = base, .from = 1};
	struct tree_stack *stack = NULL;
	struct tree *top = NULL;
	uint64_t bytes;

	FAULT_CHECK(fd >= 0 && tree_change_create(base, &m.change) == 0);
	FAULT_CHECK(tree_change_put(m.change, TREE_CHANGE_ROOT, &in, NULL) == 0);
	FAULT_CHECK(tree_merge_fd(&m, fd, &bytes, NULL) == 0);
	FAULT_CHECK(tree_open_fd(fd, "layer", &opts, &top, NULL) == 0);
	FAULT_CHECK(tree_merge_stack(base, 1, top, &stack, NULL) == 0);
	tree_change_destroy(m.change);
	tree_unref(top);
	tree_stack_unref(base);
	(void)close(fd);
	return stack;
}

static void
setup(void *arg)
{
	int dirfd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	FAULT_CHECK(sql_setup() == 0);
	snap = snapshot_create(1);
	snap->roots[0] = (struct snap_root){
		.id = 1,
		.name = strdup("t"),
		.path = strdup("/t"),
		.stack = add_layer(one_stack(build_tree(dirfd))),
	};
	snapshot_seal(snap);
	(void)close(dirfd);
}

static void
teardown(void *arg)
{
	(void)arg;
	FAULT_CHECK(arc_refs(&snap->shared.arc) == 1);
	snapshot_unref(snap);
	(void)epoch_flush();
}

struct statement {
	const char *text;
	uint64_t n_rows;
};

static int
run(void *arg)
{
	const struct statement *s = arg;
	const struct sql_opts opts = {.deadline = USEC_NEVER};
	struct sql *q = NULL;
	struct sql_value v;
	struct err err = {0};
	uint64_t n = 0;
	int r = sql_open(snap, span_of(s->text), &opts, &q, &err);

	while (r >= 0 && (r = sql_next(q, &err)) == 1) {
		for (uint32_t i = 0; i < sql_columns(q); i++)
			sql_get(q, i, &v);
		n++;
	}
	sql_close(q);
	FAULT_CHECK(r == 0 || err.what[0]);
	FAULT_CHECK(r < 0 || n == s->n_rows);
	return r;
}

static struct statement statements[] = {
	{"select path, size from files where size > 2 and name like '%00%'", 171},
	{"select name, size from files where size in (1, 2, 6) order by size desc, name", 128},
	{"select size, group_concat(name) from files('/t') where path glob '/t/f*' group by size",
		7},
	{"select d.path, f.path from dirs d join files f on f.dir = d.path where f.ext = ''", 300},
	{"with recursive n(i) as (values(1) union all select i + 1 from n where i < 500) "
	 "select distinct hex(i) from n order by 1",
		500},
	{"select size, n_dirs, n_children from dirs", 1},
};

#define STATEMENT(i)                                                                        \
	{                                                                                   \
		.name = "statement " #i, .run = run, .arg = &statements[i], .setup = setup, \
		.teardown = teardown, .kinds = FAULT_MEMORY, .flags = FAULT_NEEDS_DIR,      \
		.min_calls = 50                                                             \
	}

static const struct fault_case cases[] = {
	STATEMENT(0), STATEMENT(1), STATEMENT(2), STATEMENT(3), STATEMENT(4), STATEMENT(5)};

FAULT_MAIN(cases)
