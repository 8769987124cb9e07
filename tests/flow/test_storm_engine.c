/*
 * The engine ended in the middle of everything: 10,000 rounds in `long` (200 in `full`, 20 in
 * `quick`; the toolkit as often in test_storm_pipeline.c, the daemon in
 * tests/system/155_shutdown.py).
 *
 * Walks of up to three roots are started by one thread, which then rescans, reloads and looks,
 * while two others ask; at a random moment everything is stopped, in one of several orders. What
 * must hold: nothing hangs, no thread, descriptor or memory is left; an answer that came to its end
 * is of a whole snapshot; the catalog is sound and names trees that are whole, no other segment is
 * there; and the next engine serves these at once.
 */
#include "storm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/catalog.h"
#include "engine/engine.h"
#include "query/query.h"
#include "sync/scope.h"
#include "text/mapfile.h"

#define N_TREES 3u
#define N_DIRS 6u /* one of them "sub"; in each FILES_C and FILES_O */
#define FILES_C 5u
#define FILES_O 2u
#define MOMENT_BITS 16u /* the blow falls within 65 ms; most walks take 5 to 30 */

/* What may be left out, and how many entries a tree then has. */
static char *const exclude_o[] = {(char[]){"*.o"}, NULL}, *const exclude_sub[] = {
								  (char[]){"sub/"}, NULL};
static const struct variant {
	char *const *exclude;
	uint32_t n_entries;
} variants[] = {
	{NULL, 1 + N_DIRS *(1 + FILES_C + FILES_O)}, {exclude_o, 1 + N_DIRS *(1 + FILES_C)},
	{exclude_sub, 1 + N_DIRS + (N_DIRS - 1) * (FILES_C + FILES_O)}, /* itself is kept */
};

struct storm_roots {
	struct engine_root root[N_TREES];
	char names[N_TREES][8];
	size_t n;
};

/* What the catalog said after a round. */
struct saved {
	char path[N_TREES][512];
	uint64_t n_entries[N_TREES];
	size_t n;
};

struct battle {
	/* Fixed. */
	char *dir;
	char state[512], tree[N_TREES][512];
	struct saved saved;

	/* Fixed for the round. */
	uint64_t seed;
	struct pool *compute, *io;
	struct engine *engine;
	struct storm_roots roots; /* as it was created; main, then "change" */
	struct stop asking;
	struct cursor
		*kept; /* of the first asker, for after the engine's end; main's after the join */
};

static void
make_trees(struct battle *b)
{
	for (unsigned t = 0; t < N_TREES; t++) {
		(void)snprintf(b->tree[t], sizeof(b->tree[t]), "%s/tree%u", b->dir, t);
		for (unsigned i = 0; i < N_DIRS * (FILES_C + FILES_O); i++) {
			unsigned d = i % N_DIRS, n = i / N_DIRS;
			char name[64], sub[16];

			(void)snprintf(sub, sizeof(sub), "d%u", d);
			(void)snprintf(name, sizeof(name), "tree%u/%s/f%u.%c", t, d ? sub : "sub",
				n, n < FILES_C ? 'c' : 'o');
			test_write(b->dir, name, "int needle;\n");
		}
	}
}

static void
on_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	if (trouble)
		storm_fail(__FILE__, __LINE__, text, 0);
}

static void
choose_roots(struct battle *b, struct storm_roots *r, uint64_t *random)
{
	r->n = 0;
	for (unsigned t = 0; t < N_TREES; t++) {
		const struct variant *v = &variants[storm_below(random, ARRAY_LEN(variants))];

		if (storm_below(random, 4) == 0)
			continue;
		(void)snprintf(r->names[r->n], sizeof(r->names[0]), "r%u%c", t,
			storm_below(random, 2) ? 'a' : 'b');
		r->root[r->n] = (struct engine_root){
			.name = r->names[r->n],
			.path = b->tree[t],
			.exclude = (char **)(uintptr_t)v->exclude,
			.content = (enum snap_content)storm_below(random, 3),
		};
		r->n++;
	}
}

static struct engine_config
config_of(struct battle *b, const struct storm_roots *r)
{
	return (struct engine_config){
		.state_dir = b->state,
		.roots = r->root,
		.n_roots = r->n,
		.io = b->io,
		.on_event = on_event,
	};
}

static void
check_whole(uint64_t n_entries)
{
	for (unsigned i = 0; i < ARRAY_LEN(variants); i++) {
		if (variants[i].n_entries == n_entries)
			return;
	}
	storm_fail(__FILE__, __LINE__, "a tree of so many entries", (long long)n_entries);
}

/* How many entries there are, all trees being of a whole walk. */
static uint64_t
check_snapshot(const struct snapshot *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_roots; i++) {
		if (!s->roots[i].stack)
			continue;
		check_whole(s->roots[i].stack->n_entries);
		n += s->roots[i].stack->n_entries;
	}
	return n;
}

/* "ask": questions on the two pools. */

static struct cursor *
open_cursor(
	struct battle *b, const char *text, struct stop *stop, usec_t deadline, const char *sort)
{
	struct query_env env = {.now_ns = (int64_t)clock_real() * 1000};
	struct cursor_opts opts = {
		.deadline = deadline, .stop = stop, .compute = b->compute, .io = b->io};
	struct snapshot *s = engine_snapshot(b->engine);
	struct query *q;
	struct cursor *c;

	STORM_INT(query_parse(span_of(text), &env, &q, NULL), 0);
	if (sort)
		opts.n_sort = (uint32_t)query_sort_parse(span_of(sort), opts.sort, NULL);
	STORM_INT(cursor_open(q, s, &opts, &c, NULL), 0);
	query_unref(q);
	snapshot_unref(s);
	return c;
}

/* To the end, or the token's, or the deadline's: how many answers, UINT64_MAX where it was not the
 * end. */
static uint64_t
drain(struct cursor *c)
{
	uint64_t n = 0;
	struct hit hit;
	int r;

	while ((r = cursor_next(c, &hit)) == 1)
		n++;
	STORM_CHECK(r == 0 || r == -ECANCELED || r == -ETIMEDOUT);
	return r == 0 ? n : UINT64_MAX;
}

static void
ask_once(struct battle *b, uint64_t *random, struct stop *stop)
{
	static const char *const texts[] = {
		"*", "type:f", "content:needle ext:c", "content:nothing"};
	size_t which = storm_below(random, ARRAY_LEN(texts));
	usec_t deadline =
		storm_below(random, 4) ? USEC_NEVER : clock_deadline(storm_moment(random, 12));
	struct cursor *c = open_cursor(
		b, texts[which], stop, deadline, storm_below(random, 2) ? "mtime:desc,name" : NULL);
	struct hit hit;

	if (storm_below(random, 4) == 0) {
		(void)cursor_next(c, &hit); /* and no more: given up in the middle */
	} else {
		uint64_t n = drain(c);

		STORM_CHECK(
			n == UINT64_MAX || which > 0 || n == check_snapshot(cursor_snapshot(c)));
	}
	cursor_close(c);
}

static int
ask(void *arg, struct stop *stop)
{
	struct battle *b = arg;
	uint64_t random = b->seed + 1;

	b->kept = open_cursor(b, "*", NULL, USEC_NEVER, NULL);
	while (!stop_requested(stop))
		ask_once(b, &random, stop);
	return 0;
}

static int
ask_too(void *arg, struct stop *stop)
{
	struct battle *b = arg;
	uint64_t random = b->seed + 2;

	while (!stop_requested(stop))
		ask_once(b, &random, stop);
	return 0;
}

/* "change": starts the walks, and then whatever an administrator may do. */

static void
change_once(struct battle *b, uint64_t *random)
{
	struct engine_config cfg;
	struct engine_status status;
	struct engine_why why;

	switch (storm_below(random, 6)) {
	case 0:
		choose_roots(b, &b->roots, random);
		cfg = config_of(b, &b->roots);
		STORM_INT(engine_reload(b->engine, &cfg, NULL), 0);
		break;
	case 1:
		STORM_INT(engine_status(b->engine, &status), 0);
		engine_status_fini(&status);
		break;
	case 2:
		if (engine_why(b->engine, span_of(b->tree[0]), &why, NULL) == 0)
			engine_why_fini(&why);
		break;
	default:
		STORM_INT(engine_rescan(b->engine, NULL, NULL), 0);
	}
}

static int
change(void *arg, struct stop *stop)
{
	struct battle *b = arg;
	uint64_t random = b->seed + 3;
	_Atomic uint32_t never = 0;

	STORM_INT(engine_start(b->engine, NULL), 0);
	while (!stop_requested(stop)) {
		change_once(b, &random);
		(void)park_wait(&never, 0, clock_deadline(storm_moment(&random, 13)));
	}
	return 0;
}

/* After a round. */

static int
open_state(struct battle *b, const char *name)
{
	char path[600];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", b->state, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	STORM_CHECK(fd >= 0);
	return fd;
}

/* Only the segments that the catalog names. */
static void
check_names(int fd, const struct catalog_roots *known)
{
	DIR *dir = fdopendir(dup(fd));
	const struct dirent *d;

	STORM_CHECK(dir != NULL);
	while ((d = readdir(dir)) != NULL) {
		bool named = d->d_name[0] == '.' && strspn(d->d_name, ".") == strlen(d->d_name);

		for (size_t i = 0; i < known->len && !named; i++)
			named = catalog_names(&known->data[i], d->d_name);
		if (!named)
			storm_fail(__FILE__, __LINE__, d->d_name, 0);
	}
	(void)closedir(dir);
}

static void
check_segment(struct battle *b, int fd, const struct catalog_root *r)
{
	struct saved *s = &b->saved;
	struct tree *tree;

	if (r->n_segments == 0)
		return;
	STORM_INT(tree_open(fd, r->segments[0], &tree, NULL), 0);
	STORM_INT(tree_cols(tree)->n_entries, r->n_entries);
	check_whole(r->n_entries);
	tree_unref(tree);
	STORM_CHECK(s->n < N_TREES);
	(void)snprintf(s->path[s->n], sizeof(s->path[0]), "%s", r->path);
	s->n_entries[s->n++] = r->n_entries;
}

static void
check_state(struct battle *b)
{
	AUTO(closep) int fd = open_state(b, ".");
	AUTO(closep) int segments = open_state(b, "segments");
	struct catalog_roots known;
	struct catalog *catalog;

	/* As after a crash: then every page of the catalog is looked at. */
	if (b->seed % 4 == 0)
		test_write(b->state, "lock", "1\n");
	STORM_INT(catalog_open(fd, b->state, &catalog, NULL), 0);
	STORM_INT(catalog_roots(catalog, &known, NULL), 0);
	check_names(segments, &known);
	b->saved.n = 0;
	for (size_t i = 0; i < known.len; i++)
		check_segment(b, segments, &known.data[i]);
	catalog_roots_free(&known);
	catalog_close(catalog);
}

/* What an engine that was just created serves: all that the catalog named after the last one. */
static void
check_served(struct battle *b)
{
	struct snapshot *s = engine_snapshot(b->engine);

	STORM_INT(s->n_roots, b->roots.n);
	for (uint32_t i = 0; i < s->n_roots; i++) {
		uint64_t n = 0;

		for (size_t k = 0; k < b->saved.n; k++)
			n = strcmp(b->saved.path[k], s->roots[i].path) == 0 ? b->saved.n_entries[k]
			                                                    : n;
		STORM_INT(s->roots[i].stack ? s->roots[i].stack->n_entries : 0, n);
	}
	snapshot_unref(s);
}

/* The ends of the engine and of who uses it, in any order that its contract allows. */
static void
strike(struct battle *b, struct scope *scope, uint64_t *random)
{
	_Atomic uint32_t never = 0;

	(void)park_wait(&never, 0, clock_deadline(storm_moment(random, MOMENT_BITS)));
	switch (storm_below(random, 3)) {
	case 0: /* they go on asking, and rescanning, what has stopped */
		engine_stop(b->engine);
		(void)park_wait(&never, 0, clock_deadline(storm_moment(random, 10)));
		stop_request(&scope->stop);
		break;
	case 1:
		stop_request(&scope->stop);
		engine_stop(b->engine);
		break;
	default:
		stop_request(&scope->stop);
	}
	STORM_INT(scope_join(scope, NULL), 0);
	engine_destroy(b->engine);
}

static void
one_round(struct battle *b, uint64_t seed)
{
	uint64_t random = seed;
	struct engine_config cfg;
	SCOPE(scope, NULL);

	b->seed = seed;
	b->kept = NULL;
	STORM_INT(pool_create("compute", 2, &b->compute), 0);
	STORM_INT(pool_create("io", 2, &b->io), 0);
	choose_roots(b, &b->roots, &random);
	cfg = config_of(b, &b->roots);
	STORM_INT(engine_create(&cfg, &b->engine, NULL), 0);
	check_served(b);
	STORM_INT(scope_spawn(&scope, "change", change, b), 0);
	STORM_INT(scope_spawn(&scope, "ask/0", ask, b), 0);
	STORM_INT(scope_spawn(&scope, "ask/1", ask_too, b), 0);
	strike(b, &scope, &random);
	/* A snapshot outlives its engine. */
	STORM_INT(drain(b->kept), check_snapshot(cursor_snapshot(b->kept)));
	cursor_close(b->kept);
	pool_destroy(b->compute);
	pool_destroy(b->io);
	check_state(b);
}

TEST(storm_engine, an_end_at_any_moment_leaves_a_whole_index)
{
	static struct battle battle;
	unsigned long n = test_scale(10000);
	struct battle *b = &battle;

	b->dir = test_dir();
	(void)snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
	CHECK_INT(mapfile_setup(), 0);
	make_trees(b);
	storm_begin(n);
	for (unsigned long i = 0; i < n; i++) {
		one_round(b, storm_round());
		storm_round_end();
	}
	storm_end();
	test_dir_remove(b->dir);
}
