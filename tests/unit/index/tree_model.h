/**
 * tree_model: a directory tree in plain structs, what a segment must hold of it, and how to make
 * one.
 *
 * Attributes follow from a node's index, so that a mixed-up column is seen.
 */
#pragma once

#include "index/tree_build.h"
#include "index/tree_format.h"
#include "test.h"

#include "base/fd.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL static __attribute__((unused))

enum fate {
	FATE_READ,
	FATE_LEFT_OUT, /* never announced as entered */
	FATE_VANISHED, /* announced; no listing came */
	FATE_FAILED,   /* announced; could not be read */
	FATE_BROKEN,   /* announced; its listing broke off after what the model has */
};

struct node {
	char name[TREE_NAME_MAX_BYTES + 1];
	uint32_t parent; /* index; the root's is its own */
	uint32_t n_children;
	bool dir;
	enum fate fate;  /* of a directory */
	uint64_t number; /* the walk's, of an announced directory */
};

struct model {
	VEC(struct node) nodes; /* parents come before children; 0 is the root */
	uint64_t n_numbers;
};

MODEL uint32_t
model_add(struct model *m, uint32_t parent, const char *name, bool dir, enum fate fate)
{
	struct node n = {.parent = parent, .dir = dir, .fate = fate};
	bool numbered = dir && fate != FATE_LEFT_OUT;

	if (m->nodes.len > 0)
		m->nodes.data[parent].n_children++;
	n.number = numbered ? m->n_numbers++ : TREE_BUILD_NO_DIR;
	(void)snprintf(n.name, sizeof(n.name), "%s", name);
	CHECK_INT(VEC_PUSH(&m->nodes, n), 0);
	return (uint32_t)m->nodes.len - 1;
}

MODEL void
model_init(struct model *m)
{
	*m = (struct model){0};
	(void)model_add(m, 0, "", true, FATE_READ);
}

MODEL void
model_fini(struct model *m)
{
	VEC_FINI(&m->nodes);
}

MODEL struct tree_input
model_input(const struct model *m, uint32_t i)
{
	const struct node *n = &m->nodes.data[i];

	return (struct tree_input){
		.name = span_of(n->name),
		.mode = (n->dir              ? S_IFDIR | 0755u
				: i % 5 == 1 ? S_IFLNK | 0777u
					     : S_IFREG | 0600u) ^
	                (i % 3),
		.uid = i % 7,
		.gid = i % 2,
		.nlink = i * 3 + 1,
		.dev = 0x100000000u + i % 2,
		.ino = 0xabcdef0000000000u + i,
		.size = (uint64_t)i * i * 1000,
		.blocks = (uint64_t)i * 8,
		.mtime_ns = -1000000000 * (int64_t)i,
		.ctime_ns = 1700000000000000000 + (int64_t)i,
		.dir = n->number,
		.not_entered = n->dir && n->fate == FATE_LEFT_OUT,
	};
}

/* What of the model the segment holds: everything below directories that were read. */
MODEL bool
model_visible(const struct model *m, uint32_t i)
{
	for (; i != 0; i = m->nodes.data[i].parent) {
		enum fate above = m->nodes.data[m->nodes.data[i].parent].fate;

		if (above != FATE_READ && above != FATE_BROKEN)
			return false;
	}
	return true;
}

MODEL int
model_by_name(const void *a, const void *b)
{
	return strcmp(((const struct tree_input *)a)->name.data,
		((const struct tree_input *)b)->name.data);
}

/* List one directory in pieces of at most `piece` entries, each sorted, as a walk does. */
MODEL void
model_list(const struct model *m, uint32_t dir, struct tree_builder *b, size_t piece)
{
	const struct node *d = &m->nodes.data[dir];
	bool failed = d->fate == FATE_FAILED || d->fate == FATE_BROKEN;
	VEC(struct tree_input) in = {0};

	if (!d->dir || d->fate == FATE_LEFT_OUT || d->fate == FATE_VANISHED)
		return;
	for (uint32_t i = dir + 1; d->n_children > 0 && d->fate != FATE_FAILED && i < m->nodes.len;
		i++) {
		if (m->nodes.data[i].parent == dir)
			CHECK_INT(VEC_PUSH(&in, model_input(m, i)), 0);
	}
	for (size_t at = 0; at < in.len; at += piece) {
		size_t n = MIN(piece, in.len - at);

		qsort(in.data + at, n, sizeof(*in.data), model_by_name);
		CHECK_INT(tree_builder_add(b, d->number, in.data + at, n, false), 0);
	}
	if (failed || in.len == 0)
		CHECK_INT(tree_builder_add(b, d->number, NULL, 0, failed), 0);
	VEC_FINI(&in);
}

MODEL struct tree_builder *
model_feed(const struct model *m, size_t piece)
{
	struct tree_input root = model_input(m, 0);
	struct tree_builder *b;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	for (uint32_t i = 0; i < m->nodes.len; i++) {
		if (model_visible(m, i))
			model_list(m, i, b, piece);
	}
	return b;
}

MODEL struct tree *
model_tree(const struct model *m, const char *dir, size_t piece)
{
	struct tree_builder *b = model_feed(m, piece);
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = {0};
	struct tree *t = NULL;
	uint64_t bytes = 0;
	int r = tree_builder_write(b, dirfd, "t", NULL, &bytes, &err);

	CHECK_SAY(r == 0, "write: %s", err.what);
	tree_builder_destroy(b);
	r = tree_open(dirfd, "t", &t, &err);
	CHECK_SAY(r == 0, "open: %s", err.what);
	CHECK_INT(tree_file_bytes(t), bytes);
	return t;
}

MODEL void
model_path(const struct model *m, uint32_t i, struct strbuf *out)
{
	uint32_t chain[256];
	size_t n = 0;

	for (; i != 0; i = m->nodes.data[i].parent)
		chain[n++] = i;
	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	while (n-- > 0) {
		CHECK_INT(strbuf_puts(out, m->nodes.data[chain[n]].name), 0);
		if (n > 0)
			CHECK_INT(strbuf_putc(out, '/'), 0);
	}
}

/* A tree of these paths; a trailing slash makes a directory. Parents come first. */
MODEL void
model_of_paths(struct model *m, const char *const *paths, size_t n)
{
	model_init(m);
	for (size_t i = 0; i < n; i++) {
		char path[4096];
		bool dir = span_ends(span_of(paths[i]), SPAN_LIT("/"));
		struct strbuf have = {0};
		uint32_t parent = 0;
		char *slash;

		(void)snprintf(path, sizeof(path), "%s", paths[i]);
		if (dir)
			path[strlen(path) - 1] = '\0';
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
		for (uint32_t k = 0; slash && k < m->nodes.len; k++) {
			model_path(m, k, &have);
			if (strcmp(have.data, path) == 0)
				parent = k;
		}
		strbuf_fini(&have);
		(void)model_add(m, parent, slash ? slash + 1 : path, dir, FATE_READ);
	}
}
