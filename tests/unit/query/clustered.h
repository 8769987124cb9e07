/**
 * clustered: a snapshot of one root with many blocks of entries, whose values lie together as in
 * real trees: most directories hold files of one age, size and owner, some hold anything.
 *
 * So the bounds of blocks decide often, but not always, for and against.
 */
#pragma once

#include "forest.h"

#define CLUSTERED static __attribute__((unused))

struct clustered {
	struct snapshot *snapshot;
	const struct tree_cols *cols;
	char *dir;
};

/* What the files of a directory are around. */
struct cluster {
	uint64_t size, ino;
	int64_t mtime_ns, ctime_ns;
	uint32_t mode, uid, gid, nlink;
	bool mixed;
};

CLUSTERED struct cluster
cluster_roll(void)
{
	static const uint32_t modes[] = {0644, 0755, 0600};
	struct cluster k = {.uid = roll(4), .gid = roll(3), .mode = modes[roll(3)]};

	k.size = roll(3) ? roll(1 << 20) : 0;
	k.ino = 1000ull * (1 + roll(500));
	/* Before 1970, too. */
	k.mtime_ns = ((int64_t)roll(5000) - 1000) * 86400 * NSEC_PER_SEC;
	k.ctime_ns = (int64_t)roll(4000) * 86400 * NSEC_PER_SEC;
	k.nlink = roll(5) ? 1 : 1 + roll(4);
	k.mixed = roll(4) == 0;
	return k;
}

CLUSTERED struct tree_input
cluster_file(const struct cluster *around, char *name)
{
	struct cluster k = around->mixed && roll(2) ? cluster_roll() : *around;
	uint32_t kind = roll(60);

	return (struct tree_input){
		.name = span_of(name),
		.mode = k.mode | (kind == 0          ? S_IFLNK
					 : kind == 1 ? S_IFIFO
						     : S_IFREG),
		.uid = k.uid,
		.gid = k.gid,
		.nlink = k.nlink,
		.dev = 1,
		.ino = k.ino + roll(500),
		.size = k.size ? k.size + roll(5000) : 0,
		.blocks = roll(100),
		.mtime_ns = k.mtime_ns + (int64_t)roll(1000000) * 1000,
		.ctime_ns = k.ctime_ns + (int64_t)roll(1000000) * 1000,
		.dir = TREE_BUILD_NO_DIR,
	};
}

/* Sub-directories d<n> first, then files f<n>: so names ascend. Numbers of directories are given
 * from *n_dirs on; one that has no listing is not entered. */
CLUSTERED void
cluster_list(struct tree_builder *b, uint64_t dir, uint64_t *n_dirs, unsigned depth, uint32_t share)
{
	uint32_t n_files = roll(8) == 0 ? 0 : share / 4 + roll(share);
	uint32_t n_sub = depth == 0 ? 0 : roll(5) + (dir == 0) * 4;
	struct tree_input *in = calloc(n_files + n_sub + 1, sizeof(*in));
	char(*names)[16] = calloc(n_files + n_sub + 1, sizeof(*names));
	struct cluster around = cluster_roll();
	uint64_t first = *n_dirs;

	for (uint32_t i = 0; i < n_sub + n_files; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%c%05u", i < n_sub ? 'd' : 'f', i);
		in[i] = cluster_file(&around, names[i]);
		if (i >= n_sub)
			continue;
		in[i].mode = S_IFDIR | 0755;
		in[i].dir = (*n_dirs)++;
	}
	CHECK_INT(tree_builder_add(b, dir, in, n_sub + n_files, false), 0);
	for (uint32_t i = 0; i < n_sub; i++) {
		if (roll(10) > 0)
			cluster_list(b, first + i, n_dirs, depth - 1, share);
	}
	free(in);
	free(names);
}

CLUSTERED void
clustered_grow(struct clustered *t, uint64_t seed, uint32_t share)
{
	struct tree_input root = {.mode = S_IFDIR | 0755, .size = 4096, .ino = 2, .nlink = 3};
	struct tree_builder *b;
	struct tree *tree;
	uint64_t bytes, n_dirs = 1;

	forest_seed = seed * 0x9e3779b97f4a7c15ull + 1;
	t->dir = test_dir();
	t->snapshot = snapshot_create(1);
	AUTO(closep) int dirfd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(tree_builder_create(&root, &b), 0);
	cluster_list(b, 0, &n_dirs, 4, share);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	t->snapshot->roots[0] = (struct snap_root){.name = strdup("r"), .path = strdup("/r")};
	CHECK_INT(tree_open(dirfd, "t", &tree, NULL), 0);
	t->snapshot->roots[0].stack = one_stack(tree);
	snapshot_seal(t->snapshot);
	t->cols = snapshot_cols(t->snapshot, 0);
}

CLUSTERED void
clustered_fell(struct clustered *t)
{
	snapshot_unref(t->snapshot);
	test_dir_remove(t->dir);
}
