#include "engine/indexer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/known_tree.h"
#include "index/tree_build.h"
#include "sync/scope.h"

/* One walk. A thread of its own runs it while the root's thread builds. */
struct walker {
	struct walk_opts opts;
	struct root *root;
	struct chan *chan; /* of struct walk_batch; bounded in items and in bytes */
	struct walk_stats stats;
	usec_t began, began_mono;

	/* Of a rescan, else NULL: the tree whose names are trusted where they can be. */
	struct tree *tree;
	struct walk_known known;
	/* Batches, in order, that are only needed when something has changed. */
	struct walk_batch *held, **held_end;
};

static void
drop_batch(void *item)
{
	walk_batch_destroy(item);
}

static size_t
weigh_batch(const void *item)
{
	const struct walk_batch *batch = item;

	return batch->bytes;
}

static int
walk_main(void *arg, struct stop *stop)
{
	struct walker *w = arg;
	struct walk_root root;
	int r;

	thread_doing("walks %s", w->root->path);
	r = walk_run(&w->opts, w->root->engine->io, w->chan, stop, &w->stats, &root, thread_err());
	chan_close(w->chan); /* the builder receives what was sent, then learns of the end */
	return r;
}

static int
root_input(const char *path, struct tree_input *ret, struct err *err)
{
	AUTO(closep) int fd = fd_open_absolute(span_of(path), O_PATH | O_DIRECTORY);
	struct statx st;

	if (fd < 0)
		return err_set(err, fd, "could not open \"%s\": %s", path, err_reason(fd));
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return err_set(
			err, -errno, "could not look at \"%s\": %s", path, err_reason(errno));
	*ret = (struct tree_input){
		.name = SPAN_LIT(""),
		.mode = st.stx_mode,
		.uid = st.stx_uid,
		.gid = st.stx_gid,
		.nlink = st.stx_nlink,
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.ino = st.stx_ino,
		.size = st.stx_size,
		.blocks = st.stx_blocks,
		.mtime_ns = clock_ns(st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec),
		.ctime_ns = clock_ns(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec),
	};
	return 0;
}

static void
drop_held(struct walker *w)
{
	while (w->held) {
		struct walk_batch *batch = w->held;

		w->held = batch->next;
		walk_batch_destroy(batch);
	}
	w->held_end = &w->held;
}

static int
build_held(struct walker *w, struct tree_builder *b)
{
	int r = 0;

	while (w->held && r == 0) {
		struct walk_batch *batch = w->held;

		w->held = batch->next;
		r = tree_builder_take(b, batch);
	}
	w->held_end = &w->held;
	return r;
}

/* A rescan that has found everything as it was, so far. */
static bool
is_unchanged(const struct walker *w)
{
	return w->tree && counter_get(&w->stats.n_changed) == 0;
}

static int
take_batch(struct walker *w, struct tree_builder *b, struct walk_batch *batch)
{
	int r;

	if (is_unchanged(w)) {
		batch->next = NULL;
		*w->held_end = batch;
		w->held_end = &batch->next;
		return 0;
	}
	r = build_held(w, b);
	if (r == 0)
		return tree_builder_take(b, batch);
	walk_batch_destroy(batch);
	return r;
}

/* Receive until the walk is over, or building fails. */
static int
build_all(struct walker *w, struct tree_builder *b)
{
	int r = 0;
	void *item;

	while (r == 0 && chan_recv(w->chan, &item, NULL) == 0)
		r = take_batch(w, b, item);
	return r;
}

static int
cannot_collect(const struct walker *w, int r, struct err *err)
{
	return err_set(err, r, "could not collect the entries of \"%s\": %s", w->root->path,
		err_reason(r));
}

/* A walk that fails closes the channel, so building ends. When building fails, leaving the scope
 * fires its token, which wakes workers that wait for room in the channel, and joins the walk. */
static int
walk_and_build(struct walker *w, struct tree_builder *b, struct err *err)
{
	SCOPE(s, &w->root->stop);
	int r;

	if (scope_spawn(&s, "walk", walk_main, w) < 0)
		return scope_join(&s, err);
	r = build_all(w, b);
	if (r < 0)
		return cannot_collect(w, r, err);
	r = scope_join(&s, err);
	if (r < 0 || is_unchanged(w))
		return r;
	r = build_held(w, b); /* the last difference may have come after the last batch */
	return r < 0 ? cannot_collect(w, r, err) : 0;
}

static void
skipped_text(const struct walk_stats *stats, struct strbuf *out)
{
	for (unsigned i = 1; i < N_WALK_SKIPS; i++) {
		uint64_t n = counter_get(&stats->n_skipped[i]);

		if (n > 0)
			(void)strbuf_printf(out, "%s%s=%" PRIu64, out->len ? " " : "",
				walk_skip_word((enum walk_skip)i), n);
	}
}

/* What a commit replaces: let go without the lock, because the last reference unmaps. */
struct replaced {
	struct tree *tree;
	struct snapshot *snapshot;
	char *segment;
};

static void
replaced_fini(struct replaced *old)
{
	tree_unref(old->tree);
	snapshot_unref(old->snapshot);
	free(old->segment);
}

static void
note_walk_locked(struct root *r, const struct walker *w)
{
	r->walked_usec = w->began;
	r->walk_took_usec = clock_mono() - w->began_mono;
	r->walked = true;
	r->same_settings = true;
	r->state = ROOT_READY;
	for (unsigned i = 0; i < N_WALK_SKIPS; i++)
		r->skipped[i] = counter_get(&w->stats.n_skipped[i]);
}

/* The new tree takes the root's place; with NULL what is there stays. */
static void
install(struct root *r, struct tree *tree, char *segment, const struct walker *w,
	struct replaced *ret_old)
{
	struct engine *e = r->engine;

	ret_old->snapshot = engine_snapshot(e);
	LOCK_SECTION(&e->lock, section);
	if (tree) {
		ret_old->tree = r->tree;
		ret_old->segment = r->segment;
		r->tree = tree;
		r->segment = segment;
		r->n_entries = tree_cols(tree)->n_entries;
	}
	note_walk_locked(r, w);
	if (engine_publish_locked(e) == 0)
		lock_section_done(&section);
}

static uint64_t
next_tick(struct engine *e)
{
	LOCK_SCOPE(&e->lock);
	return e->tick + 1;
}

/* Let the catalog name the file, which may be the one that it names already. */
static int
record(struct root *r, const char *name, const struct tree *tree, const struct walker *w,
	struct err *err)
{
	AUTO(strbuf_fini) struct strbuf skipped = {0};

	skipped_text(&w->stats, &skipped);
	return catalog_commit_segment(r->engine->catalog,
		&(struct catalog_root){
			.id = r->id,
			.path = r->path,
			.segment = (char *)(uintptr_t)name,
			.settings = r->settings,
			.n_entries = tree_cols(tree)->n_entries,
			.walked_usec = w->began,
			.tick = next_tick(r->engine),
			.skipped = skipped.data ? skipped.data : (char[]){""},
		},
		NULL, err);
}

/* Open the file by its sums, which prove that it is what the builder made (FORMAT.md 4; the next
 * start checks all), then let the catalog name it. */
static int
seal(struct root *r, const char *name, const struct walker *w, struct tree **ret, struct err *err)
{
	struct tree *tree;
	struct tree_open_opts opts = {.flags = TREE_OPEN_WRITTEN, .pool = r->engine->io};
	int code = tree_open_with(r->engine->segment_fd, name, &opts, &tree, err);

	if (code < 0)
		return code;
	code = record(r, name, tree, w, err);
	if (code < 0) {
		tree_unref(tree);
		return code;
	}
	*ret = tree;
	return 0;
}

/* note: commit order, in root.h. */
static int
commit(struct root *r, struct tree_builder *b, const struct walker *w, struct err *err)
{
	struct engine *e = r->engine;
	AUTO(freep) char *name = NULL;
	AUTO(replaced_fini) struct replaced old = {0};
	struct tree *tree;
	uint64_t bytes;
	int code;

	if (asprintf(&name, "tree-%" PRIu32 "-%" PRIu64 "-%" PRIu64 ".seg", r->id,
		    catalog_epoch(e->catalog), add_rlx(&e->next_file.value, 1)) < 0)
		return err_set(err, -ENOMEM, "could not write the index: out of memory");
	code = tree_builder_write(b, e->segment_fd, name, &r->stop, &bytes, err);
	if (code < 0)
		return code;
	code = root_begin_commit(r);
	if (code == 0) {
		code = seal(r, name, w, &tree, err);
		if (code == 0)
			install(r, tree, TAKE_PTR(name), w, &old);
		root_end_commit(r);
	}
	if (code < 0) { /* then `name` is still ours */
		(void)unlinkat(e->segment_fd, name, 0);
		return code;
	}
	counter_add(&e->n_commits, 1);
	if (old.segment)
		(void)unlinkat(e->segment_fd, old.segment, 0);
	return 0;
}

/* Nothing has changed: the segment stays, and is known to be right as of now. */
static int
renew(struct root *r, const struct walker *w, struct err *err)
{
	AUTO(replaced_fini) struct replaced old = {0};
	int code = root_begin_commit(r);

	if (code < 0)
		return code;
	/* Only this thread changes `segment`. */
	code = record(r, r->segment, w->tree, w, err);
	if (code == 0)
		install(r, NULL, NULL, w, &old);
	root_end_commit(r);
	return code;
}

static void
show_stats(struct root *r, struct walk_stats *stats)
{
	LOCK_SCOPE(&r->engine->lock);
	r->stats = stats;
}

static void
tree_builder_destroyp(struct tree_builder **b)
{
	tree_builder_destroy(*b);
}

/* When it began, by the clock as it is now: what has been stamped since a step back must not look
 * older than the walk. */
static usec_t
began_by_now(const struct walker *w)
{
	usec_t took = clock_mono() - w->began_mono;

	return MIN(w->began, clock_real() - took);
}

static int
run(struct walker *w, struct err *err)
{
	struct root *r = w->root;
	AUTO(tree_builder_destroyp) struct tree_builder *b = NULL;
	struct tree_input root;
	int code = root_input(r->path, &root, err);

	if (code < 0)
		return code;
	code = tree_builder_create(&root, &b);
	if (code < 0)
		return err_set(err, code, "could not walk \"%s\": %s", r->path, err_reason(code));
	tree_builder_use_pool(b, r->engine->io);
	code = walk_and_build(w, b, err);
	if (w->tree && tree_faulted(w->tree))
		return err_set(err, -EBADMSG, "could not read the index of \"%s\"", r->path);
	if (code < 0)
		return code;
	w->began = began_by_now(w);
	return is_unchanged(w) ? renew(r, w, err) : commit(r, b, w, err);
}

/* Trust what an earlier walk under the same settings has found. */
static void
know_tree(struct walker *w)
{
	struct root *r = w->root;

	LOCK_SCOPE(&r->engine->lock);
	if (!r->tree || !r->same_settings)
		return;
	w->tree = tree_ref(r->tree);
	known_tree(w->tree, r->walked_usec, &w->known);
	w->opts.known = &w->known;
}

static int
make_chan(struct walker *w)
{
	return chan_create_with(
		&(struct chan_opts){
			.cap = ENGINE_BATCHES,
			.drop = drop_batch,
			.max_bytes = ENGINE_BATCH_BYTES,
			.weigh = weigh_batch,
		},
		&w->chan);
}

/* The channel goes with its walk; what it tells of back-pressure stays. */
static void
count_waits(struct engine *e, const struct chan *c)
{
	struct chan_stats s;

	chan_get_stats(c, &s);
	counter_add(&e->n_batches, s.n_sent);
	counter_add(&e->n_walk_waits, s.n_send_waits);
	counter_add(&e->n_build_waits, s.n_recv_waits);
	counter_max(&e->most_batch_bytes, s.most_bytes);
}

/* One walk from its beginning, with a channel of its own. */
static int
attempt(struct root *r, bool rescan, struct err *err)
{
	AUTO(freep) struct walker *w = calloc(1, sizeof(*w));
	int code = -ENOMEM;

	if (!w || make_chan(w) < 0)
		return err_set(err, code, "could not walk \"%s\": out of memory", r->path);
	w->root = r;
	w->held_end = &w->held;
	w->began = clock_real();
	w->began_mono = clock_mono();
	w->opts = root_walk_opts(r);
	if (rescan)
		know_tree(w);
	counter_add(&r->engine->n_walks, 1);
	show_stats(r, &w->stats);
	code = run(w, err);
	show_stats(r, NULL);
	count_waits(r->engine, w->chan);
	chan_destroy(w->chan);
	drop_held(w);
	tree_unref(w->tree);
	return code;
}

int
indexer_run(struct root *r, struct err *err)
{
	int code = attempt(r, true, err);

	/* The segment could not be read: it is made again from the file system alone. */
	return code == -EBADMSG ? attempt(r, false, err) : code;
}
