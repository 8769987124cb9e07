/*
 * Queries while the index changes below them: each answer is of one walk or of the other, whole,
 * and a cursor goes on over the snapshot it began with, whatever is published meanwhile.
 */
#include "tests/unit/walk/hostile.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/tier.h"
#include "query/query.h"
#include "sync/thread.h"
#include "text/mapfile.h"
#include <dirent.h>
#include <sched.h>

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

	CHECK_SAY(!trouble, "%s", text);
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
	CHECK_SAY(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	CHECK_SAY(engine_start(f->engine, &err) == 0, "%s", err.what);
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

	CHECK_SAY(query_parse(span_of(text), &env, &q, &err) == 0, "%s", err.what);
	CHECK_SAY(cursor_open(q, s, &opts, &c, &err) == 0, "%s", err.what);
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
		CHECK_INT(snapshot_path(cursor_snapshot(c), hit.layer, hit.entry, &path), 0);
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
	CHECK_SAY(engine_create(&f.cfg, &f.engine, &err) == 0, "%s", err.what);
	c = ask(&f, "type:f round");
	CHECK_INT(drain(c, &round), N_FILES);
	cursor_close(c);
	teardown(&f);
}

/* Until whatever has been stamped so far lies back further than any clock's tick. */
static void
let_times_settle(void)
{
	usec_t until = clock_real() + 25 * USEC_PER_MSEC;

	while (clock_real() < until)
		test_pause();
}

/* What is live in a layer, but for the root, as rows of a walk. */
static void
add_layer(const struct snap_layer *l, struct walked *w)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	const struct tree_cols *c = tree_cols(l->tree);

	for (uint32_t e = 1; e < c->n_entries; e++) {
		const struct tree_class *cls = &c->classes[tree_cls(c, e)];
		struct walked_row row = {
			.e = {.type = tree_type(c, e),
				.nlink = tree_nlink(c, e),
				.size = tree_size(c, e),
				.blocks = tree_blocks(c, e),
				.ino = tree_ino(c, e),
				.mtime_ns = tree_mtime(c, e),
				.ctime_ns = tree_ctime(c, e)},
			.cls = {.mode = cls->mode, .uid = cls->uid, .gid = cls->gid},
		};

		if (tree_is_dead(l->dead, e))
			continue;
		strbuf_reset(&path);
		CHECK_INT(tree_path(c, e, &path), 0);
		row.path = strdup(path.data);
		CHECK(row.path && VEC_PUSH(&w->rows, row) == 0);
	}
}

/* What is published, to hold it against find(1). */
static void
check_like_find(struct flow *f)
{
	struct snapshot *s = engine_snapshot(f->engine);
	struct walked w = {0};
	struct found found = {0};

	for (uint32_t i = 0; i < s->n_layers; i++)
		add_layer(&s->layers[i], &w);
	CHECK_INT(s->roots[0].stack->n_entries, w.rows.len + 1);
	qsort(w.rows.data, w.rows.len, sizeof(w.rows.data[0]), walked_row_cmp);
	found_run(&found, f->tree, "");
	check_same(&w, &found);
	found_fini(&found);
	walked_fini(&w);
	snapshot_unref(s);
}

static struct engine_root_status
status_of_root(struct flow *f, uint64_t *ret_n_commits)
{
	struct engine_status s = {0};
	struct engine_root_status root;

	CHECK_INT(engine_status(f->engine, &s), 0);
	root = s.roots[0]; /* its strings are not used */
	if (ret_n_commits)
		*ret_n_commits = s.n_commits;
	engine_status_fini(&s);
	return root;
}

/* Rescan; returns how many segments that made. */
static uint64_t
rescan(struct flow *f)
{
	uint64_t before, after;
	unsigned n = f->n_walks;

	(void)status_of_root(f, &before);
	CHECK_INT(engine_rescan(f->engine, NULL, NULL), 0);
	wait_walks(f, n + 1);
	(void)status_of_root(f, &after);
	return after - before;
}

TEST(rescan_flow, an_unchanged_tree_keeps_its_segment_and_is_known_to_be_of_now)
{
	struct flow f;
	struct snapshot *before, *after;
	usec_t walked, restarted;

	setup(&f);
	for (unsigned i = 0; i < 2; i++) { /* unsettled, then settled */
		before = engine_snapshot(f.engine);
		walked = status_of_root(&f, NULL).walked_usec;
		CHECK_INT(rescan(&f), 0);
		after = engine_snapshot(f.engine);
		CHECK(after->layers[0].tree == before->layers[0].tree);
		CHECK(after != before);
		CHECK_INT(after->tick, before->tick); /* nothing has changed: the clock stands */
		CHECK(status_of_root(&f, NULL).walked_usec > walked);
		snapshot_unref(before);
		snapshot_unref(after);
		let_times_settle();
	}
	walked = status_of_root(&f, NULL).walked_usec;
	engine_destroy(f.engine);
	f.root.watch = ENGINE_WATCH_AUTO; /* else it is stale at once */
	{
		struct err err = {0};

		CHECK_SAY(engine_create(&f.cfg, &f.engine, &err) == 0, "%s", err.what);
	}
	restarted = status_of_root(&f, NULL).walked_usec;
	CHECK(restarted == walked); /* the catalog knows too */
	f.n_walks = 0;
	CHECK_INT(engine_start(f.engine, NULL), 0);
	wait_walks(&f, 1);
	after = engine_snapshot(f.engine);
	CHECK(!after->roots[0].stale);
	snapshot_unref(after);
	check_like_find(&f);
	teardown(&f);
}

static void
run_in(const struct flow *f, const char *command)
{
	char line[2048];

	CHECK((size_t)snprintf(line, sizeof(line), "cd '%s' && { %s; }", f->tree, command) <
		sizeof(line));
	CHECK_SAY(system(line) == 0, "%s", command);
}

/* What changes, and whether it shows in a directory's own times. Each leaves the tree fit for all
 * that follow. */
static const char *const changes[] = {
	"echo new > d1/new",
	"mv d1/new d1/renamed",
	"echo more >> d1/renamed",
	"printf XXXX | dd of=d1/renamed conv=notrunc status=none",
	"chmod 600 d1/renamed",
	"ln d1/renamed d2/link",
	"rm d1/renamed",
	"truncate -s 1G d2/link",
	"touch -d 2001-01-01 d2/link",
	"touch -d 2001-01-01 d2",
	"mkdir d3/sub && echo x > d3/sub/file",
	"echo y > d3/sub/other && touch -d 2001-01-01 d3/sub",
	"mv d3/sub d4/sub",
	"mv d4 d4.tmp && mv d5 d4 && mv d4.tmp d5",
	"rm d5/sub/file && mkdir d5/sub/file",
	"rmdir d5/sub/file && ln -s nowhere d5/sub/file",
	"ln -sfn elsewhere d5/sub/file",
	"chmod 700 d5/sub",
	"cp -a d6 d6.copy && rm -r d6 && mv d6.copy d6",
	"echo x > 'd6/new\nline' && echo x > $(printf 'd6/\\377\\001')",
	"rm -r d5/sub",
	"rm d2/link",
	"mkfifo d2/fifo",
	"rm d2/fifo && mkdir d2/fifo",
	"rmdir d2/fifo",
	/* To who is not root, what is below is gone, and comes back. */
	"mkdir -p d0/shut/deep && echo x > d0/shut/file && echo y > d0/shut/deep/file",
	"chmod 0 d0/shut",
	"touch d0/beside",
	"chmod 755 d0/shut",
	"chmod 311 d0/shut",
	"chmod 711 d0/shut/deep && touch d0/more",
	"chmod 755 d0/shut",
	"rm -r d0/shut d0/beside d0/more",
};

/* Right after one another, so that much happens within one tick of the clock, and then with every
 * directory settled. */
TEST(rescan_flow, every_kind_of_change_is_noticed)
{
	struct flow f;

	setup(&f);
	for (int settled = 0; settled < 2; settled++) {
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			if (settled) {
				let_times_settle();
				(void)rescan(&f);
			}
			run_in(&f, changes[i]);
			CHECK_SAY(rescan(&f) == 1, "%s", changes[i]);
			check_like_find(&f);
		}
		run_in(&f, "rm -f d6/*line d6/*");
		(void)rescan(&f);
	}
	teardown(&f);
}

/* The second change may come in the tick of the walk that saw the first. */
TEST(rescan_flow, what_changes_within_the_tick_of_a_walk_is_noticed_by_the_next)
{
	struct flow f;
	unsigned long n = 20 + test_scale(5000);
	char name[64];

	setup(&f);
	for (unsigned long i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "tree/d1/a%lu", i);
		test_write(f.dir, name, "");
		CHECK_INT(rescan(&f), 1);
		(void)snprintf(name, sizeof(name), "tree/d1/b%lu", i);
		test_write(f.dir, name, "");
		CHECK_INT(rescan(&f), 1);
	}
	check_like_find(&f);
	teardown(&f);
}

TEST(rescan_flow, a_hostile_tree_is_unchanged_until_it_changes)
{
	struct flow f;

	setup(&f);
	make_hostile(f.tree, DEEP);
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(rescan(&f), 0);
	let_times_settle();
	CHECK_INT(rescan(&f), 0);
	CHECK_INT(rescan(&f), 0);
	check_like_find(&f);
	run_in(&f, "echo x >> names/-rf || echo x >> ./names/-rf");
	CHECK_INT(rescan(&f), 1);
	check_like_find(&f);
	run_in(&f, "chmod -R u+rwx .");
	(void)rescan(&f);
	check_like_find(&f);
	teardown(&f);
}

static unsigned
n_files_in_state(const struct flow *f)
{
	char path[600];
	const struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/" ENGINE_SEGMENT_DIR, f->state);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

/* How many layers there are once nothing is left to be merged, and no file of before. */
static uint32_t
wait_merged(struct flow *f)
{
	bool due = true;
	uint32_t n = 0;

	while (due || n_files_in_state(f) != n) {
		struct snapshot *s = engine_snapshot(f->engine);
		struct tier_weights w = tier_weigh(s->roots[0].stack);
		uint32_t ignored;

		due = tier_is_due(&w, &ignored);
		n = s->n_layers;
		snapshot_unref(s);
		(void)sched_yield();
	}
	return n;
}

static void
restart(struct flow *f)
{
	engine_destroy(f->engine);
	start_engine(f);
	wait_walks(f, 1);
}

TEST(rescan_flow, changes_become_layers_and_layers_are_merged)
{
	struct flow f;
	struct engine_status s = {0};
	unsigned n = 24 + (unsigned)test_scale(1000);
	uint32_t most = 0;
	uint64_t n_merges = 0;

	setup(&f);
	run_in(&f, "mkdir -p big/deep && cd big && seq 3000 | xargs touch");
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(wait_merged(&f), 1); /* so much makes a base at once */
	for (unsigned i = 0; i < n; i++) {
		char command[256];

		(void)snprintf(command, sizeof(command),
			"cd big && seq %u %u | xargs chmod %o && mv %u deep/%u && touch new%u && "
			"rm -f new%u",
			i * 71 % 2900 + 1, i * 71 % 2900 + 70, i % 2 ? 0600 : 0640, 3000 - i, i, i,
			i / 2);
		run_in(&f, command);
		CHECK_INT(rescan(&f), 1);
		most = MAX(most, status_of_root(&f, NULL).n_layers);
		if (i % 7 == 6)
			restart(&f); /* whatever is being merged */
		if (i % 5 == 4)
			(void)wait_merged(&f);
		check_like_find(&f);
		CHECK_INT(engine_status(f.engine, &s), 0);
		n_merges += i % 7 == 5 || i + 1 == n ? s.n_merges : 0; /* since the restart */
		engine_status_fini(&s);
	}
	CHECK(most >= 3);
	CHECK(n_merges > 0);
	teardown(&f);
}

static uint64_t
n_walks(struct flow *f)
{
	struct engine_status s = {0};
	uint64_t n;

	CHECK_INT(engine_status(f->engine, &s), 0);
	n = s.n_walks;
	engine_status_fini(&s);
	return n;
}

TEST(rescan_flow, when_nearly_all_has_changed_the_tree_is_walked_anew)
{
	struct flow f;
	uint64_t before;

	setup(&f);
	run_in(&f, "mkdir wide && cd wide && seq 60000 | xargs touch");
	CHECK_INT(rescan(&f), 1);
	before = n_walks(&f);
	run_in(&f, "seq 1 2000 | sed s,^,wide/, | xargs chmod 600");
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(n_walks(&f), before + 1);
	check_like_find(&f);
	run_in(&f, "chmod -R go+x wide");
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(n_walks(&f), before + 3); /* the first of them was given up (tier.h, rule 4) */
	CHECK_INT(status_of_root(&f, NULL).n_layers, 1);
	check_like_find(&f);
	teardown(&f);
}

TEST(rescan_flow, other_settings_end_all_trust)
{
	static char word[] = "*.c";
	char *exclude[] = {word, NULL};
	struct flow f;
	struct snapshot *s;

	setup(&f);
	let_times_settle();
	CHECK_INT(rescan(&f), 0);
	f.root.exclude = exclude;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	wait_walks(&f, 3);
	s = engine_snapshot(f.engine);
	CHECK_INT(s->roots[0].stack ? s->roots[0].stack->n_entries : 0, 8);
	snapshot_unref(s);
	f.root.exclude = NULL;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	wait_walks(&f, 4);
	check_like_find(&f);
	teardown(&f);
}

static uint64_t
n_skipped(struct flow *f, enum walk_skip skip)
{
	return status_of_root(f, NULL).skipped[skip];
}

TEST(rescan_flow, what_rules_leave_out_is_counted_when_nothing_changes_and_their_change_noticed)
{
	static char word[] = "*.o";
	char *exclude[] = {word, NULL};
	struct flow f;

	setup(&f);
	run_in(&f, "touch d1/a.o d1/b.o d2/round && echo 'round*' > d2/.gitignore");
	run_in(&f, "mkdir d3/all && touch d3/all/c.o");
	f.root.exclude = exclude;
	f.root.gitignore = true;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	wait_walks(&f, 2);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_INT(n_skipped(&f, SKIP_EXCLUDED), 3);
		CHECK_INT(n_skipped(&f, SKIP_GITIGNORE), 18); /* 17 of N_FILES, and one more */
		let_times_settle();
		CHECK_INT(rescan(&f), 0);
	}
	run_in(&f, "echo 'other' > d2/.gitignore"); /* in place */
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(n_skipped(&f, SKIP_GITIGNORE), 0);
	CHECK_INT(n_skipped(&f, SKIP_EXCLUDED), 3);
	run_in(&f, "rm d1/a.o");
	CHECK_INT(rescan(&f), 1);
	CHECK_INT(n_skipped(&f, SKIP_EXCLUDED), 2);
	teardown(&f);
}
