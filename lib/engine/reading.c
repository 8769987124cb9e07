#include "engine/reading.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "engine/commit.h"
#include "engine/internal.h"
#include "engine/pending.h"
#include "engine/text_commit.h"
#include "engine/text_tier.h"
#include "sync/cpus.h"
#include "text/window.h"

/* Files that a worker takes at a time: neighbours, for the sake of their lists (text_builder.h). */
#define READ_RUN 32u
/* How long a task keeps its place in the walks' share of the pool. */
#define READ_TURN_USEC (20 * USEC_PER_MSEC)
/* A builder becomes a segment after so long at the latest: what is read is not lost with a crash.
 */
#define READ_BATCH_USEC (60 * USEC_PER_SEC)
/* A builder that has more is not kept while others lack memory. */
#define READ_KEEP_BYTES ((size_t)16 << 20)
/* How long the pass waits at its end for the times of young files to settle. */
#define READ_SETTLE_USEC (2500 * USEC_PER_MSEC)

struct read_worker {
	struct task task;
	struct reading *reading;
	struct text_reader *reader;
};

/* A pass tries all files, then once more what was too young, then what was too much for a builder
 * that was not empty. */
enum read_stage { READ_ALL, READ_YOUNG, READ_LARGE, N_READ_STAGES };

/* What is tried again, by the stage that does, in the order in which it was found. */
struct later {
	struct lock lock; /* RANK_LEAF; guards the rest */
	VEC(struct tree_at) at[N_READ_STAGES];
	bool lost; /* no memory for all of them: they wait for the next pass */
};

/* One pass. */
struct reading {
	struct root *root;
	struct read_stats *stats;
	struct stop stop; /* something else is to be done */
	/* What the root had when it began: changes are applied meanwhile, and give it other trees.
	 */
	struct tree_stack *stack;
	int root_fd;
	struct pending files;
	enum read_stage stage;
	struct later later;

	unsigned n_workers;
	struct read_worker *workers;

	/* Of the batch; fixed while workers run. */
	struct text_builder *builder;
	struct counter n_docs;
	usec_t until;          /* the batch is as large as it gets, monotonic */
	uint64_t first;        /* of its files */
	_Atomic uint64_t next; /* relaxed: which of the files is to be taken next */
	_Atomic int result;    /* relaxed: the first failure; read after the wait */
	_Atomic bool resting;  /* relaxed: workers have ended to rest; read after the wait */

	/* Guarded by the engine's lock. */
	unsigned n_running; /* workers */
	bool none_running;  /* told by root.changed */
};

static size_t
budget(const struct engine *e)
{
	return e->index_bytes / MAX(load_rlx(&e->n_reading), 1u);
}

static bool
is_full(const struct reading *p)
{
	return text_builder_over(p->builder, budget(p->root->engine)) || clock_mono() >= p->until;
}

/* When is it tried again? Never: READ_ALL. */
static enum read_stage
later_stage(const struct reading *p, int fate)
{
	enum read_stage stage = fate == READ_FRESH     ? READ_YOUNG
	                        : fate == READ_CROWDED ? READ_LARGE
	                                               : READ_ALL;

	return stage > p->stage ? stage : READ_ALL;
}

static void
note_later(struct reading *p, enum read_stage stage, struct tree_at at)
{
	LOCK_SCOPE(&p->later.lock);
	p->later.lost = VEC_PUSH(&p->later.at[stage], at) < 0 || p->later.lost;
}

static int
read_one(struct read_worker *w, uint64_t i)
{
	struct reading *p = w->reading;
	struct tree_at at = p->files.at[i];
	uint64_t n_read;
	int fate = text_reader_add(w->reader, at, i, &n_read);
	enum read_stage later = later_stage(p, fate);

	if (fate < 0)
		return fate;
	if (later != READ_ALL) {
		note_later(p, later, at);
		return 0;
	}
	counter_add(&p->stats->n_files, 1);
	counter_add(&p->stats->n_bytes, tree_size(tree_stack_cols(p->stack, at.layer), at.entry));
	counter_add(&p->stats->n_read, n_read);
	counter_add(&p->stats->fates[fate], 1);
	return 0;
}

/* 1 a run was read, 0 there is no more to do now, or -errno. */
static int
read_run(struct read_worker *w)
{
	struct reading *p = w->reading;
	/* Of large files each may fill the builder. */
	uint64_t lo, n = p->stage == READ_LARGE ? 1 : READ_RUN;
	int code = 0;

	if (load_rlx(&p->result) != 0 || (is_full(p) && load_rlx(&p->next) > p->first))
		return 0;
	lo = add_rlx(&p->next, n);
	if (lo >= p->files.n)
		return 0;
	for (uint64_t i = lo; i < MIN(lo + n, p->files.n) && code == 0; i++)
		code = stop_requested(&p->stop) ? -ECANCELED : read_one(w, i);
	return code < 0 ? code : 1;
}

/* Is it somebody else's turn? A query's at once; a walk's, which waits for its share of the pool,
 * after a while. */
static bool
should_yield(const struct engine *e, usec_t began)
{
	return pool_should_yield(e->io, TASK_INDEX) || clock_mono() - began > READ_TURN_USEC;
}

/* The task ends, and holds no thread of the pool while the root's thread rests. */
static bool
should_rest(struct reading *p)
{
	if (manners_ask(&p->root->engine->manners, clock_mono()) == 0)
		return false;
	store_rlx(&p->resting, true);
	return true;
}

static void
worker_done(struct reading *p)
{
	struct root *r = p->root;

	LOCK_SCOPE(&r->engine->lock);
	if (--p->n_running == 0) {
		p->none_running = true;
		cond_broadcast(&r->changed);
	}
}

/* Until nothing is left, or it is somebody else's turn: then the task stands in line again. */
static void
run_worker(struct task *t)
{
	struct read_worker *w = CONTAINER_OF(t, struct read_worker, task);
	struct reading *p = w->reading;
	struct engine *e = p->root->engine;
	usec_t began = clock_mono();
	AUTO(io_class_backp) const int was = io_class_set(IO_CLASS_IDLE);
	int code, none = 0;

	while ((code = read_run(w)) > 0 && !should_rest(p)) {
		if (should_yield(e, began) &&
			pool_submit_share(e->io, t, TASK_INDEX, &e->walks) == 0)
			return;
	}
	if (code < 0)
		(void)cas_ar(&p->result, &none, code);
	worker_done(p);
}

/* Where to read from, and into which builder. */
static void
set_out(struct reading *p)
{
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct text_reader_job job = {
			.root_fd = p->root_fd,
			.stack = p->stack,
			.set = p->root->contents.set,
			.builder = p->builder,
			.adder = text_builder_adder(p->builder, i),
			.n_docs = &p->n_docs,
			.budget_bytes = budget(p->root->engine),
			.squeeze = p->stage == READ_LARGE,
		};

		text_reader_use(p->workers[i].reader, &job);
	}
}

/* Rest when it is time to, while no task runs: 0 go on, -ECANCELED. */
static int
rest(struct reading *p)
{
	usec_t began = clock_mono();
	int code = manners_rest(p->root, &p->stop);

	store_rlx(&p->resting, false);
	if (code > 0)
		p->until += clock_mono() - began; /* or each turn made a segment of its own */
	return MIN(code, 0);
}

/* Tasks read until all have ended: 0, -ECANCELED, -errno. */
static int
run_workers(struct reading *p)
{
	struct engine *e = p->root->engine;

	{
		LOCK_SCOPE(&e->lock);
		p->n_running = p->n_workers;
		p->none_running = false;
	}
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct read_worker *w = &p->workers[i];

		w->task = (struct task){.run = run_worker};
		if (pool_submit_share(e->io, &w->task, TASK_INDEX, &e->walks) < 0) {
			store_rlx(&p->result, -ECANCELED); /* the pool is closed: the end */
			worker_done(p);
		}
	}
	(void)live_serve(p->root, &p->none_running, USEC_NEVER);
	return load_rlx(&p->result);
}

/* Others lack memory: what the builder has is written rather than kept over a rest. */
static bool
should_give_back(const struct reading *p)
{
	return manners_why_now(&p->root->engine->manners) == MANNERS_MEMORY &&
	       text_builder_over(p->builder, READ_KEEP_BYTES);
}

/* Read until the builder is full or no file is left: 0, -ECANCELED, -errno. */
static int
read_batch(struct reading *p)
{
	int code;

	set_out(p);
	do {
		code = rest(p);
		if (code == 0)
			code = run_workers(p);
	} while (code == 0 && load_rlx(&p->resting) && !is_full(p) && !should_give_back(p) &&
		 load_rlx(&p->next) < p->files.n);
	return code;
}

static int
begin_batch(struct reading *p)
{
	struct engine *e = p->root->engine;
	const struct text_builder_opts opts = {
		.n_symbols = p->root->contents.n_symbols,
		.n_adders = p->n_workers,
		.overlap_bytes = WINDOW_OVERLAP,
		.budget_bytes = e->index_bytes,
		.pool = e->io,
	};

	p->n_docs = (struct counter){0};
	p->until = clock_deadline(READ_BATCH_USEC);
	p->first = load_rlx(&p->next);
	store_rlx(&p->result, 0);
	return text_builder_create(&opts, &p->builder);
}

/* What the builder has becomes a segment of the root; nothing: no segment. */
static int
commit_batch(struct reading *p, struct err *err)
{
	struct root *r = p->root;
	AUTO(freep) char *name = commit_name(r, "text");
	struct text_written written;
	int code = -ENOMEM;

	if (name)
		code = text_builder_write(p->builder, r->engine->segment_fd, name,
			r->contents.next_content, &r->stop, &written, err);
	text_builder_destroy(p->builder);
	p->builder = NULL;
	if (code == 0)
		code = text_commit(r, name, r->contents.set ? r->contents.set->n : 0, 0, err);
	return code == -ENODATA ? 0 : code;
}

static int
batch(struct reading *p, struct err *err)
{
	struct root *r = p->root;
	int code, committed = 0;

	if (r->contents.set && r->contents.set->n >= TEXT_TIER_MANY)
		return -EAGAIN;
	code = begin_batch(p);
	if (code == 0)
		code = read_batch(p);
	if (p->builder)
		committed = stop_requested(&r->stop) ? -ECANCELED : commit_batch(p, err);
	return code < 0 ? code : committed;
}

static int
read_files(struct reading *p, struct err *err)
{
	int code = 0;

	store_rlx(&p->next, 0);
	while (code == 0 && load_rlx(&p->next) < p->files.n)
		code = batch(p, err);
	return code;
}

/* When all young ones will have lain back long enough, monotonic; at most READ_SETTLE_USEC away.
 */
static usec_t
settled_at(const struct reading *p)
{
	usec_t now = clock_real(), at = now;

	for (unsigned i = 0; i < p->n_workers; i++)
		at = MAX(at, text_reader_settled_at(p->workers[i].reader));
	return clock_deadline(MIN(at - now, READ_SETTLE_USEC));
}

/* What earlier ones have left to a stage. */
static int
read_later(struct reading *p, enum read_stage stage, struct err *err)
{
	int code;

	if (p->later.at[stage].len == 0)
		return 0;
	code = stage == READ_YOUNG ? live_serve(p->root, NULL, settled_at(p)) : -ETIMEDOUT;
	if (code != -ETIMEDOUT)
		return code;
	pending_fini(&p->files);
	p->files = (struct pending){.at = p->later.at[stage].data, .n = p->later.at[stage].len};
	p->later.at[stage].data = NULL;
	p->stage = stage;
	return read_files(p, err);
}

static int
make_workers(struct reading *p)
{
	struct root *r = p->root;
	struct engine *e = r->engine;
	unsigned width = e->walk_width ? e->walk_width : thread_cpus();
	const struct text_reader_opts opts = {
		.n_symbols = r->contents.n_symbols,
		.max_bytes = r->contents.max_bytes,
		.stop = &p->stop,
	};
	int code = 0;

	width = MAX(MIN(width, e->walks.max - 1), 1u); /* as a walk: one for who comes next */
	p->workers = calloc(width, sizeof(*p->workers));
	if (!p->workers)
		return -ENOMEM;
	for (; p->n_workers < width && code == 0; p->n_workers += code == 0) {
		p->workers[p->n_workers].reading = p;
		code = text_reader_create(&opts, &p->workers[p->n_workers].reader);
	}
	return p->n_workers > 0 ? 0 : code; /* fewer do as well */
}

static int
open_root(struct reading *p, struct err *err)
{
	const char *path = p->root->path;

	p->root_fd = fd_open_absolute(span_of(path), O_PATH | O_DIRECTORY);
	return p->root_fd >= 0 ? 0
	                       : err_set(err, p->root_fd, "could not open \"%s\": %s", path,
					 err_reason(p->root_fd));
}

static void
tell_wanted(struct reading *p)
{
	LOCK_SCOPE(&p->root->engine->lock);
	p->stats->want_files = p->files.n;
	p->stats->want_bytes = p->files.n_bytes;
}

static int
begin(struct reading *p, struct err *err)
{
	struct text_view *view = text_view_now(p->root);
	int code;

	p->stack = tree_stack_ref(p->root->stack);
	code = view ? pending_list(p->stack, view, &p->files) : -ECANCELED;

	text_view_unref(view);
	if (code < 0 || p->files.n == 0)
		return code;
	tell_wanted(p);
	code = open_root(p, err);
	return code < 0 ? code : make_workers(p);
}

static void
reading_fini(struct reading *p)
{
	for (unsigned i = 0; i < p->n_workers; i++)
		text_reader_destroy(p->workers[i].reader);
	free(p->workers);
	text_builder_destroy(p->builder);
	pending_fini(&p->files);
	VEC_FINI(&p->later.at[READ_YOUNG]);
	VEC_FINI(&p->later.at[READ_LARGE]);
	lock_fini(&p->later.lock);
	closep(&p->root_fd);
	tree_stack_unref(p->stack);
	stop_fini(&p->stop);
}

static int
pass(struct reading *p, struct err *err)
{
	int code = begin(p, err);

	if (code == 0 && p->files.n > 0)
		code = read_files(p, err);
	if (code == 0)
		code = read_later(p, READ_YOUNG, err);
	if (code == 0)
		code = read_later(p, READ_LARGE, err);
	return code;
}

int
reading_run(struct root *r, struct read_stats *stats, struct err *err)
{
	AUTO(reading_fini) struct reading p = {.root = r, .stats = stats, .root_fd = -1};
	int code;

	stop_init(&p.stop, &r->stop);
	lock_init(&p.later.lock, RANK_LEAF, "files for later");
	code = root_begin_leisure(r, &p.stop, true);
	if (code < 0)
		return code;
	thread_doing("reads files of %s", r->path);
	(void)add_rlx(&r->engine->n_reading, 1);
	code = pass(&p, err);
	(void)sub_rlx(&r->engine->n_reading, 1);
	root_end_leisure(r);
	if (code == -ENOMEM || (code < 0 && code != -ECANCELED && code != -EAGAIN && !err->what[0]))
		return err_set(err, code, "could not read the files of \"%s\": %s", r->path,
			err_reason(code));
	return code;
}
