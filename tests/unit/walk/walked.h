/**
 * walked: a walk of a tree as a sorted list of paths, for the tests of lib/walk.
 *
 * The receiving side holds every batch against the contract of walk.h: no listing before the one
 * that names its directory, names sorted within a piece, exactly one last piece a directory. Of a
 * rescan the rows are those that came.
 */
#pragma once

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "sync/thread.h"
#include "walk/walk.h"

#define UNUSED __attribute__((unused))

/* Some 200 entries a batch: many batches of few files. */
#define WALKED_BATCH_BYTES 16384u

struct walked_row {
	char *path; /* relative to the root, NUL terminated */
	struct walk_entry e;
	struct walk_class cls;
};

struct walked_dir {
	char *path; /* borrowed from a row; NULL: not named yet */
	bool ended;
	enum walk_skip skip; /* of its list */
};

struct walked {
	struct walk_opts opts;
	unsigned n_threads, cap; /* of the pool and the channel; 0: 3 and 4 */
	struct stop *stop;
	/* Called by the receiver for each batch, before it is read. May be NULL. */
	void (*on_batch)(struct walked *w, const struct walk_batch *b);
	/* Of a rescan: the path of a known directory. */
	char *(*known_path)(void *ctx, uint64_t dir);
	void *ctx;

	int result;
	struct err err;
	struct walk_root root;
	struct walk_stats stats;
	VEC(struct walked_row) rows; /* sorted by path after walked_run() */
	VEC(struct walked_dir) dirs; /* by number */
	VEC(uint64_t) gone;
	size_t n_batches;
	struct pool *pool;
	struct chan *chan;
};

UNUSED static void
walked_see_dir(struct walked *w, uint64_t number, char *path)
{
	while (w->dirs.len <= number)
		CHECK(VEC_PUSH(&w->dirs, (struct walked_dir){0}) == 0);
	CHECK(w->dirs.data[number].path == NULL);
	w->dirs.data[number].path = path;
}

UNUSED static void
walked_entry(struct walked *w, const char *dir_path, const struct walk_entry *e,
	const struct walk_class *cls)
{
	struct walked_row row = {.e = *e, .cls = *cls};

	CHECK(e->name_len > 0 && !memchr(e->name, '/', e->name_len));
	CHECK_INT(e->name[e->name_len], '\0');
	CHECK(asprintf(&row.path, "%s%s%.*s", dir_path, *dir_path ? "/" : "", e->name_len,
		      e->name) > 0);
	CHECK(VEC_PUSH(&w->rows, row) == 0);
	if (e->dir != WALK_NO_DIR) {
		CHECK(e->type == DT_DIR && e->skip == SKIP_NONE);
		walked_see_dir(w, e->dir, row.path);
	}
}

UNUSED static void
walked_list(struct walked *w, const struct walk_batch *b, const struct walk_list *l)
{
	const char *name = l->n_entries > 0 ? l->entries[0].name : NULL;
	struct walked_dir *d;

	if (l->was != WALK_NOT_KNOWN) {
		CHECK(l->n_entries > 0 || l->n_gone > 0 || l->last); /* it tells something */
		if (l->dir >= w->dirs.len || !w->dirs.data[l->dir].path)
			walked_see_dir(w, l->dir, w->known_path(w->ctx, l->was));
		CHECK_STR(w->dirs.data[l->dir].path, w->known_path(w->ctx, l->was));
	}
	CHECK(l->dir < w->dirs.len && w->dirs.data[l->dir].path); /* named before */
	CHECK(!l->last || !w->dirs.data[l->dir].ended);
	CHECK(l->first_gone + l->n_gone <= b->n_gone);
	CHECK(l->n_gone == 0 || l->was != WALK_NOT_KNOWN);
	for (uint32_t i = 0; i < l->n_gone; i++)
		CHECK(VEC_PUSH(&w->gone, b->gone[l->first_gone + i]) == 0);
	CHECK(l->n_entries <= 4096);
	for (uint32_t i = 1; i < l->n_entries; i++) {
		const struct walk_entry *x = &l->entries[i - 1], *y = x + 1;

		CHECK(span_cmp((struct span){x->name, x->name_len},
			      (struct span){y->name, y->name_len}) < 0);
	}
	for (uint32_t i = 0; i < l->n_entries; i++) {
		const struct walk_entry *e = &l->entries[i];

		CHECK(e->name == name && e->cls < b->n_classes);
		name += e->name_len + 1;
		walked_entry(w, w->dirs.data[l->dir].path, e, &b->classes[e->cls]);
	}
	CHECK_INT(l->names_bytes, l->n_entries > 0 ? name - l->entries[0].name : 0);
	d = &w->dirs.data[l->dir];
	d->ended |= l->last;
	if (l->last)
		d->skip = l->skip;
	CHECK(l->last || l->skip == SKIP_NONE);
}

UNUSED static int
walked_receive(void *arg)
{
	struct walked *w = arg;
	void *item;

	while (chan_recv(w->chan, &item, NULL) == 0) {
		struct walk_batch *b = item;
		size_t n = 0;

		w->n_batches++;
		if (w->on_batch)
			w->on_batch(w, b);
		for (uint32_t i = 0; i < b->n_lists; i++) {
			walked_list(w, b, &b->lists[i]);
			n += b->lists[i].n_entries;
		}
		CHECK_INT(b->n_entries, n);
		CHECK(b->bytes >= sizeof(*b) + b->used);
		walk_batch_destroy(b);
	}
	return 0;
}

UNUSED static int
walked_row_cmp(const void *a, const void *b)
{
	const struct walked_row *x = a, *y = b;

	return strcmp(x->path, y->path);
}

UNUSED static void
walked_drop(void *item)
{
	walk_batch_destroy(item);
}

UNUSED static void
walked_run(struct walked *w)
{
	struct thread receiver = {0};

	walked_see_dir(w, 0, strdup(""));
	w->opts.batch_bytes = WALKED_BATCH_BYTES;
	CHECK(pool_create("io", w->n_threads ? w->n_threads : 3, &w->pool) == 0);
	w->chan = chan_create(w->cap ? w->cap : 4, walked_drop);
	CHECK(thread_start(&receiver, "receiver", walked_receive, w) == 0);
	w->result = walk_run(&w->opts, w->pool, w->chan, w->stop, &w->stats, &w->root, &w->err);
	chan_close(w->chan);
	(void)thread_join(&receiver);
	chan_destroy(w->chan);
	pool_destroy(w->pool);
	if (w->rows.len > 0)
		qsort(w->rows.data, w->rows.len, sizeof(w->rows.data[0]), walked_row_cmp);
	if (w->result < 0 || w->opts.known)
		return;
	CHECK_INT(counter_get(&w->stats.n_entries), w->rows.len);
	VEC_EACH (&w->dirs, d)
		CHECK(!d->path || d->ended);
}

UNUSED static void
walked_fini(struct walked *w)
{
	if (w->dirs.len > 0)
		free(w->dirs.data[0].path);
	VEC_EACH (&w->rows, row)
		free(row->path);
	VEC_FINI(&w->rows);
	VEC_FINI(&w->dirs);
	VEC_FINI(&w->gone);
}

/** NULL when the path did not come out. */
UNUSED static const struct walked_row *
walked_find(const struct walked *w, const char *path)
{
	VEC_EACH (&w->rows, row)
		if (strcmp(row->path, path) == 0)
			return row;
	return NULL;
}

/** What was said of the listing of the directory `path`. */
UNUSED static enum walk_skip
walked_dir_skip(const struct walked *w, const char *path)
{
	VEC_EACH (&w->dirs, d)
		if (d->path && strcmp(d->path, path) == 0)
			return d->skip;
	return N_WALK_SKIPS;
}

/** The paths that came out, one a line, for short comparisons; valid until the next call. */
UNUSED static const char *
walked_paths(const struct walked *w)
{
	static char text[4096];
	size_t at = 0;

	text[0] = '\0';
	VEC_EACH (&w->rows, row)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%s%s", at ? " " : "", row->path);
	return text;
}

/** Remove a tree of any depth. */
UNUSED static void
tree_remove(char *dir)
{
	char command[4200];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	free(dir);
}

/** An empty file. */
UNUSED static void
touch_at(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);

	CHECK_SAY(fd >= 0, "could not create a file");
	(void)close(fd);
}

/** Make and open a directory. */
UNUSED static int
mkdir_at(int dirfd, const char *name)
{
	int fd;

	CHECK(mkdirat(dirfd, name, 0755) == 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}
