/*
 * Who waits for nothing waits for others: the walk after a start rests while others are pressed, is
 * over at once when somebody needs it, and a first walk does not rest at all.
 */
#include "base/clock.h"
#include "engine/engine.h"
#include "root_status.h"
#include "text/mapfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_DIRS 20u
/* Long before a rest is over (30 s), or the walk gives up being humble. */
#define AT_ONCE_USEC (15 * USEC_PER_SEC)

TestSuite(manners_flow, .timeout = 120);

static char root_name[] = "main";

struct flow {
	char *dir;
	char tree[512], state[512], pressure[512];
	struct pool *io;
	struct engine *engine;
	struct engine_root root;
	struct engine_config cfg;
	uint64_t stalled_usec;
};

/* What the kernel would say of others who wait for disks more and more; never half of it. */
static void
press(struct flow *f)
{
	char text[128], from[600], to[600];

	f->stalled_usec += USEC_PER_SEC;
	(void)snprintf(text, sizeof(text), "some avg10=90.00 avg60=0.00 avg300=0.00 total=%llu\n",
		(unsigned long long)f->stalled_usec);
	test_write(f->dir, "pressure/next", text);
	(void)snprintf(from, sizeof(from), "%s/next", f->pressure);
	(void)snprintf(to, sizeof(to), "%s/io", f->pressure);
	CHECK_INT(rename(from, to), 0);
}

static void
setup(struct flow *f)
{
	*f = (struct flow){.dir = test_dir()};
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	(void)snprintf(f->pressure, sizeof(f->pressure), "%s/pressure", f->dir);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 3, &f->io), 0);
	for (unsigned i = 0; i < N_DIRS; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "tree/d%u/file", i);
		test_write(f->dir, name, "");
	}
	f->root = (struct engine_root){
		.name = root_name, .path = f->tree, .watch = ENGINE_WATCH_AUTO};
	f->cfg = (struct engine_config){
		.state_dir = f->state,
		.roots = &f->root,
		.n_roots = 1,
		.io = f->io,
		.walk_width = 2,
		.pressure_dir = f->pressure,
		.pressure_percent = 20,
	};
}

static void
start(struct flow *f)
{
	struct err err = {0};

	CHECK_SAY(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	CHECK_SAY(engine_start(f->engine, &err) == 0, "%s", err.what);
}

static void
wait_ready(struct flow *f)
{
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);

	while (root_status(f->engine).state != ROOT_READY) {
		CHECK_SAY(clock_mono() < deadline, "it is never walked");
		press(f);
		test_pause();
	}
}

/* With an index of an earlier run, under pressure, in its walk's rest. */
static void
start_and_rest(struct flow *f)
{
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);

	setup(f);
	press(f);
	start(f);
	wait_ready(f); /* a first walk does not rest */
	engine_destroy(f->engine);
	start(f);
	while (!root_status(f->engine).paused) {
		CHECK_SAY(clock_mono() < deadline, "it does not rest");
		press(f);
		test_pause();
	}
	CHECK_STR(root_status(f->engine).paused, "io");
	CHECK(root_status(f->engine).state == ROOT_INDEXING);
	CHECK_INT(root_status(f->engine).n_entries, 1 + 2 * N_DIRS); /* it serves */
}

static void
teardown(struct flow *f)
{
	engine_destroy(f->engine);
	pool_destroy(f->io);
	test_dir_remove(f->dir);
}

TEST(manners_flow, the_walk_after_a_start_rests_until_a_client_asks_for_one)
{
	struct flow f;
	usec_t deadline;

	start_and_rest(&f);
	deadline = clock_deadline(AT_ONCE_USEC);
	test_write(f.dir, "tree/new", "");
	CHECK_INT(engine_rescan(f.engine, NULL, NULL), 0);
	while (root_status(f.engine).n_entries != 2 + 2 * N_DIRS) {
		CHECK(clock_mono() < deadline);
		press(&f);
	}
	wait_ready(&f);
	CHECK(!root_status(f.engine).paused);
	teardown(&f);
}

struct synced {
	_Atomic bool over;
	int result;
};

static void
on_synced(void *ctx, int result, uint64_t tick)
{
	struct synced *s = ctx;

	(void)tick;
	s->result = result;
	store_rel(&s->over, true);
}

TEST(manners_flow, a_barrier_ends_the_rest_of_a_walk)
{
	struct synced s = {0};
	struct flow f;

	start_and_rest(&f);
	CHECK_INT(engine_sync(f.engine, clock_deadline(AT_ONCE_USEC), on_synced, &s), 0);
	while (!load_acq(&s.over))
		press(&f);
	CHECK(s.result == 0 || s.result == -ESTALE); /* where nothing can be watched */
	CHECK(root_status(f.engine).state == ROOT_READY);
	teardown(&f);
}

TEST(manners_flow, a_walk_that_rests_goes_on_when_others_are_done)
{
	struct flow f;

	start_and_rest(&f);
	while (root_status(f.engine).state != ROOT_READY)
		test_pause(); /* nobody is stalled any more */
	teardown(&f);
}

TEST(manners_flow, a_walk_that_rests_ends_with_the_engine)
{
	struct flow f;
	usec_t began;

	start_and_rest(&f);
	began = clock_mono();
	engine_destroy(f.engine);
	f.engine = NULL;
	CHECK(clock_mono() - began < AT_ONCE_USEC);
	teardown(&f);
}
