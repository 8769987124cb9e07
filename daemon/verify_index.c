#include "verify_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "catalog/peek.h"
#include "config.h"
#include "engine/engine.h"
#include "index/tree_stack.h"

/* A running daemon replaces a segment and unlinks the old one: then the catalog names another. */
#define MAX_TRIES 5

struct verifying {
	const char *state_dir;
	int state_fd, segment_fd;
	struct pool *pool; /* NULL: alone */
	unsigned n_right, n_wrong;
};

static int
say(const struct err *err, int r)
{
	(void)fprintf(stderr, "trawld: %s%s%s\n", err->what[0] ? err->what : err_reason(r),
		err->hint[0] ? "; " : "", err->hint);
	return 1;
}

/* What is to be told of a root: its layers as far as they are right, and the first thing wrong. */
struct verdict {
	struct tree *trees[TREE_MAX_LAYERS];
	unsigned n_right, n_wrong;
	uint64_t n_entries; /* that are live in all layers */
	struct err err;
};

static void
verdict_clear(struct verdict *d)
{
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++)
		tree_unref(d->trees[i]);
	*d = (struct verdict){0};
}

/* -ENOENT: a file is not there, whatever else is wrong. */
static int
open_layers(const struct verifying *v, const struct catalog_root *root, struct verdict *ret)
{
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP, .pool = v->pool};
	int gone = 0;

	for (uint32_t i = 0; i < root->n_segments; i++) {
		struct err err = {0};
		int r = tree_open_with(
			v->segment_fd, root->segments[i], &opts, &ret->trees[i], &err);

		ret->n_right += r == 0;
		ret->n_wrong += r < 0;
		if (r < 0 && ret->err.code == 0)
			ret->err = err;
		if (r == -ENOENT)
			gone = r;
	}
	return gone;
}

/* How the layers lie upon each other, once each is right by itself. */
static void
check_layers(const struct catalog_root *root, struct verdict *d)
{
	struct tree_stack *s = NULL;
	int r = tree_stack_create(d->trees, root->n_segments, &s, &d->err);

	if (r == 0) {
		d->n_entries = s->n_entries;
		r = tree_stack_check(s, &d->err);
	}
	d->n_wrong += r < 0;
	tree_stack_unref(s);
}

static bool
same_segments(const struct catalog_root *a, const struct catalog_root *b)
{
	bool same = a->n_segments == b->n_segments;

	for (uint32_t i = 0; i < a->n_segments && same; i++)
		same = strcmp(a->segments[i], b->segments[i]) == 0;
	return same;
}

/* What the catalog names now for the root; false: the same, or nothing could be learned. */
static bool
root_changed(const struct verifying *v, struct catalog_root *root)
{
	struct catalog_roots roots;
	bool changed = false;

	if (catalog_peek(v->state_fd, v->state_dir, &roots, &(struct err){0}) < 0)
		return false;
	for (size_t i = 0; i < roots.len && !changed; i++) {
		struct catalog_root swap = roots.data[i];

		if (swap.id != root->id || same_segments(&swap, root))
			continue;
		roots.data[i] = *root;
		*root = swap;
		changed = true;
	}
	catalog_roots_free(&roots);
	return changed;
}

static void
say_root(const struct catalog_root *root, const struct verdict *d)
{
	uint64_t bytes = 0;

	(void)printf("%s: ", root->path);
	if (d->n_wrong > 0) {
		(void)printf("%s\n", d->err.what);
		return;
	}
	for (uint32_t i = 0; i < root->n_segments; i++) {
		bytes += tree_file_bytes(d->trees[i]);
		(void)printf("%s\"%s\"", i > 0 ? ", " : "", root->segments[i]);
	}
	(void)printf(" %s right: %" PRIu64 " entries, %" PRIu64 " bytes\n",
		root->n_segments == 1 ? "is" : "are", d->n_entries, bytes);
}

static void
verify_root(struct verifying *v, struct catalog_root *root)
{
	struct verdict d = {0};

	for (int i = 0; open_layers(v, root, &d) == -ENOENT && i < MAX_TRIES; i++) {
		if (!root_changed(v, root))
			break;
		verdict_clear(&d);
	}
	if (root->n_segments == 0) {
		(void)printf("%s: not indexed yet\n", root->path);
		return;
	}
	if (d.n_wrong == 0)
		check_layers(root, &d);
	say_root(root, &d);
	v->n_right += d.n_right;
	v->n_wrong += d.n_wrong;
	verdict_clear(&d);
}

static int
verify_all(struct verifying *v)
{
	struct catalog_roots roots;
	struct err err = {0};
	int r = catalog_peek(v->state_fd, v->state_dir, &roots, &err);

	if (r < 0)
		return say(&err, r);
	for (size_t i = 0; i < roots.len; i++)
		verify_root(v, &roots.data[i]);
	catalog_roots_free(&roots);
	(void)printf("%u segments are right, %u are not\n", v->n_right, v->n_wrong);
	return v->n_wrong > 0;
}

static int
open_state(struct verifying *v)
{
	struct err err = {0};
	int r = 0;

	v->state_fd = open(v->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->state_fd >= 0)
		v->segment_fd =
			openat(v->state_fd, ENGINE_SEGMENT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->segment_fd < 0) {
		r = -errno;
		(void)err_set(&err, r, "could not open the index in \"%s\": %s", v->state_dir,
			err_reason(r));
		(void)say(&err, r);
	}
	return r;
}

int
verify_index(const char *config_file)
{
	struct verifying v = {.state_fd = -1, .segment_fd = -1};
	struct config *config;
	struct err err = {0};
	int r = mapfile_setup();

	if (r == 0)
		r = config_load(config_file, &config, &err);
	if (r < 0)
		return say(&err, r);
	v.state_dir = config->state_dir;
	(void)pool_create("verify", config->threads, &v.pool); /* else alone */
	r = open_state(&v) < 0 ? 1 : verify_all(&v);
	pool_destroy(v.pool);
	closep(&v.segment_fd);
	closep(&v.state_fd);
	config_free(config);
	return r;
}
