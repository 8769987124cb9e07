/*
 * The journal over a tree that changes at random: what it tells after a clock makes the listing of
 * that clock the listing of now, whichever clock, over restarts, and as find(1) prints it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "index/record.h"
#include "sync/cond.h"
#include "sync/thread.h"
#include "text/mapfile.h"

static char root_name[] = "main", other_name[] = "other";

struct flow {
	char *dir;
	char tree[512], other[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct engine_root roots[2];
	struct engine_config cfg;
	uint64_t seed;
	bool no_links; /* the system does not tell of a name what was done through one that is gone
	                */

	/* Guarded by lock. */
	struct lock lock;
	struct cond changed;
	unsigned n_walks, n_synced;
	uint64_t told; /* by the hook */
};

/* Sorted lines, "path\0row". */
struct line {
	char *path, *row;
};
struct listing {
	VEC(struct line) lines;
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	struct flow *f = ctx;

	CHECK_SAY(!trouble, "%s", text);
	LOCK_SCOPE(&f->lock);
	f->n_walks += strstr(text, " entries in ") != NULL;
	cond_broadcast(&f->changed);
}

static void
on_publish(void *ctx, uint64_t tick)
{
	struct flow *f = ctx;
	struct snapshot *s = engine_snapshot(f->engine);

	CHECK(s->tick >= tick);
	snapshot_unref(s);
	LOCK_SCOPE(&f->lock);
	f->told = MAX(f->told, tick);
}

static void
start(struct flow *f)
{
	struct err err = {0};

	f->n_walks = 0;
	f->told = 0;
	CHECK_SAY(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	engine_on_publish(f->engine, on_publish, f);
	CHECK_SAY(engine_start(f->engine, &err) == 0, "%s", err.what);
}

static void
wait_walks(struct flow *f, unsigned n)
{
	LOCK_SCOPE(&f->lock);
	while (f->n_walks < n)
		CHECK_INT(cond_wait_until(&f->changed, &f->lock, clock_deadline(60 * USEC_PER_SEC)),
			0);
}

static void
rescan(struct flow *f)
{
	unsigned n;

	{
		LOCK_SCOPE(&f->lock);
		n = f->n_walks;
	}
	CHECK_INT(engine_rescan(f->engine, NULL, NULL), 0);
	wait_walks(f, n + 1);
}

static void
setup(struct flow *f)
{
	*f = (struct flow){.dir = test_dir(), .seed = 1700};
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->other, sizeof(f->other), "%s/other", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	lock_init(&f->lock, RANK_LEAF, "flow");
	cond_init(&f->changed);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 2, &f->io), 0);
	test_write(f->dir, "tree/d0/e0/f0", "x\n");
	test_write(f->dir, "other/file", "x\n");
	f->roots[0] = (struct engine_root){.name = root_name, .path = f->tree};
	f->roots[1] = (struct engine_root){.name = other_name, .path = f->other};
	f->cfg = (struct engine_config){.state_dir = f->state,
		.roots = f->roots,
		.n_roots = 1,
		.io = f->io,
		.boot_id = "boot",
		.on_event = on_event,
		.ctx = f};
	start(f);
	wait_walks(f, 1);
}

static void
teardown(struct flow *f)
{
	engine_destroy(f->engine);
	pool_destroy(f->io);
	cond_fini(&f->changed);
	lock_fini(&f->lock);
	test_dir_remove(f->dir);
}

static unsigned
draw(struct flow *f, unsigned n)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(f->seed >> 33) % n;
}

/* Listings. */

static int
cmp_line(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void
listing_free(struct listing *l)
{
	VEC_EACH (&l->lines, line) {
		free(line->path);
		free(line->row);
	}
	VEC_FINI(&l->lines);
}

static struct line *
listing_find(struct listing *l, const char *path)
{
	struct line key = {.path = strdupa(path)};

	return l->lines.len ? bsearch(&key, l->lines.data, l->lines.len, sizeof(key), cmp_line)
	                    : NULL;
}

/* What there is, by find(1). */
static struct listing
find_all(const struct flow *f)
{
	struct listing l = {0};
	char command[1200], *line = NULL;
	size_t cap = 0;
	FILE *p;

	(void)snprintf(command, sizeof(command),
		"find '%s' -printf '%%P\\t%%m %%n %%U %%G %%i %%s %%b %%T@ %%C@ %%y\\n'", f->tree);
	p = popen(command, "r");
	while (getline(&line, &cap, p) > 0) {
		char *tab = strchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		*tab = '\0';
		CHECK_INT(VEC_PUSH(&l.lines, ((struct line){strdup(line), strdup(tab + 1)})), 0);
	}
	free(line);
	CHECK_INT(pclose(p), 0);
	qsort(l.lines.data, l.lines.len, sizeof(*l.lines.data), cmp_line);
	return l;
}

static char
letter_of(uint32_t mode)
{
	return S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : S_ISREG(mode) ? 'f' : '?';
}

/* The row of a record as find prints it. */
static char *
row_of(const struct record *r)
{
	char *row;

	CHECK(asprintf(&row, "%o %u %u %u %llu %llu %llu %lld.%09lld0 %lld.%09lld0 %c",
		      r->mode & 07777, r->nlink, r->uid, r->gid, (unsigned long long)r->ino,
		      (unsigned long long)r->size, (unsigned long long)r->blocks,
		      (long long)(r->mtime_ns / 1000000000), (long long)(r->mtime_ns % 1000000000),
		      (long long)(r->ctime_ns / 1000000000), (long long)(r->ctime_ns % 1000000000),
		      letter_of(r->mode)) > 0);
	return row;
}

/* Replaying. */

struct replay {
	struct listing *at;
	uint64_t tick;
	unsigned n_batches, n_moves;
};

static void
take_away(struct listing *l, struct span path, const char *row)
{
	AUTO(freep) char *text = strndup(path.data, path.len);
	struct line *line = listing_find(l, text);

	CHECK_SAY(line != NULL, "\"%s\" went, and was not there", text);
	if (row)
		CHECK_STR(line->row, row);
	free(line->path);
	free(line->row);
	memmove(line, line + 1, (size_t)(l->lines.data + l->lines.len - line - 1) * sizeof(*line));
	l->lines.len--;
}

static void
put(struct listing *l, struct line line)
{
	CHECK_INT(VEC_PUSH(&l->lines, line), 0);
	qsort(l->lines.data, l->lines.len, sizeof(*l->lines.data), cmp_line);
}

static bool
is_there(struct listing *l, struct span path)
{
	AUTO(freep) char *text = strndup(path.data, path.len);

	return listing_find(l, text) != NULL;
}

static void
apply(struct replay *p, const struct record *r)
{
	AUTO(freep) char *row = row_of(r);

	switch (r->kind) {
	case RECORD_DELETE:
		take_away(p->at, r->path, row); /* it is told by what it was */
		return;
	case RECORD_MOVE:
		p->n_moves++;
		take_away(p->at, r->from, NULL);
		if (is_there(p->at, r->path))
			take_away(p->at, r->path, NULL);
		break;
	case RECORD_MODIFY:
		take_away(p->at, r->path, NULL);
		break;
	case RECORD_ADD:
		CHECK(!is_there(p->at, r->path));
		break;
	}
	put(p->at, (struct line){strndup(r->path.data, r->path.len), TAKE_PTR(row)});
}

static int
on_batch(void *ctx, const struct engine_batch *b)
{
	struct replay *p = ctx;
	struct record_list l;
	struct record rec;
	uint64_t n = 0;
	int r = record_open(&l, b->records);

	CHECK(b->tick > p->tick);
	p->tick = b->tick;
	while (r == 0 && (r = record_next(&l, &rec)) == 1) {
		apply(p, &rec);
		n++;
		r = 0;
	}
	record_close(&l);
	CHECK_INT(r, 0);
	CHECK_INT(n, b->n_records);
	p->n_batches++;
	return 0;
}

static struct engine_clock
clock_now(const struct flow *f)
{
	struct snapshot *s = engine_snapshot(f->engine);
	struct engine_clock c = {s->instance, s->epoch, s->tick};

	snapshot_unref(s);
	return c;
}

/* The listing becomes that of now. */
static int
replay(const struct flow *f, const struct engine_clock *since, struct replay *p)
{
	p->tick = since->tick;
	return engine_changes(f->engine, since, clock_now(f).tick, on_batch, p, NULL);
}

static void
check_same(const struct listing *got, const struct listing *want)
{
	for (size_t i = 0; i < MIN(got->lines.len, want->lines.len); i++) {
		CHECK_STR(got->lines.data[i].path, want->lines.data[i].path);
		CHECK_SAY(strcmp(got->lines.data[i].row, want->lines.data[i].row) == 0,
			"\"%s\" is \"%s\" by the journal, \"%s\" by find", got->lines.data[i].path,
			got->lines.data[i].row, want->lines.data[i].row);
	}
	CHECK_INT(got->lines.len, want->lines.len);
}

static struct listing
listing_copy(const struct listing *l)
{
	struct listing copy = {0};

	VEC_EACH (&l->lines, line)
		CHECK_INT(VEC_PUSH(&copy.lines,
				  ((struct line){strdup(line->path), strdup(line->row)})),
			0);
	return copy;
}

/* Changing: of few names, so that they meet again. What cannot be done is left. */

static void
some_dir(struct flow *f, char *out, size_t size)
{
	unsigned deep = draw(f, 3);

	if (deep == 0)
		(void)snprintf(out, size, "%s", f->tree);
	else if (deep == 1)
		(void)snprintf(out, size, "%s/d%u", f->tree, draw(f, 3));
	else
		(void)snprintf(out, size, "%s/d%u/e%u", f->tree, draw(f, 3), draw(f, 2));
}

static void
some_path(struct flow *f, char *out, size_t size)
{
	some_dir(f, out, size);
	if (draw(f, 4) > 0)
		(void)snprintf(out + strlen(out), size - strlen(out), "/f%u", draw(f, 5));
}

static void
change(struct flow *f)
{
	char a[800], b[800], command[1000];
	AUTO(closep) int fd = -1;

	some_path(f, a, sizeof(a));
	some_path(f, b, sizeof(b));
	if (strcmp(a, f->tree) == 0 || strcmp(b, f->tree) == 0)
		return;
	switch (draw(f, 9)) {
	case 0:
		(void)mkdir(a, 0755);
		return;
	case 1:
		(void)unlink(a);
		return;
	case 2:
		(void)rename(a, b);
		return;
	case 3:
		(void)renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		return;
	case 4:
		(void)!(f->no_links ? 0 : link(a, b));
		return;
	case 5:
		(void)chmod(a, 0600 + draw(f, 64));
		return;
	case 6:
		(void)snprintf(command, sizeof(command), "rm -rf '%s'", a);
		CHECK_INT(draw(f, 2) ? 0 : system(command), 0);
		return;
	default:
		fd = open(a, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (fd >= 0)
			CHECK_INT(write(fd, "line\n", 5), 5);
	}
}

/* A clock and what there was then. */
struct moment {
	struct engine_clock clock;
	struct listing listing;
};
typedef VEC(struct moment) moments;

static void
remember(struct flow *f, moments *m)
{
	CHECK_INT(VEC_PUSH(m, ((struct moment){clock_now(f), find_all(f)})), 0);
}

static void
check_from(struct flow *f, const struct moment *m, const struct listing *now, unsigned *moves)
{
	struct listing l = listing_copy(&m->listing);
	struct replay p = {.at = &l};

	CHECK_INT(replay(f, &m->clock, &p), 0);
	check_same(&l, now);
	*moves += p.n_moves;
	listing_free(&l);
}

static void
forget(moments *m)
{
	VEC_EACH (m, it)
		listing_free(&it->listing);
	VEC_FINI(m);
}

static void
restart(struct flow *f)
{
	struct engine_clock before = clock_now(f), after;

	engine_destroy(f->engine);
	start(f);
	after = clock_now(f);
	CHECK(after.instance == before.instance && after.epoch == before.epoch);
	CHECK(after.tick >= before.tick);
	wait_walks(f, 1);
}

/* Until everything that was done is seen. */
typedef void (*see_fn)(struct flow *f);

static void
change_and_replay(struct flow *f, unsigned n, see_fn see)
{
	struct listing now;
	unsigned moves = 0;
	moments m = {0};

	remember(f, &m);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 1 + draw(f, 12); k > 0; k--)
			change(f);
		if (i % 10 == 7)
			restart(f);
		see(f);
		remember(f, &m);
		check_from(f, &m.data[i], &m.data[i + 1].listing, &moves);
	}
	CHECK(f->told <= clock_now(f).tick);
	/* Any earlier clock will do. */
	now = find_all(f);
	for (unsigned i = 0; i < 20; i++)
		check_from(f, &m.data[draw(f, (unsigned)m.len)], &now, &moves);
	check_from(f, &m.data[0], &now, &moves);
	CHECK(n < 30 || moves > 0);
	listing_free(&now);
	forget(&m);
}

TEST(journal_flow, replayed_over_an_old_listing_it_gives_the_new_one)
{
	struct flow f;

	setup(&f);
	change_and_replay(&f, (unsigned)test_scale(1500) + 2, rescan);
	teardown(&f);
}

static void
on_synced(void *ctx, int result, uint64_t tick)
{
	struct flow *f = ctx;

	(void)tick;
	CHECK_INT(result, 0);
	LOCK_SCOPE(&f->lock);
	f->n_synced++;
	cond_broadcast(&f->changed);
}

static void
synced(struct flow *f)
{
	unsigned n;

	{
		LOCK_SCOPE(&f->lock);
		n = f->n_synced;
	}
	CHECK_INT(engine_sync(f->engine, clock_deadline(60 * USEC_PER_SEC), on_synced, f), 0);
	LOCK_SCOPE(&f->lock);
	while (f->n_synced == n)
		cond_wait(&f->changed, &f->lock);
}

TEST(journal_flow, and_so_it_does_of_what_is_seen_live)
{
	struct flow f;

	setup(&f);
	engine_destroy(f.engine);
	f.roots[0].watch = ENGINE_WATCH_AUTO;
	f.no_links = true;
	start(&f);
	wait_walks(&f, 1);
	change_and_replay(&f, (unsigned)test_scale(3000) + 2, synced);
	teardown(&f);
}

static int
changes_since(struct flow *f, struct engine_clock since)
{
	struct listing none = {0};
	struct replay p = {.at = &none};
	int r = replay(f, &since, &p);

	listing_free(&none);
	return r;
}

TEST(journal_flow, a_clock_that_cannot_be_answered_is_said_to_be_stale)
{
	struct flow f;
	struct engine_clock now, other;

	setup(&f);
	now = other = clock_now(&f);
	CHECK_INT(changes_since(&f, now), 0);
	other.tick--; /* before the first walk */
	CHECK_INT(changes_since(&f, other), -ESTALE);
	other = now;
	other.tick++;
	CHECK_INT(changes_since(&f, other), -ESTALE);
	other = now;
	other.epoch++;
	CHECK_INT(changes_since(&f, other), -ESTALE);
	other = now;
	other.instance++;
	CHECK_INT(changes_since(&f, other), -ESTALE);
	rescan(&f); /* nothing has changed */
	CHECK_INT(clock_now(&f).tick, now.tick);
	teardown(&f);
}

TEST(journal_flow, a_root_that_comes_or_goes_makes_clocks_stale)
{
	struct flow f;
	struct engine_clock before, with, without;
	struct err err = {0};

	setup(&f);
	before = clock_now(&f);
	f.cfg.n_roots = 2;
	CHECK_INT(engine_reload(f.engine, &f.cfg, &err), 0);
	wait_walks(&f, 2);
	with = clock_now(&f);
	CHECK(with.tick > before.tick);
	CHECK_INT(changes_since(&f, before), -ESTALE);
	f.cfg.n_roots = 1;
	CHECK_INT(engine_reload(f.engine, &f.cfg, &err), 0);
	without = clock_now(&f);
	CHECK(without.tick > with.tick);
	CHECK_INT(changes_since(&f, with), -ESTALE);
	CHECK_INT(changes_since(&f, without), 0);
	CHECK_INT(engine_reload(f.engine, &f.cfg, &err), 0);
	CHECK_INT(clock_now(&f).tick, without.tick);
	/* The same while the daemon was not there. */
	f.cfg.n_roots = 2;
	CHECK_INT(engine_reload(f.engine, &f.cfg, &err), 0);
	wait_walks(&f, 3);
	with = clock_now(&f);
	engine_destroy(f.engine);
	f.cfg.n_roots = 1;
	start(&f);
	CHECK(clock_now(&f).tick > with.tick);
	CHECK_INT(changes_since(&f, with), -ESTALE);
	wait_walks(&f, 1);
	teardown(&f);
}

/* Adds files to its root, and has it walked again after each. */
struct adder {
	struct thread thread;
	struct flow *flow;
	const char *name, *below;
	unsigned n;
};

static int
add_files(void *arg)
{
	struct adder *a = arg;
	char file[64];

	for (unsigned i = 0; i < a->n; i++) {
		(void)snprintf(file, sizeof(file), "%s/added%u", a->below, i);
		test_write(a->flow->dir, file, "");
		CHECK_INT(engine_rescan(a->flow->engine, a->name, NULL), 0);
	}
	return 0;
}

struct order {
	const struct flow *flow;
	const struct snapshot *before, *now;
	uint64_t tick;
	unsigned n_added;
};

/* What was added came between the two snapshots, and was not seen before its tick. */
static void
check_added(struct order *o, uint32_t root, const struct record *rec)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	uint32_t layer, entry;

	if (rec->kind != RECORD_ADD)
		return;
	for (uint32_t i = 0; i < o->now->n_roots; i++) {
		if (o->now->roots[i].id == root)
			(void)strbuf_puts(&path, o->now->roots[i].path);
	}
	(void)strbuf_putc(&path, '/');
	CHECK_INT(strbuf_span(&path, rec->path), 0);
	CHECK_INT(snapshot_lookup(o->now, strbuf_view(&path), &layer, &entry), 0);
	CHECK_INT(snapshot_lookup(o->before, strbuf_view(&path), &layer, &entry), -ENOENT);
	o->n_added++;
}

static int
on_ordered(void *ctx, const struct engine_batch *b)
{
	struct order *o = ctx;
	struct record_list l;
	struct record rec;
	int r = record_open(&l, b->records);

	CHECK_INT(b->tick, o->tick + 1); /* none is missing */
	o->tick = b->tick;
	while (r == 0 && (r = record_next(&l, &rec)) == 1) {
		check_added(o, b->root, &rec);
		r = 0;
	}
	record_close(&l);
	return r;
}

/* From one snapshot to the next; how many files came. */
static unsigned
follow(const struct flow *f, struct snapshot **s)
{
	struct snapshot *now = engine_snapshot(f->engine);
	struct engine_clock since = {(*s)->instance, (*s)->epoch, (*s)->tick};
	struct order o = {.flow = f, .before = *s, .now = now, .tick = since.tick};

	CHECK_INT(engine_changes(f->engine, &since, now->tick, on_ordered, &o, NULL), 0);
	CHECK_INT(o.tick, now->tick);
	snapshot_unref(*s);
	*s = now;
	return o.n_added;
}

TEST(journal_flow, roots_that_commit_at_once_are_seen_in_the_order_of_their_ticks)
{
	struct flow f;
	struct adder adders[2] = {
		{.below = "tree", .name = root_name}, {.below = "other", .name = other_name}};
	unsigned n = (unsigned)test_scale(2000) + 5, seen = 0;
	struct snapshot *s;

	setup(&f);
	f.cfg.n_roots = 2;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	wait_walks(&f, 2);
	s = engine_snapshot(f.engine);
	for (unsigned i = 0; i < ARRAY_LEN(adders); i++) {
		adders[i].flow = &f;
		adders[i].n = n;
		CHECK_INT(thread_start(&adders[i].thread, "adder", add_files, &adders[i]), 0);
	}
	while (seen < 2 * n)
		seen += follow(&f, &s);
	for (unsigned i = 0; i < ARRAY_LEN(adders); i++)
		CHECK_INT(thread_join(&adders[i].thread), 0);
	CHECK_INT(seen, 2 * n);
	snapshot_unref(s);
	teardown(&f);
}
