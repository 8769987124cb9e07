/**
 * grown: a snapshot of a real directory, made without the walk.
 */
#pragma once

#include "index/snapshot.h"
#include "index/tree_build.h"
#include "one_stack.h"
#include "query/query.h"
#include "test.h"

#include "base/fd.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROWN static __attribute__((unused))

struct grown_dir {
	char *path;
	uint64_t number;
};

GROWN struct tree_input
grown_input(const char *path, const char *name, uint64_t *n_dirs)
{
	struct stat st;

	CHECK_SAY(lstat(path, &st) == 0, "lstat %s", path);
	return (struct tree_input){
		.name = span_of(strdup(name)),
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.nlink = (uint32_t)st.st_nlink,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.mtime_ns = clock_ns(st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec),
		.ctime_ns = clock_ns(st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec),
		.dir = S_ISDIR(st.st_mode) ? (*n_dirs)++ : TREE_BUILD_NO_DIR,
	};
}

GROWN int
grown_by_name(const void *a, const void *b)
{
	return strcmp(((const struct tree_input *)a)->name.data,
		((const struct tree_input *)b)->name.data);
}

GROWN void
grown_list(struct tree_builder *b, const char *path, uint64_t number, uint64_t *n_dirs)
{
	VEC(struct tree_input) in = {0};
	DIR *dir = opendir(path);
	struct dirent *de;
	char below[4096];

	CHECK(dir != NULL);
	while ((de = readdir(dir))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		(void)snprintf(below, sizeof(below), "%s/%s", path, de->d_name);
		CHECK_INT(VEC_PUSH(&in, grown_input(below, de->d_name, n_dirs)), 0);
	}
	(void)closedir(dir);
	if (in.len > 1)
		qsort(in.data, in.len, sizeof(*in.data), grown_by_name);
	CHECK_INT(tree_builder_add(b, number, in.data, in.len, false), 0);
	VEC_EACH (&in, i) {
		if (i->dir != TREE_BUILD_NO_DIR) {
			(void)snprintf(below, sizeof(below), "%s/%s", path, i->name.data);
			grown_list(b, below, i->dir, n_dirs);
		}
		free((void *)(uintptr_t)i->name.data);
	}
	VEC_FINI(&in);
}

/* The segment stands in `store`, outside of `path`. */
GROWN struct snapshot *
grown_snapshot(const char *path, const char *store)
{
	AUTO(closep) int dirfd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot *s = snapshot_create(1);
	uint64_t n_dirs = 0, bytes;
	struct tree_input root = grown_input(path, "", &n_dirs);
	struct tree_builder *b;
	struct tree *tree;
	struct err err = {0};

	CHECK_INT(tree_builder_create(&root, &b), 0);
	free((void *)(uintptr_t)root.name.data);
	grown_list(b, path, 0, &n_dirs);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, &err), 0);
	tree_builder_destroy(b);
	s->roots[0] = (struct snap_root){.name = strdup("grown"),
		.path = strdup(path),
		.content = true,
		.content_max_bytes = UINT64_MAX};
	CHECK_INT(tree_open(dirfd, "t", &tree, &err), 0);
	s->roots[0].stack = one_stack(tree);
	snapshot_seal(s);
	return s;
}
