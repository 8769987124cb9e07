#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "sync/flag.h"
#include "sync/thread.h"

/* An engine over one generated tree; walks end with an event, which is what tests wait for. */
struct fixture {
	char *dir;
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct engine_root roots[2];
	struct engine_config cfg;

	/* Guarded by lock. */
	struct lock lock;
	struct cond changed;
	unsigned n_done, n_trouble;
	char last[512];
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	struct fixture *f = ctx;

	LOCK_SCOPE(&f->lock);
	f->n_done += !trouble;
	f->n_trouble += trouble;
	(void)snprintf(f->last, sizeof(f->last), "%s", text);
	cond_broadcast(&f->changed);
}

static void
wait_done(struct fixture *f, unsigned n)
{
	LOCK_SCOPE(&f->lock);
	while (f->n_done < n)
		CHECK_INT(cond_wait_until(&f->changed, &f->lock, clock_deadline(60 * USEC_PER_SEC)),
			0);
}

static void
wait_trouble(struct fixture *f, unsigned n)
{
	LOCK_SCOPE(&f->lock);
	while (f->n_trouble < n)
		CHECK_INT(cond_wait_until(&f->changed, &f->lock, clock_deadline(60 * USEC_PER_SEC)),
			0);
}

static void
start(struct fixture *f)
{
	struct err err = {0};

	f->cfg = (struct engine_config){
		.state_dir = f->state,
		.roots = f->roots,
		.n_roots = 1,
		.io = f->io,
		.on_event = on_event,
		.ctx = f,
	};
	CHECK_SAY(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	CHECK_SAY(engine_start(f->engine, &err) == 0, "%s", err.what);
}

static char main_name[] = "main";

static void
setup(struct fixture *f)
{
	*f = (struct fixture){.dir = test_dir()};
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	test_write(f->dir, "tree/a/one.c", "int one;\n");
	test_write(f->dir, "tree/a/b/two.h", "two\n");
	test_write(f->dir, "tree/three", "");
	lock_init(&f->lock, RANK_LEAF, "fixture");
	cond_init(&f->changed);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 2, &f->io), 0);
	f->roots[0] = (struct engine_root){.name = main_name, .path = f->tree, .content = true};
	start(f);
}

static void
teardown(struct fixture *f)
{
	engine_destroy(f->engine);
	pool_destroy(f->io);
	cond_fini(&f->changed);
	lock_fini(&f->lock);
	test_dir_remove(f->dir);
}

static bool
indexed_in(struct fixture *f, const char *dir, const char *below)
{
	struct snapshot *s = engine_snapshot(f->engine);
	char path[2048];
	uint32_t root, entry;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	r = snapshot_lookup(s, span_of(path), &root, &entry);
	snapshot_unref(s);
	return r == 0;
}

static bool
indexed(struct fixture *f, const char *below)
{
	return indexed_in(f, f->tree, below);
}

static unsigned
n_segments(const struct fixture *f)
{
	char path[1024];
	DIR *d;
	unsigned n = 0;

	(void)snprintf(path, sizeof(path), "%s/segments", f->state);
	d = opendir(path);
	CHECK(d != NULL);
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

TEST(engine, indexes_a_root_and_publishes_it)
{
	struct fixture f;

	setup(&f);
	wait_done(&f, 1);
	CHECK(indexed(&f, "a/b/two.h"));
	CHECK(indexed(&f, "three"));
	CHECK(!indexed(&f, "four"));
	teardown(&f);
}

TEST(engine, a_rescan_shows_what_changed_and_keeps_one_file)
{
	struct fixture f;
	struct snapshot *before;

	setup(&f);
	wait_done(&f, 1);
	before = engine_snapshot(f.engine);
	test_write(f.dir, "tree/a/new", "x");
	CHECK_INT(engine_rescan(f.engine, "main", NULL), 0);
	wait_done(&f, 2);
	CHECK(indexed(&f, "a/new"));
	CHECK_INT(before->roots[0].stack ? before->roots[0].stack->n_entries : 0, 6);
	snapshot_unref(before);
	CHECK_INT(n_segments(&f), 1);
	CHECK_INT(engine_rescan(f.engine, "other", NULL), -ENOENT);
	teardown(&f);
}

/* The linker puts this in front of the real one: tests/CMakeLists.txt. */
struct snapshot *__real_snapshot_create(uint32_t n_roots);
struct snapshot *__wrap_snapshot_create(uint32_t n_roots);
static struct flag no_memory, memory_again;

struct snapshot *
__wrap_snapshot_create(uint32_t n_roots)
{
	if (flag_seen(&no_memory) && !flag_seen(&memory_again))
		return NULL;
	return __real_snapshot_create(n_roots);
}

TEST(engine, what_could_not_be_published_is_published_by_the_next_who_looks)
{
	struct engine_status status;
	struct fixture f;

	setup(&f);
	wait_done(&f, 1);
	test_write(f.dir, "tree/a/new", "x");
	flag_raise(&no_memory);
	CHECK_INT(engine_rescan(f.engine, "main", NULL), 0);
	wait_done(&f, 2);
	CHECK_INT(engine_status(f.engine, &status), 0);
	engine_status_fini(&status);
	CHECK(!indexed(&f, "a/new"));
	CHECK(indexed(&f, "a/one.c"));
	flag_raise(&memory_again);
	CHECK_INT(engine_status(f.engine, &status), 0);
	engine_status_fini(&status);
	CHECK(indexed(&f, "a/new"));
	CHECK_INT(n_segments(&f), 1);
	teardown(&f);
}

TEST(engine, a_restart_serves_the_saved_index_before_any_walk)
{
	struct fixture f;
	struct err err = {0};

	setup(&f);
	wait_done(&f, 1);
	engine_destroy(f.engine);
	CHECK_SAY(engine_create(&f.cfg, &f.engine, &err) == 0, "%s", err.what);
	CHECK(indexed(&f, "a/one.c"));
	teardown(&f);
}

static void
on_synced(void *ctx, int result, uint64_t tick)
{
	(void)result; /* -ESTALE where nothing can be watched */
	(void)tick;
	flag_raise(ctx);
}

/* Also while the root's thread has taken the walk up but has not begun it: it sets up watches. */
TEST(engine, a_barrier_during_a_start_waits_for_the_walk)
{
	struct fixture f;
	char name[32];

	setup(&f);
	wait_done(&f, 1);
	f.roots[0].watch = ENGINE_WATCH_AUTO;
	for (unsigned i = 0; i < test_scale(5000); i++) {
		struct flag over = {0};

		engine_destroy(f.engine);
		(void)snprintf(name, sizeof(name), "tree/new%u", i);
		test_write(f.dir, name, "");
		start(&f);
		for (unsigned n = i % 4; n > 0; n--)
			test_pause();
		CHECK_INT(
			engine_sync(f.engine, clock_deadline(60 * USEC_PER_SEC), on_synced, &over),
			0);
		while (!flag_seen(&over))
			test_pause();
		CHECK_SAY(indexed(&f, name + sizeof("tree")), "%s is missing", name);
	}
	teardown(&f);
}

TEST(engine, a_damaged_segment_is_told_and_made_again)
{
	struct fixture f;
	char path[2048], name[300] = "";
	DIR *d;
	int fd;

	setup(&f);
	wait_done(&f, 1);
	engine_destroy(f.engine);
	(void)snprintf(path, sizeof(path), "%s/segments", f.state);
	d = opendir(path);
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (e->d_name[0] != '.')
			(void)snprintf(name, sizeof(name), "%s", e->d_name);
	}
	(void)closedir(d);
	(void)snprintf(path, sizeof(path), "%s/segments/%s", f.state, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 100) == 0 && close(fd) == 0);
	start(&f);
	wait_trouble(&f, 1);
	wait_done(&f, 2);
	CHECK(indexed(&f, "a/one.c"));
	teardown(&f);
}

TEST(engine, a_second_engine_on_the_same_state_is_refused)
{
	struct fixture f;
	struct engine *second;
	struct err err = {0};

	setup(&f);
	CHECK_INT(engine_create(&f.cfg, &second, &err), -EBUSY);
	CHECK(strstr(err.what, f.state) != NULL);
	teardown(&f);
}

TEST(engine, a_root_that_is_missing_is_a_failed_root_not_a_failed_daemon)
{
	struct fixture f;
	struct engine_status s;

	setup(&f);
	wait_done(&f, 1);
	engine_destroy(f.engine);
	f.roots[0].path = (char[]){"/nonexistent/tree"};
	start(&f);
	wait_trouble(&f, 1);
	CHECK_INT(engine_status(f.engine, &s), 0);
	CHECK_INT(s.roots[0].state, ROOT_FAILED);
	CHECK(strstr(s.roots[0].error, "/nonexistent/tree") != NULL);
	engine_status_fini(&s);
	teardown(&f);
}

TEST(engine, a_reload_adds_and_removes_roots)
{
	struct fixture f;
	char second[600];
	struct engine_config cfg;
	struct err err = {0};

	setup(&f);
	wait_done(&f, 1);
	test_write(f.dir, "second/file", "x");
	(void)snprintf(second, sizeof(second), "%s/second", f.dir);
	f.roots[1] = (struct engine_root){.name = (char[]){"second"}, .path = second};
	cfg = f.cfg;
	cfg.n_roots = 2;
	CHECK_SAY(engine_reload(f.engine, &cfg, &err) == 0, "%s", err.what);
	wait_done(&f, 2);
	CHECK(indexed(&f, "three"));
	CHECK(indexed_in(&f, second, "file"));
	cfg.roots = &f.roots[1];
	cfg.n_roots = 1;
	CHECK_INT(engine_reload(f.engine, &cfg, &err), 0);
	CHECK(!indexed(&f, "three"));
	teardown(&f);
}

TEST(engine, changed_rules_are_walked_again_and_the_old_index_serves_meanwhile)
{
	struct fixture f;
	struct engine_root changed;
	struct engine_config cfg;

	setup(&f);
	wait_done(&f, 1);
	changed = f.roots[0];
	changed.exclude = (char *[]){(char[]){"*.c"}, NULL};
	cfg = f.cfg;
	cfg.roots = &changed;
	CHECK_INT(engine_reload(f.engine, &cfg, NULL), 0);
	CHECK(indexed(&f, "three"));
	wait_done(&f, 2);
	CHECK(!indexed(&f, "a/one.c"));
	CHECK(indexed(&f, "a/b/two.h"));
	teardown(&f);
}

TEST(engine, a_wrong_rule_leaves_everything_as_it_was)
{
	struct fixture f;
	struct engine_root changed;
	struct engine_config cfg;
	struct err err = {0};

	setup(&f);
	wait_done(&f, 1);
	changed = f.roots[0];
	changed.exclude = (char *[]){(char[]){"[a"}, NULL};
	cfg = f.cfg;
	cfg.roots = &changed;
	CHECK_INT(engine_reload(f.engine, &cfg, &err), -EINVAL);
	CHECK(strstr(err.what, "[a") != NULL);
	CHECK(indexed(&f, "a/one.c"));
	teardown(&f);
}

TEST(engine, why_names_the_reason)
{
	struct fixture f;
	struct engine_why w;
	char path[1024];

	setup(&f);
	wait_done(&f, 1);
	(void)snprintf(path, sizeof(path), "%s/a/one.c", f.tree);
	CHECK_INT(engine_why(f.engine, span_of(path), &w, NULL), 0);
	CHECK_INT(w.verdict.skip, SKIP_NONE);
	CHECK(w.indexed);
	CHECK_STR(w.content, "searched");
	engine_why_fini(&w);
	CHECK_INT(engine_why(f.engine, SPAN_LIT("/nonexistent"), &w, NULL), -ENOENT);
	teardown(&f);
}

TEST(engine, the_state_directory_inside_a_root_is_not_indexed)
{
	struct fixture f;

	setup(&f);
	wait_done(&f, 1);
	engine_destroy(f.engine);
	f.roots[0].path = f.dir;
	start(&f);
	wait_done(&f, 2);
	CHECK(indexed(&f, "a/one.c"));
	CHECK(indexed_in(&f, f.dir, "state"));
	CHECK(!indexed_in(&f, f.state, "catalog.db"));
	teardown(&f);
}

TEST(engine, stops_in_the_middle_of_a_walk)
{
	unsigned long rounds = test_scale(5000);

	for (unsigned long i = 0; i < rounds; i++) {
		struct fixture f;

		setup(&f);
		if (i % 2)
			(void)engine_rescan(f.engine, NULL, NULL);
		engine_stop(f.engine);
		teardown(&f);
	}
}

struct reader {
	struct fixture *f;
	_Atomic uint32_t *over;
};

/* Takes snapshots as fast as it can, and keeps each until it has the next. */
static int
read_snapshots(void *arg)
{
	struct reader *r = arg;
	struct snapshot *kept = NULL;
	int bad = 0;

	while (!load_acq(r->over)) {
		struct snapshot *s = engine_snapshot(r->f->engine);
		uint32_t root, entry;

		bad += kept && s->tick < kept->tick;
		if (kept && kept->roots[0].stack)
			bad += snapshot_lookup(kept, span_of(kept->roots[0].path), &root, &entry) <
			       0;
		snapshot_unref(kept);
		kept = s;
	}
	snapshot_unref(kept);
	return bad;
}

TEST(engine, readers_keep_their_snapshots_while_walks_replace_them)
{
	unsigned rounds = (unsigned)test_scale(10000);
	_Atomic uint32_t over = 0;
	struct snapshot_stats st;
	struct thread t[3];
	struct fixture f;
	struct reader r = {&f, &over};

	setup(&f);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_start(&t[i], "read", read_snapshots, &r), 0);
	for (unsigned i = 1; i <= rounds; i++) {
		wait_done(&f, i);
		CHECK_INT(engine_rescan(f.engine, NULL, NULL), 0);
	}
	store_rel(&over, 1);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(thread_join(&t[i]), 0);
	wait_done(&f, rounds + 1);
	teardown(&f);
	snapshot_get_stats(&st);
	CHECK_INT(st.n_live, 0);
}
