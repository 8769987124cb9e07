/*
 * Queries while the index changes below them: each answer is of one walk or of the other, whole,
 * and a cursor goes on over the snapshot it began with, whatever is published meanwhile.
 */
#include "test.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "query/query.h"
#include "sync/thread.h"
#include "text/mapfile.h"
#include <stdio.h>
#include <unistd.h>

#define N_READERS 3u
#define N_FILES 120u

static char root_name[] = "main";

struct flow {
	char *dir;
	char tree[512], state[512];
	struct pool *compute, *io;
	struct engine *engine;
	struct engine_root root;
	struct engine_config cfg;

	/* Guarded by lock. */
	struct lock lock;
	struct cond changed;
	unsigned n_walks;
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	struct flow *f = ctx;

	cr_assert(!trouble, "%s", text);
	LOCK_SCOPE(&f->lock);
	f->n_walks++;
	cond_broadcast(&f->changed);
}

/* Until `n` walks have ended since the engine was created. */
static void
wait_walks(struct flow *f, unsigned n)
{
	LOCK_SCOPE(&f->lock);
	while (f->n_walks < n)
		CHECK_INT(cond_wait_until(&f->changed, &f->lock, clock_deadline(60 * USEC_PER_SEC)),
			0);
}

static void
start_engine(struct flow *f)
{
	struct err err = {0};

	f->n_walks = 0;
	cr_assert(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	cr_assert(engine_start(f->engine, &err) == 0, "%s", err.what);
}

/* `round` is part of every name: the names of one walk share it. */
static void
write_files(struct flow *f, unsigned round)
{
	char name[128];

	for (unsigned i = 0; i < N_FILES; i++) {
		(void)snprintf(name, sizeof(name), "tree/d%u/round%u_%u.c", i % 7, round, i);
		test_write(f->dir, name, "int needle;\n");
	}
}

static void
remove_files(struct flow *f, unsigned round)
{
	char path[1024];

	for (unsigned i = 0; i < N_FILES; i++) {
		(void)snprintf(path, sizeof(path), "%s/d%u/round%u_%u.c", f->tree, i % 7, round, i);
		CHECK_INT(unlink(path), 0);
	}
}

static void
setup(struct flow *f)
{
	*f = (struct flow){.dir = test_dir()};
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	lock_init(&f->lock, RANK_LEAF, "flow");
	cond_init(&f->changed);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("compute", 2, &f->compute), 0);
	CHECK_INT(pool_create("io", 2, &f->io), 0);
	write_files(f, 0);
	f->root = (struct engine_root){.name = root_name, .path = f->tree, .content = true};
	f->cfg = (struct engine_config){
		.state_dir = f->state,
		.roots = &f->root,
		.n_roots = 1,
		.io = f->io,
		.on_event = on_event,
		.ctx = f,
	};
	start_engine(f);
	wait_walks(f, 1);
}

static void
teardown(struct flow *f)
{
	engine_destroy(f->engine);
	pool_destroy(f->compute);
	pool_destroy(f->io);
	cond_fini(&f->changed);
	lock_fini(&f->lock);
	test_dir_remove(f->dir);
}

static struct cursor *
ask(struct flow *f, const char *text)
{
	struct query_env env = {.now_ns = (int64_t)clock_real() * 1000};
	struct cursor_opts opts = {
		.deadline = USEC_NEVER,
		.compute = f->compute,
		.io = f->io,
	};
	struct snapshot *s = engine_snapshot(f->engine);
	struct err err = {0};
	struct query *q;
	struct cursor *c;

	cr_assert(query_parse(span_of(text), &env, &q, &err) == 0, "%s", err.what);
	cr_assert(cursor_open(q, s, &opts, &c, &err) == 0, "%s", err.what);
	query_unref(q);
	snapshot_unref(s);
	return c;
}

/* What is left of the cursor: how many answers, all from one round, which is returned. */
static unsigned
drain(struct cursor *c, unsigned *ret_round)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	unsigned n = 0, round, first = 0;
	struct hit hit;
	int r;

	while ((r = cursor_next(c, &hit)) == 1) {
		strbuf_reset(&path);
		CHECK_INT(snapshot_path(cursor_snapshot(c), hit.root, hit.entry, &path), 0);
		CHECK_INT(sscanf(strrchr(path.data, '/'), "/round%u_", &round), 1);
		if (n++ == 0)
			first = round;
		CHECK_INT(round, first);
	}
	CHECK_INT(r, 0);
	*ret_round = first;
	return n;
}

struct reader {
	struct thread thread;
	struct flow *flow;
	struct stop *stop;
	const char *query;
	unsigned n_asked;
};

static int
reader_main(void *arg)
{
	struct reader *r = arg;
	unsigned round, newest = 0;

	/* At least once, however short the test is. */
	do {
		struct cursor *c = ask(r->flow, r->query);

		CHECK_INT(drain(c, &round), N_FILES);
		cursor_close(c);
		CHECK(round >= newest); /* never back in time */
		newest = round;
		r->n_asked++;
	} while (!stop_requested(r->stop));
	return 0;
}

TEST(rescan_flow, each_answer_is_of_one_walk)
{
	struct flow f;
	struct reader readers[N_READERS];
	struct stop stop;
	unsigned n = (unsigned)test_scale(1000) + 6;

	setup(&f);
	stop_init(&stop, NULL);
	for (unsigned i = 0; i < N_READERS; i++) {
		readers[i] =
			(struct reader){.flow = &f, .stop = &stop, .query = "type:f ext:c round"};
		CHECK_INT(thread_start(&readers[i].thread, "reader", reader_main, &readers[i]), 0);
	}
	for (unsigned round = 1; round <= n; round++) {
		/* No walk runs now, so none sees both the new names and the old ones. */
		write_files(&f, round);
		remove_files(&f, round - 1);
		CHECK_INT(engine_rescan(f.engine, "main", NULL), 0);
		wait_walks(&f, round + 1);
	}
	stop_request(&stop);
	for (unsigned i = 0; i < N_READERS; i++) {
		CHECK_INT(thread_join(&readers[i].thread), 0);
		CHECK(readers[i].n_asked > 0);
	}
	stop_fini(&stop);
	teardown(&f);
}

TEST(rescan_flow, a_cursor_goes_on_over_the_snapshot_it_began_with)
{
	struct flow f;
	struct cursor *c;
	struct hit hit;
	unsigned round;

	setup(&f);
	c = ask(&f, "type:f round");
	for (unsigned i = 0; i < 10; i++)
		CHECK_INT(cursor_next(c, &hit), 1);
	write_files(&f, 1);
	remove_files(&f, 0);
	CHECK_INT(engine_rescan(f.engine, NULL, NULL), 0);
	wait_walks(&f, 2);
	CHECK_INT(drain(c, &round), N_FILES - 10);
	CHECK_INT(round, 0);
	cursor_close(c);

	c = ask(&f, "type:f round");
	CHECK_INT(drain(c, &round), N_FILES);
	CHECK_INT(round, 1);
	cursor_close(c);
	teardown(&f);
}

TEST(rescan_flow, contents_of_files_that_went_are_counted_not_given)
{
	struct flow f;
	struct cursor_stats stats;
	struct cursor *c;
	struct hit hit;

	setup(&f);
	remove_files(&f, 0);
	c = ask(&f, "content:needle");
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_get_stats(c, &stats);
	CHECK_INT(stats.skipped.gone, N_FILES);
	cursor_close(c);
	teardown(&f);
}

TEST(rescan_flow, a_restart_answers_before_it_walks)
{
	struct flow f;
	struct err err = {0};
	struct cursor *c;
	unsigned round;

	setup(&f);
	engine_destroy(f.engine);
	remove_files(&f, 0); /* only the segment still knows them */
	cr_assert(engine_create(&f.cfg, &f.engine, &err) == 0, "%s", err.what);
	c = ask(&f, "type:f round");
	CHECK_INT(drain(c, &round), N_FILES);
	cursor_close(c);
	teardown(&f);
}
