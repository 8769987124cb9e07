#include "verify_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "catalog/peek.h"
#include "config.h"
#include "engine/engine.h"
#include "index/tree.h"

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

/* What the catalog names now for the root; *ret is of malloc, NULL when it has no segment. */
static int
segment_now(const struct verifying *v, uint32_t id, char **ret, struct err *err)
{
	struct catalog_roots roots;
	int r = catalog_peek(v->state_fd, v->state_dir, &roots, err);

	*ret = NULL;
	for (size_t i = 0; r == 0 && i < roots.len; i++) {
		if (roots.data[i].id == id)
			*ret = TAKE_PTR(roots.data[i].segments[0]);
	}
	if (r == 0)
		catalog_roots_free(&roots);
	return r;
}

static int
open_segment(
	const struct verifying *v, struct catalog_root *root, struct tree **ret, struct err *err)
{
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP, .pool = v->pool};
	int r = -ENOENT;

	for (int i = 0; i < MAX_TRIES && root->segments[0]; i++) {
		char *other = NULL;

		*err = (struct err){0};
		r = tree_open_with(v->segment_fd, root->segments[0], &opts, ret, err);
		if (r != -ENOENT)
			return r;
		if (segment_now(v, root->id, &other, &(struct err){0}) < 0)
			return r;
		if (other && span_eq(span_of(other), span_of(root->segments[0]))) {
			free(other);
			return r; /* it is the catalog's, and not there */
		}
		free(root->segments[0]);
		root->segments[0] = other;
	}
	return r;
}

static void
verify_root(struct verifying *v, struct catalog_root *root)
{
	struct tree *tree = NULL;
	struct err err = {0};

	if (root->n_segments == 0) {
		(void)printf("%s: not indexed yet\n", root->path);
		return;
	}
	if (open_segment(v, root, &tree, &err) < 0) {
		v->n_wrong++;
		(void)printf("%s: %s\n", root->path,
			err.what[0] ? err.what : "the root is no longer in the catalog");
		return;
	}
	v->n_right++;
	(void)printf("%s: \"%s\" is right: %" PRIu32 " entries, %" PRIu64 " bytes\n", root->path,
		root->segments[0], tree_cols(tree)->n_entries, tree_file_bytes(tree));
	tree_unref(tree);
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
