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
#include "index/text_set.h"
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

/* What is to be told of one kind of a root's segments: the first thing wrong. */
struct findings {
	unsigned n_right, n_wrong;
	struct err err;
};

/* Of a root: its segments as far as they are right. */
struct verdict {
	struct tree *trees[TREE_MAX_LAYERS];
	struct text *texts[TEXT_SET_MAX];
	struct findings tree, text;
	uint64_t n_entries; /* that are live in all layers */
};

static void
verdict_clear(struct verdict *d)
{
	for (uint32_t i = 0; i < TREE_MAX_LAYERS; i++)
		tree_unref(d->trees[i]);
	for (uint32_t i = 0; i < TEXT_SET_MAX; i++)
		text_unref(d->texts[i]);
	*d = (struct verdict){0};
}

static void
note(struct findings *f, int r, const struct err *err)
{
	f->n_right += r == 0;
	f->n_wrong += r < 0;
	if (r < 0 && f->err.code == 0)
		f->err = *err;
}

/* -ENOENT: a file is not there, whatever else is wrong. */
static int
open_segments(const struct verifying *v, const struct catalog_root *root, struct verdict *ret)
{
	struct tree_open_opts tree = {.flags = TREE_OPEN_DEEP, .pool = v->pool};
	struct text_open_opts text = {.flags = TEXT_OPEN_DEEP, .pool = v->pool};
	int r, gone = 0;

	for (uint32_t i = 0; i < root->n_segments; i++) {
		struct err err = {0};

		r = tree_open_with(v->segment_fd, root->segments[i], &tree, &ret->trees[i], &err);
		note(&ret->tree, r, &err);
		gone = r == -ENOENT ? r : gone;
	}
	for (uint32_t i = 0; i < root->n_texts; i++) {
		struct err err = {0};

		r = text_open(v->segment_fd, root->texts[i].file, &text, &ret->texts[i], &err);
		note(&ret->text, r, &err);
		gone = r == -ENOENT ? r : gone;
	}
	return gone;
}

/* How text segments belong together. */
static void
check_texts(const struct catalog_root *root, struct verdict *d)
{
	struct text_set *s = NULL;
	int r = text_set_create(d->texts, root->n_texts, &s, &d->text.err);

	d->text.n_wrong += r < 0;
	text_set_unref(s);
}

/* How the layers lie upon each other, once each is right by itself. */
static void
check_layers(const struct catalog_root *root, struct verdict *d)
{
	struct tree_stack *s = NULL;
	int r = tree_stack_create(d->trees, root->n_segments, &s, &d->tree.err);

	if (r == 0) {
		d->n_entries = s->n_entries;
		r = tree_stack_check(s, &d->tree.err);
	}
	d->tree.n_wrong += r < 0;
	tree_stack_unref(s);
}

static bool
same_segments(const struct catalog_root *a, const struct catalog_root *b)
{
	bool same = a->n_segments == b->n_segments && a->n_texts == b->n_texts;

	for (uint32_t i = 0; i < a->n_texts && same; i++)
		same = strcmp(a->texts[i].file, b->texts[i].file) == 0;

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
	if (d->tree.n_wrong > 0) {
		(void)printf("%s\n", d->tree.err.what);
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
say_texts(const struct catalog_root *root, const struct verdict *d)
{
	uint64_t bytes = 0, files = 0;

	(void)printf("%s: ", root->path);
	if (d->text.n_wrong > 0) {
		(void)printf("%s\n", d->text.err.what);
		return;
	}
	for (uint32_t i = 0; i < root->n_texts; i++) {
		bytes += text_file_bytes(d->texts[i]);
		files += text_cols(d->texts[i])->n_files;
		(void)printf("%s\"%s\"", i > 0 ? ", " : "", root->texts[i].file);
	}
	(void)printf(" %s right: contents of %" PRIu64 " files, %" PRIu64 " bytes\n",
		root->n_texts == 1 ? "is" : "are", files, bytes);
}

static void
verify_root(struct verifying *v, struct catalog_root *root)
{
	struct verdict d = {0};

	for (int i = 0; open_segments(v, root, &d) == -ENOENT && i < MAX_TRIES; i++) {
		if (!root_changed(v, root))
			break;
		verdict_clear(&d);
	}
	if (root->n_segments == 0) {
		(void)printf("%s: not indexed yet\n", root->path);
		return;
	}
	if (d.tree.n_wrong == 0)
		check_layers(root, &d);
	say_root(root, &d);
	if (root->n_texts > 0 && d.text.n_wrong == 0)
		check_texts(root, &d);
	if (root->n_texts > 0)
		say_texts(root, &d);
	v->n_right += d.tree.n_right + d.text.n_right;
	v->n_wrong += d.tree.n_wrong + d.text.n_wrong;
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
