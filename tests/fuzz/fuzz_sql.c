/* A statement over a small tree: whatever it says, it ends, with rows or one sentence. */
#include "fuzz.h"
#include "one_stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/snapshot.h"
#include "index/tree_build.h"
#include "query/sql.h"

#define N_NAMES 24u
#define MOST_ROWS 2000

static struct tree_input
entry(uint32_t i, const char *name)
{
	return (struct tree_input){.name = span_of(name),
		.mode = i % 5 == 4   ? S_IFDIR | 0755u
	                : i % 7 == 6 ? S_IFLNK | 0777u
	                             : S_IFREG | 0644u,
		.uid = i % 3,
		.gid = i % 2,
		.nlink = 1 + i % 2,
		.ino = 100 + i / 2,
		.size = (uint64_t)i * i * 37,
		.blocks = i,
		.mtime_ns = (int64_t)i * 3000000000000007ll - 6000000000000000ll,
		.ctime_ns = (int64_t)i * 1000000000ll,
		.dir = i % 5 == 4 ? i / 5 + 1 : TREE_BUILD_NO_DIR};
}

/* The root and four directories, each with every fifth name or with all. */
static struct tree *
build_tree(int dirfd)
{
	static const char *const names[N_NAMES] = {"-a", "A.c", "Foo", "a", "a b", "a.b.c", "a.c",
		"b", "bad\xff", "bar.h", "c", "d", "e\"q", "f%", "f'q", "f_o", "foo", "foo.c", "g",
		"k", "x.h", "x\\y", "z", "\xc3\xa9"};
	struct tree_input in[N_NAMES], root = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint64_t bytes;
	int r = tree_builder_create(&root, &b);

	for (uint32_t i = 0; i < N_NAMES; i++)
		in[i] = entry(i, names[i]);
	r = r < 0 ? r : tree_builder_add(b, 0, in, N_NAMES, false);
	for (uint32_t i = 0; i < N_NAMES; i++) {
		in[i].dir = TREE_BUILD_NO_DIR;
		in[i].mode = S_IFREG | 0600;
	}
	for (uint32_t d = 1; d <= 4 && r == 0; d++)
		r = tree_builder_add(b, d, in + d, d * 4, false);
	r = r < 0 ? r : tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL);
	assert(r == 0);
	tree_builder_destroy(b);
	r = tree_open(dirfd, "t", &tree, NULL);
	assert(r == 0);
	(void)unlinkat(dirfd, "t", 0);
	return tree;
}

static struct snapshot *
build_snapshot(void)
{
	char dir[] = "/tmp/fuzz-sql-XXXXXX";
	int dirfd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct snapshot *s = snapshot_create(2);

	assert(dirfd >= 0 && s);
	s->roots[0] = (struct snap_root){.id = 1,
		.name = strdup("one"),
		.path = strdup("/r/one"),
		.stack = one_stack(build_tree(dirfd))};
	s->roots[1] = (struct snap_root){.id = 2, .name = strdup("none"), .path = strdup("/none")};
	snapshot_seal(s);
	(void)close(dirfd);
	(void)rmdir(dir);
	return s;
}

static int
drain(struct sql *q, struct err *err)
{
	struct sql_value v;
	int r, n = 0;

	while ((r = sql_next(q, err)) == 1 && n++ < MOST_ROWS) {
		for (uint32_t i = 0; i < sql_columns(q); i++) {
			sql_get(q, i, &v);
			assert(v.bytes.len <= SQL_VALUE_BYTES);
			assert(sql_column_name(q, i) != NULL);
		}
	}
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct snapshot *snapshot; /* for the whole run */
	struct sql_opts opts = {
		.deadline = clock_deadline(100 * USEC_PER_MSEC), .memory_bytes = 8 << 20};
	struct sql *q = NULL;
	struct err err = {0};
	int r;

	if (!snapshot)
		snapshot = build_snapshot();
	r = sql_open(snapshot, (struct span){(const char *)data, size}, &opts, &q, &err);
	if (r == 0)
		r = drain(q, &err);
	assert(r == 0 || r == 1 || r == -EINVAL || r == -E2BIG || r == -ETIMEDOUT);
	assert(r >= 0 || (err.what[0] && err.code == r && err.pos <= size + 1));
	sql_close(q);
	return 0;
}
