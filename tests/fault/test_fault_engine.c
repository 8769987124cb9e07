/* The catalog and the engine: a start, walks, a reload and snapshots with each call failing; what
 * is on disk afterwards serves a start in which nothing fails. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "engine/engine.h"
#include "sync/lock.h"
#include "text/mapfile.h"

static int
refused(int r, const struct err *err)
{
	FAULT_CHECK(err->code == r && err->what[0] != '\0');
	return r;
}

/* The catalog. */

/* A tick that was committed is told. */
static int
commit_and_tell(struct catalog *c, const struct catalog_root *root, struct err *err)
{
	struct catalog_batch batch = {.tick = catalog_clock(c)->tick + 1,
		.at = clock_real(),
		.n_records = 1,
		.records = SPAN_LIT("some")};
	struct catalog_batches told = {0};
	int r = catalog_commit(c, root, &batch, CATALOG_LIGHT, err);

	if (r == 0)
		r = catalog_settle(c, root->id, root->segments, root->n_segments, err);
	if (r == 0)
		r = catalog_changes(c, batch.tick - 1, batch.tick, SIZE_MAX, &told, err);
	FAULT_CHECK(r < 0 || (told.len == 1 && told.data[0].records.len == 4));
	catalog_batches_free(&told);
	return r;
}

static int
use_catalog(struct catalog *c, struct err *err)
{
	struct catalog_roots roots = {0};
	struct catalog_root root = {
		.segments = {(char[]){"tree-1"}, (char[]){"tree-2"}}, .n_segments = 2};
	char *value = NULL;
	uint32_t id;
	int r = catalog_root(c, "/srv", &id, err);

	if (r == 0) {
		root.id = id;
		r = commit_and_tell(c, &root, err);
	}
	if (r == 0)
		r = catalog_roots(c, &roots, err);
	FAULT_CHECK(r < 0 || (roots.len == 1 && strcmp(roots.data[0].segments[1], "tree-2") == 0));
	catalog_roots_free(&roots);
	if (r == 0)
		r = catalog_set(c, "key", "value", err);
	if (r == 0)
		r = catalog_get(c, "key", &value, err);
	FAULT_CHECK(r < 0 || strcmp(value, "value") == 0);
	free(value);
	return r;
}

static int
open_and_use(int dirfd)
{
	struct catalog *c = NULL;
	struct err err = {0};
	int r = catalog_open(dirfd, fault_dir(), &c, &err);

	FAULT_CHECK((r == 0) == (c != NULL));
	if (r == 0)
		r = use_catalog(c, &err);
	catalog_close(c);
	return r < 0 ? refused(r, &err) : 0;
}

static int state_fd = -1;

static void
open_state(void *arg)
{
	(void)arg;
	state_fd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FAULT_CHECK(state_fd >= 0);
}

static void
close_state(void *arg)
{
	(void)arg;
	(void)close(state_fd);
}

static int
catalog(void *arg)
{
	int r = open_and_use(state_fd);

	(void)arg;
	(void)fault_off();
	FAULT_CHECK(open_and_use(state_fd) == 0);
	return r;
}

/* The engine. */

static struct fixture {
	struct pool *io;
	char tree[512], other[512], state[512];
	struct engine_root roots[2];
	struct engine_config cfg;

	struct lock lock; /* guards what follows */
	struct cond changed;
	unsigned n_events;
} f;

static void
on_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	(void)trouble;
	(void)text;
	LOCK_SCOPE(&f.lock);
	f.n_events++;
	cond_broadcast(&f.changed);
}

static void
setup(void *arg)
{
	static char first[] = "first", second[] = "second";

	(void)arg;
	test_write(fault_dir(), "tree/a/one.c", "int one;\n");
	test_write(fault_dir(), "tree/a/b/two.h", "two\n");
	test_write(fault_dir(), "tree/.gitignore", "*.o\n");
	test_write(fault_dir(), "tree/skip.o", "");
	test_write(fault_dir(), "other/three", "");
	(void)snprintf(f.tree, sizeof(f.tree), "%s/tree", fault_dir());
	(void)snprintf(f.other, sizeof(f.other), "%s/other", fault_dir());
	(void)snprintf(f.state, sizeof(f.state), "%s/state", fault_dir());
	lock_init(&f.lock, RANK_LEAF, "fixture");
	cond_init(&f.changed);
	FAULT_CHECK(mapfile_setup() == 0);
	FAULT_CHECK(pool_create("io", 2, &f.io) == 0);
	f.roots[0] = (struct engine_root){
		.name = first, .path = f.tree, .gitignore = true, .content = SNAP_CONTENT_INDEX};
	f.roots[1] = (struct engine_root){.name = second, .path = f.other};
	f.cfg = (struct engine_config){.state_dir = f.state,
		.roots = f.roots,
		.n_roots = 1,
		.io = f.io,
		.walk_width = 2,
		.on_event = on_event};
}

static void
teardown(void *arg)
{
	(void)arg;
	pool_destroy(f.io);
	cond_fini(&f.changed);
	lock_fini(&f.lock);
}

static bool
has(struct engine *e, const char *dir, const char *below)
{
	struct snapshot *s = engine_snapshot(e);
	uint32_t root, entry;
	char path[1024];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	r = snapshot_lookup(s, span_of(path), &root, &entry);
	snapshot_unref(s);
	return r == 0;
}

/* Is a file's content indexed? */
static bool
has_content(struct engine *e, const char *dir, const char *below)
{
	struct snapshot *s = engine_snapshot(e);
	uint32_t layer, entry;
	char path[1024];
	bool known = false;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	if (snapshot_lookup(s, span_of(path), &layer, &entry) == 0 && s->layers[layer].map)
		known = s->layers[layer].map->content[entry] < TEXT_CONTENT_END;
	snapshot_unref(s);
	return known;
}

static bool
is_busy(struct engine *e)
{
	struct engine_status st;
	bool busy = false;

	if (engine_status(e, &st) < 0)
		return true;
	for (size_t i = 0; i < st.n_roots; i++)
		busy |= st.roots[i].state == ROOT_INDEXING ||
		        st.roots[i].contents.phase == CONTENTS_READING;
	engine_status_fini(&st);
	return busy;
}

/* Each walk ends with an event, whatever happened to it. */
static void
await_events(unsigned n)
{
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);

	LOCK_SCOPE(&f.lock);
	while (f.n_events < n)
		FAULT_CHECK(cond_wait_until(&f.changed, &f.lock, deadline) == 0);
}

static unsigned
events(void)
{
	LOCK_SCOPE(&f.lock);
	return f.n_events;
}

/* When each root's last walk that ended well began. */
static void
get_walked(struct engine *e, usec_t ret[2])
{
	struct engine_status st;

	FAULT_CHECK(engine_status(e, &st) == 0 && st.n_roots <= 2);
	for (size_t i = 0; i < st.n_roots; i++)
		ret[i] = st.roots[i].walked_usec;
	engine_status_fini(&st);
}

/* Nothing fails any more: one more walk and all is there. Its event may be taken for that of
 * contents that failed before, or of a walk that is tried again. */
static void
check_all(struct engine *e, unsigned n_roots)
{
	usec_t before[2] = {0}, now[2] = {0};

	while (is_busy(e))
		test_pause();
	get_walked(e, before);
	FAULT_CHECK(engine_rescan(e, NULL, NULL) == 0);
	do {
		test_pause();
		get_walked(e, now);
	} while (now[0] == before[0] || (n_roots > 1 && now[1] == before[1]));
	while (is_busy(e) || !has(e, f.tree, "a/b/two.h") || !has_content(e, f.tree, "a/one.c"))
		test_pause();
	FAULT_CHECK(has(e, f.tree, "a/one.c") && !has(e, f.tree, "skip.o"));
	FAULT_CHECK(n_roots < 2 || has(e, f.other, "three"));
}

static int
start(unsigned n_roots, struct engine **ret)
{
	struct err err = {0};
	int r;

	f.cfg.n_roots = n_roots;
	r = engine_create(&f.cfg, ret, &err);
	FAULT_CHECK((r == 0) == (*ret != NULL));
	if (r < 0)
		return refused(r, &err);
	r = engine_start(*ret, &err);
	return r < 0 ? refused(r, &err) : 0;
}

static void
check_restart(unsigned n_roots)
{
	struct engine *e = NULL;

	(void)fault_off();
	FAULT_CHECK(start(n_roots, &e) == 0);
	check_all(e, n_roots);
	engine_destroy(e);
}

static int
create_and_walk(void *arg)
{
	struct engine *e = NULL;
	int r = start(1, &e);

	(void)arg;
	if (r == 0) {
		await_events(1);
		(void)has(e, f.tree, "three");
		(void)fault_off();
		check_all(e, 1);
	}
	engine_destroy(e);
	check_restart(1);
	return r;
}

/* A first life in which nothing fails; then the saved index is adopted. */
static void
setup_saved(void *arg)
{
	struct engine *e = NULL;

	setup(arg);
	FAULT_CHECK(start(1, &e) == 0);
	await_events(1);
	engine_destroy(e);
	f.n_events = 0;
}

static struct engine *running;

static void
setup_running(void *arg)
{
	setup(arg);
	FAULT_CHECK(start(1, &running) == 0);
	check_all(running, 1);
}

static void
teardown_running(void *arg)
{
	engine_destroy(running);
	teardown(arg);
}

/* All or nothing: after an error the engine is as it was. */
static int
reload(void *arg)
{
	struct err err = {0};
	unsigned before = events();
	int r;

	(void)arg;
	f.cfg.n_roots = 2;
	r = engine_reload(running, &f.cfg, &err);
	if (r == 0)
		await_events(before + 1);
	FAULT_CHECK(has(running, f.tree, "a/one.c"));
	FAULT_CHECK(r == 0 || !has(running, f.other, "three"));
	(void)fault_off();
	check_all(running, r == 0 ? 2 : 1);
	FAULT_CHECK(engine_reload(running, &f.cfg, &err) == 0);
	check_all(running, 2);
	return r < 0 ? refused(r, &err) : 0;
}

static int
status_and_why(void *arg)
{
	struct engine_status st;
	struct engine_why why;
	struct err err = {0};
	char path[1024];
	int r = engine_status(running, &st);

	(void)arg;
	if (r < 0)
		return r;
	FAULT_CHECK(st.n_roots == 1 && st.roots[0].n_entries > 3);
	engine_status_fini(&st);
	(void)snprintf(path, sizeof(path), "%s/a/one.c", f.tree);
	r = engine_why(running, span_of(path), &why, &err);
	if (r < 0)
		return r;
	engine_why_fini(&why);
	return 0;
}

#define N_MANY 60u
#define N_ROUNDS 4u
#define N_CHANGES 6u /* in a round; together more than a base bears */

static void
many_path(char *to, size_t size, const char *dir, const char *kind, unsigned i)
{
	(void)snprintf(to, size, "%s/%s/%s%u", fault_dir(), dir, kind, i);
}

static void
setup_many(void *arg)
{
	char name[64];

	for (unsigned i = 0; i < N_MANY; i++) {
		(void)snprintf(name, sizeof(name), "tree/many/old%u", i);
		test_write(fault_dir(), name, "");
	}
	for (unsigned i = 0; i < N_ROUNDS * N_CHANGES; i++) {
		(void)snprintf(name, sizeof(name), "spare/new%u", i);
		test_write(fault_dir(), name, "");
	}
	setup_running(arg);
}

/* One comes and one goes, of each; without a call that can be made to fail. */
static void
change_round(unsigned round)
{
	char from[600], to[600];

	for (unsigned i = round * N_CHANGES; i < (round + 1) * N_CHANGES; i++) {
		many_path(from, sizeof(from), "spare", "new", i);
		many_path(to, sizeof(to), "tree/many", "new", i);
		FAULT_CHECK(rename(from, to) == 0);
		many_path(from, sizeof(from), "tree/many", "old", i);
		many_path(to, sizeof(to), "spare", "old", i);
		FAULT_CHECK(rename(from, to) == 0);
	}
}

static void
check_changed(struct engine *e)
{
	struct snapshot *s = engine_snapshot(e);
	char name[64];

	for (unsigned i = 0; i < N_MANY; i++) {
		bool gone = i < N_ROUNDS * N_CHANGES;

		(void)snprintf(name, sizeof(name), "many/old%u", i);
		FAULT_CHECK(has(e, f.tree, name) == !gone);
		(void)snprintf(name, sizeof(name), "many/new%u", i);
		FAULT_CHECK(has(e, f.tree, name) == gone);
	}
	FAULT_CHECK(s->roots[0].stack->n_entries == N_MANY + 7);
	snapshot_unref(s);
}

/* Layers, and merges of them, which fail or end in the midst of it. */
static int
change_and_merge(void *arg)
{
	struct engine *e = NULL;

	(void)arg;
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		unsigned before = events();

		change_round(i);
		FAULT_CHECK(engine_rescan(running, NULL, NULL) == 0);
		await_events(before + 1);
	}
	(void)fault_off();
	check_all(running, 1);
	check_changed(running);
	engine_destroy(running);
	running = NULL;
	FAULT_CHECK(start(1, &e) == 0);
	check_changed(e); /* what was saved, before its walk is done */
	check_all(e, 1);
	check_changed(e);
	engine_destroy(e);
	return 0;
}

static const struct fault_case cases[] = {
	{.name = "catalog",
		.run = catalog,
		.setup = open_state,
		.teardown = close_state,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 10},
	{.name = "create and walk",
		.run = create_and_walk,
		.setup = setup,
		.teardown = teardown,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 50},
	{.name = "adopt and walk",
		.run = create_and_walk,
		.setup = setup_saved,
		.teardown = teardown,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 50},
	{.name = "reload",
		.run = reload,
		.setup = setup_running,
		.teardown = teardown_running,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 15},
	{.name = "change and merge",
		.run = change_and_merge,
		.setup = setup_many,
		.teardown = teardown_running,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 100},
	{.name = "status, why",
		.run = status_and_why,
		.setup = setup_running,
		.teardown = teardown_running,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 10},
};

FAULT_MAIN(cases)
