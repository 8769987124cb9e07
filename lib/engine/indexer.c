#include "engine/indexer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/commit.h"
#include "engine/differ.h"
#include "engine/known_tree.h"
#include "engine/other_names.h"
#include "engine/tier.h"
#include "index/tree_build.h"
#include "index/tree_merge.h"
#include "sync/scope.h"

/* One walk. A thread of its own runs it while the root's thread builds. */
struct walker {
	struct walk_opts opts;
	struct root *root;
	struct chan *chan; /* of struct walk_batch; bounded in items and in bytes */
	struct walk_stats stats;
	usec_t began, began_mono;
	bool humble;       /* note: humble walk */
	struct stop hurry; /* of a humble one: a child of the root's, that holds it up */

	/* Of a rescan, else NULL: what is known, and trusted where it can be. */
	struct tree_stack *stack;
	struct walk_known known;
	struct differ differ;
	struct other_names others; /* of an aimed walk */
	struct walk_root root_row;

	struct tree_builder *builder; /* of a first walk, else NULL */
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

static int
walk_main(void *arg, struct stop *stop)
{
	struct walker *w = arg;
	int r;

	thread_doing("walks %s", w->root->path);
	r = walk_run(&w->opts, w->humble ? w->root->engine->humble : w->root->engine->io, w->chan,
		stop, &w->stats, &w->root_row, thread_err());
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

/* A rescan that has found everything as it was. */
static bool
is_unchanged(const struct walker *w)
{
	return w->stack && counter_get(&w->stats.n_changed) == 0;
}

static int
take_batch(struct walker *w, struct walk_batch *batch)
{
	int r;

	if (w->builder)
		return tree_builder_take(w->builder, batch);
	r = differ_take(&w->differ, batch);
	if (r == 0 && w->opts.aim)
		r = other_names_note(&w->others, w->stack, batch);
	walk_batch_destroy(batch);
	if (r == 0 && tree_change_bytes(w->differ.change) > tier_max_bytes(w->stack))
		return -EOVERFLOW;
	return r;
}

/* Receive until the walk is over, or building fails. */
static int
take_all(struct walker *w)
{
	int r = 0;
	void *item;

	while (r == 0 && chan_recv(w->chan, &item, NULL) == 0)
		r = take_batch(w, item);
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
walk_and_take(struct walker *w, struct err *err)
{
	SCOPE(s, w->humble ? &w->hurry : &w->root->stop);
	int r;

	if (scope_spawn(&s, "walk", walk_main, w) < 0)
		return scope_join(&s, err);
	r = take_all(w);
	return r < 0 ? cannot_collect(w, r, err) : scope_join(&s, err);
}

static void
show_stats(struct root *r, struct walk_stats *stats)
{
	LOCK_SCOPE(&r->engine->lock);
	r->stats = stats;
}

/* When it began, by the clock as it is now: what has been stamped since a step back must not look
 * older than the walk. */
static usec_t
began_by_now(const struct walker *w)
{
	usec_t took = clock_mono() - w->began_mono;

	return MIN(w->began, clock_real() - took);
}

static struct walk_result
result_of(const struct walker *w)
{
	struct walk_result res = {
		.began = began_by_now(w),
		.began_mono = w->began_mono,
	};

	for (unsigned i = 0; i < N_WALK_SKIPS; i++)
		res.skipped[i] = counter_get(&w->stats.n_skipped[i]);
	return res;
}

/* A base of all that was found. */
static int
commit_base(struct walker *w, struct err *err)
{
	struct root *r = w->root;
	AUTO(freep) char *name = commit_name(r, "tree");
	struct walk_result res;
	uint64_t bytes;
	int code;

	if (!name)
		return err_set(err, -ENOMEM, "could not write the index: out of memory");
	code = tree_builder_write(w->builder, r->engine->segment_fd, name, &r->stop, &bytes, err);
	if (code < 0)
		return code;
	res = result_of(w);
	return commit_segment(r, name, 0, &(struct commit){.kind = COMMIT_ANEW, .walk = &res}, err);
}

static int
walk_first(struct walker *w, struct err *err)
{
	struct root *r = w->root;
	struct tree_input root;
	int code = root_input(r->path, &root, err);

	if (code < 0)
		return code;
	code = tree_builder_create(&root, &w->builder);
	if (code < 0)
		return err_set(err, code, "could not walk \"%s\": %s", r->path, err_reason(code));
	tree_builder_use_pool(w->builder, r->engine->io);
	code = walk_and_take(w, err);
	return code < 0 ? code : commit_base(w, err);
}

/* A layer of what has changed, with those upon which it shall not lie; or a base. */
static int
commit_changes(struct walker *w, struct err *err)
{
	struct root *r = w->root;
	AUTO(freep) char *name = commit_name(r, "tree");
	struct tier_weights weights = tier_weigh(w->stack);
	uint64_t n = tree_change_count(w->differ.change);
	struct tree_merge merge = {
		.stack = w->stack,
		.change = w->differ.change,
		.from = w->opts.aim ? tier_keep_light(&weights, n) : tier_keep(&weights, n),
		.pool = r->engine->io,
		.stop = &r->stop,
	};
	struct commit what = {.kind = COMMIT_CHANGES, .change = merge.change};
	struct walk_result res;
	uint64_t bytes;
	int code;

	if (!name)
		return err_set(err, -ENOMEM, "could not write the index: out of memory");
	merge.light = what.light = w->opts.aim && merge.from > 0;
	code = tree_merge_write(&merge, r->engine->segment_fd, name, &bytes, err);
	if (code < 0)
		return tree_stack_faulted(w->stack) ? -EBADMSG : code;
	res = result_of(w);
	res.aimed = w->opts.aim != NULL;
	what.walk = &res;
	return commit_segment(r, name, merge.from, &what, err);
}

static int
walk_again(struct walker *w, struct err *err)
{
	struct walk_result res;
	int code = differ_init(&w->differ, w->stack);

	code = code < 0 ? cannot_collect(w, code, err) : walk_and_take(w, err);
	if (tree_stack_faulted(w->stack))
		return err_set(err, -EBADMSG, "could not read the index of \"%s\"", w->root->path);
	if (code < 0)
		return code;
	if (is_unchanged(w) && w->opts.aim)
		return 0;
	if (is_unchanged(w)) {
		res = result_of(w);
		return commit_renewal(w->root, &res, err);
	}
	code = w->root_row.same ? 0 : differ_root(&w->differ, &w->root_row);
	return code < 0 ? cannot_collect(w, code, err) : commit_changes(w, err);
}

/* Trust what an earlier walk under the same settings has found. */
static void
know_stack(struct walker *w)
{
	struct root *r = w->root;

	LOCK_SCOPE(&r->engine->lock);
	if (!r->stack || !r->same_settings)
		return;
	w->stack = tree_stack_ref(r->stack);
	known_tree(w->stack, r->walked_usec, &w->known);
	w->opts.known = &w->known;
}

/* All of the root, for `status` to see. */
static int
walk_shown(struct walker *w, struct err *err)
{
	struct manners *m = &w->root->engine->manners;
	int code;

	counter_add(&w->root->engine->n_walks, 1);
	(void)add_rlx(&m->n_restless, !w->humble);
	show_stats(w->root, &w->stats);
	code = w->stack ? walk_again(w, err) : walk_first(w, err);
	show_stats(w->root, NULL);
	(void)sub_rlx(&m->n_restless, !w->humble);
	return code;
}

static int
hold(void *ctx, struct stop *stop)
{
	const struct walker *w = ctx;

	return manners_hold(w->root, stop, w->began_mono + INDEXER_HUMBLE_USEC);
}

/* note: humble walk */
static void
begin_humble(struct walker *w)
{
	struct root *r = w->root;

	stop_init(&w->hurry, &r->stop);
	stop_set_hold(&w->hurry, hold, w);
	w->opts.share = &r->engine->humble_walks;
	LOCK_SCOPE(&r->engine->lock);
	r->hurry = &w->hurry;
	if (r->urgent)
		stop_request(&w->hurry);
}

static void
end_humble(struct walker *w)
{
	{
		LOCK_SCOPE(&w->root->engine->lock);
		w->root->hurry = NULL;
	}
	stop_fini(&w->hurry);
}

static int
walk_humbly(struct walker *w, struct err *err)
{
	int code;

	begin_humble(w);
	code = walk_shown(w, err);
	end_humble(w);
	return code;
}

static int
walk_any(struct walker *w, struct err *err)
{
	if (w->opts.aim)
		return walk_again(w, err);
	w->humble = w->humble && w->stack;
	return w->humble ? walk_humbly(w, err) : walk_shown(w, err);
}

enum attempt { ATTEMPT_ANEW, ATTEMPT_RESCAN, ATTEMPT_HUMBLE };

/* One walk from its beginning, with a channel of its own. `aim` may be NULL; then so may `others`,
 * which gets what other_names_note() finds. */
static int
attempt(struct root *r, enum attempt how, const struct walk_aim *aim, struct other_names *others,
	struct err *err)
{
	AUTO(freep) struct walker *w = calloc(1, sizeof(*w));
	int code = -ENOMEM;

	if (!w || make_chan(w) < 0)
		return err_set(err, code, "could not walk \"%s\": out of memory", r->path);
	w->root = r;
	w->began = clock_real();
	w->began_mono = clock_mono();
	w->opts = root_walk_opts(r);
	w->humble = how == ATTEMPT_HUMBLE;
	if (how != ATTEMPT_ANEW)
		know_stack(w);
	w->opts.aim = w->stack ? aim : NULL;
	code = walk_any(w, err);
	count_waits(r->engine, w->chan);
	chan_destroy(w->chan);
	tree_builder_destroy(w->builder);
	differ_fini(&w->differ);
	if (others)
		*others = w->others;
	else
		other_names_fini(&w->others);
	tree_stack_unref(w->stack);
	return code;
}

/* Once more, of the other names of what has changed. Not in one set with the first look: between
 * the two a directory may have been replaced, and what the first has put below it would stay. */
static int
run_others(struct root *r, const struct walk_aim *first, struct other_names *o, struct err *err)
{
	struct walk_aim *aim;
	int code = r->stack ? other_names_aim(o, r->stack, first, &aim) : 0;

	if (code < 0)
		return err_set(err, code, "could not walk \"%s\": %s", r->path, err_reason(code));
	if (!r->stack || !aim)
		return 0;
	code = attempt(r, ATTEMPT_RESCAN, aim, NULL, err);
	aim_destroy(aim);
	return code;
}

int
indexer_run_aimed(struct root *r, const struct walk_aim *aim, struct err *err)
{
	struct other_names others = {0};
	int code = attempt(r, ATTEMPT_RESCAN, aim, &others, err);

	if (code == 0 && aim)
		code = run_others(r, aim, &others, err);
	other_names_fini(&others);
	/* A segment could not be read, or too much has changed (rule 4 of tier.h): a base is made
	 * from the file system alone. */
	return code == -EBADMSG || code == -EOVERFLOW ? attempt(r, ATTEMPT_ANEW, NULL, NULL, err)
	                                              : code;
}

static bool
may_be_humble(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	return r->stack && r->same_settings && !r->urgent && (!r->walked || live_is_polled(r));
}

int
indexer_run(struct root *r, struct err *err)
{
	int code;

	if (may_be_humble(r)) {
		code = attempt(r, ATTEMPT_HUMBLE, NULL, NULL, err);
		if (code == 0 || stop_requested(&r->stop))
			return code;
	}
	return indexer_run_aimed(r, NULL, err);
}
