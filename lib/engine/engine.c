#include "engine/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/indexer.h"

#define RESERVE_FILE "reserve"
#define RESERVE_BYTES (1u << 20)

void
engine_event(const struct engine *e, bool trouble, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!e->on_event)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->on_event(e->ctx, trouble, text);
}

static int
snap_root_fill(struct snap_root *to, const struct root *r)
{
	*to = (struct snap_root){
		.id = r->id,
		.name = strdup(r->cfg.name),
		.path = strdup(r->path),
		.stack = r->stack ? tree_stack_ref(r->stack) : NULL,
		.stale = !r->walked || r->state == ROOT_FAILED || live_stale_locked(r),
		.content = r->cfg.content,
		.view = r->contents.view ? text_view_ref(r->contents.view) : NULL,
		.content_max_bytes =
			r->cfg.content_max_bytes ? r->cfg.content_max_bytes : UINT64_MAX,
	};
	return to->name && to->path ? 0 : -ENOMEM;
}

/*
 * note: unpublished. A walk ends by changing its root and publishing; by then the catalog names the
 * new segment, so there is no way back when there is no memory for the snapshot. The section that
 * changed the root is left undone, which poisons the lock: what is published is true, but not the
 * latest. The next to take the lock by a section publishes again and heals: another walk, a reload,
 * or at the latest the status that the daemon makes every second.
 */
int
engine_publish_locked(struct engine *e)
{
	struct snapshot *s = snapshot_create((uint32_t)e->roots.len);

	lock_assert_held(&e->lock);
	if (!s)
		return -ENOMEM;
	s->instance = catalog_clock(e->catalog)->instance;
	s->epoch = catalog_clock(e->catalog)->epoch;
	s->tick = e->tick;
	for (size_t i = 0; i < e->roots.len; i++) {
		int r = snap_root_fill(&s->roots[i], e->roots.data[i]);

		if (r < 0) {
			snapshot_unref(s);
			return r;
		}
	}
	snapshot_seal(s);
	published_set(&e->current, &s->shared);
	lock_heal(&e->lock);
	return 0;
}

void
engine_heal(struct engine *e)
{
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */

	{
		LOCK_SECTION(&e->lock, section);
		if (section.found == 0 || engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
	engine_tell_published(e);
}

void
engine_tell_published(struct engine *e)
{
	struct snapshot *now = engine_snapshot(e);
	uint64_t tick = now->tick;
	bool moved;

	snapshot_unref(now);
	{
		LOCK_SCOPE(&e->lock);
		moved = tick > e->n_told;
		e->n_told = MAX(e->n_told, tick);
	}
	if (moved && e->on_publish)
		e->on_publish(e->publish_ctx, tick);
}

void
engine_tell_contents(struct engine *e)
{
	struct snapshot *now = engine_snapshot(e);
	uint64_t tick = now->tick;

	snapshot_unref(now);
	if (e->on_publish)
		e->on_publish(e->publish_ctx, tick);
}

void
engine_begin_turn(struct engine *e)
{
	LOCK_SCOPE(&e->lock);
	while (e->turn_taken)
		cond_wait(&e->turn, &e->lock);
	e->turn_taken = true;
}

void
engine_end_turn_locked(struct engine *e)
{
	lock_assert_held(&e->lock);
	e->turn_taken = false;
	cond_broadcast(&e->turn);
}

static uint64_t
next_tick(struct engine *e)
{
	LOCK_SCOPE(&e->lock);
	return e->tick + 1;
}

int
engine_note_anew(struct engine *e, struct ledger_batch **ret, struct err *err)
{
	struct ledger_batch *b = ledger_batch_create(&(struct strbuf){0}, 0);
	int r = b ? ledger_reserve(&e->ledger) : -ENOMEM;

	if (r < 0) {
		(void)err_set(err, r, "could not note what has changed: out of memory");
	} else {
		b->told.tick = next_tick(e);
		b->told.at = clock_real();
		r = catalog_note(e->catalog,
			&(struct catalog_batch){.tick = b->told.tick, .at = b->told.at}, err);
	}
	if (r < 0)
		ledger_batch_unref(b);
	else
		*ret = b;
	return r;
}

void
engine_add_anew_locked(struct engine *e, struct ledger_batch *b)
{
	lock_assert_held(&e->lock);
	e->tick = b->told.tick;
	ledger_push(&e->ledger, b);
}

struct snapshot *
engine_snapshot(struct engine *e)
{
	return CONTAINER_OF(published_acquire(&e->current), struct snapshot, shared);
}

const struct pool *
engine_humble(const struct engine *e)
{
	return e->humble;
}

/* The state directory and "segments" in it, made when they are missing. */
static int
open_dirs(struct engine *e, struct err *err)
{
	if (mkdir(e->state_dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "could not make the state directory \"%s\": %s",
			e->state_dir, err_reason(errno));
	e->state_fd = open(e->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->state_fd < 0)
		return err_set(err, -errno, "could not open the state directory \"%s\": %s",
			e->state_dir, err_reason(errno));
	if (mkdirat(e->state_fd, ENGINE_SEGMENT_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "could not write to the state directory \"%s\": %s",
			e->state_dir, err_reason(errno));
	e->segment_fd = openat(e->state_fd, ENGINE_SEGMENT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->segment_fd < 0)
		return err_set(err, -errno, "could not open \"%s/%s\": %s", e->state_dir,
			ENGINE_SEGMENT_DIR, err_reason(errno));
	return 0;
}

static int
copy_own_dirs(struct engine *e, const char *const *more)
{
	AUTO(freep) char *state = realpath(e->state_dir, NULL);
	const char *dirs[16] = {state ? state : e->state_dir};

	for (size_t i = 1; more && *more && i + 1 < ARRAY_LEN(dirs); i++)
		dirs[i] = *more++;
	e->own_dirs = strings_copy(dirs);
	return e->own_dirs ? 0 : -ENOMEM;
}

static bool
is_named(const struct catalog_roots *known, const char *file)
{
	for (size_t i = 0; i < known->len; i++) {
		if (catalog_names(&known->data[i], file))
			return true;
	}
	return false;
}

/* What a crash left behind: every file that the catalog does not name. */
static void
sweep_segments(const struct engine *e, const struct catalog_roots *known)
{
	AUTO(closep) int fd = fcntl(e->segment_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir)
		return;
	fd = -1; /* closedir() closes it */
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.' && !is_named(known, d->d_name))
			(void)unlinkat(e->segment_fd, d->d_name, 0);
	}
	(void)closedir(dir);
}

static bool
is_configured(const struct engine *e, const struct catalog_root *known)
{
	VEC_EACH (&e->roots, root) {
		if ((*root)->id == known->id)
			return true;
	}
	return false;
}

static int
forget_root(struct engine *e, const struct catalog_root *known, struct err *err)
{
	int r = catalog_forget_root(e->catalog, known->id, err);

	if (r < 0)
		return r;
	for (uint32_t k = 0; k < known->n_segments; k++)
		(void)unlinkat(e->segment_fd, known->segments[k], 0);
	for (uint32_t k = 0; k < known->n_texts; k++)
		(void)unlinkat(e->segment_fd, known->texts[k].file, 0);
	return 0;
}

static int
note_forgotten(struct engine *e, struct err *err)
{
	struct ledger_batch *b;
	int r = engine_note_anew(e, &b, err);

	if (r < 0)
		return r;
	LOCK_SCOPE(&e->lock);
	engine_add_anew_locked(e, b);
	return 0;
}

/* Roots that the catalog knows and the configuration does not. */
static int
forget_unconfigured(struct engine *e, const struct catalog_roots *known, struct err *err)
{
	bool noted = false;
	int r = 0;

	for (size_t i = 0; i < known->len && r == 0; i++) {
		if (is_configured(e, &known->data[i]))
			continue;
		r = noted ? 0 : note_forgotten(e, err);
		noted = true;
		if (r == 0)
			r = forget_root(e, &known->data[i], err);
	}
	return r;
}

static void
adopt_segments(struct engine *e, const struct catalog_roots *known)
{
	VEC_EACH (&e->roots, root) {
		for (size_t i = 0; i < known->len; i++) {
			if (known->data[i].id == (*root)->id)
				root_adopt(*root, &known->data[i]);
		}
	}
}

static int
create_roots(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	if (cfg->n_roots > ENGINE_MAX_ROOTS)
		return err_set(err, -E2BIG,
			"the configuration has %zu roots, at most %u are possible", cfg->n_roots,
			ENGINE_MAX_ROOTS);
	for (size_t i = 0; i < cfg->n_roots; i++) {
		struct root *root;
		int r = root_create(e, cfg, i, &root, err);

		if (r < 0)
			return r;
		if (VEC_PUSH(&e->roots, root) < 0) {
			root_destroy(root);
			return err_set(err, -ENOMEM, "could not set up the roots: out of memory");
		}
	}
	return 0;
}

static int
load(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	struct catalog_roots known = {0};
	int r = create_roots(e, cfg, err);

	if (r == 0)
		r = catalog_roots(e->catalog, &known, err);
	if (r < 0)
		return r;
	sweep_segments(e, &known);
	adopt_segments(e, &known);
	r = forget_unconfigured(e, &known, err);
	catalog_roots_free(&known);
	if (r < 0)
		return r;
	LOCK_SCOPE(&e->lock);
	r = engine_publish_locked(e);
	return r < 0 ? err_set(err, r, "could not publish the index: out of memory") : 0;
}

/* Room that is given up when the disk is full, so that a start can write its few rows: serving the
 * saved index needs no more. Made again as soon as there is room. */
static void
make_reserve(const struct engine *e)
{
	AUTO(closep)
	int fd = openat(
		e->state_fd, RESERVE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		(void)unlinkat(e->state_fd, RESERVE_FILE, 0);
}

static int
open_catalog(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	struct catalog_opts opts = {.boot_id = cfg->boot_id};
	int r = catalog_open_with(e->state_fd, e->state_dir, &opts, &e->catalog, err);

	if (r == -ENOSPC && unlinkat(e->state_fd, RESERVE_FILE, 0) == 0) {
		engine_event(e, true,
			"the disk of \"%s\" is full: going on with what was kept back",
			e->state_dir);
		return catalog_open_with(e->state_fd, e->state_dir, &opts, &e->catalog, err);
	}
	if (r == 0)
		make_reserve(e);
	return r;
}

static int
engine_open(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	int r;

	e->state_dir = strdup(cfg->state_dir);
	if (!e->state_dir)
		return err_set(err, -ENOMEM, "could not set up the engine: out of memory");
	r = open_dirs(e, err);
	if (r < 0)
		return r;
	r = copy_own_dirs(e, cfg->own_dirs);
	if (r < 0)
		return err_set(err, r, "could not set up the engine: out of memory");
	r = open_catalog(e, cfg, err);
	if (r < 0)
		return r;
	e->tick = e->n_told = catalog_clock(e->catalog)->tick;
	ledger_begin(&e->ledger, e->tick, catalog_clock(e->catalog)->floor);
	r = live_create(e, cfg, &e->live, err);
	return r < 0 ? r : load(e, cfg, err);
}

/* A quarter of the pool, and one thread at least, is kept for the reads of queries, however many
 * walks hang in dead mounts. */
static unsigned
walk_threads(const struct pool *io)
{
	unsigned n = pool_threads(io);

	return MAX(n - MAX(n / 4, 1u), 1u);
}

/* A walk leaves one of them to the next (walk.h). */
static unsigned
humble_threads(const struct engine *e)
{
	return (e->walk_width ? e->walk_width : thread_cpus()) + 1;
}

/* These threads do nothing else: a priority that was given up cannot be had back. */
static void
become_humble(void *ctx, unsigned worker)
{
	(void)ctx;
	(void)worker;
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	(void)io_class_set(IO_CLASS_IDLE);
}

static int
open_humble(struct engine *e, struct err *err)
{
	const struct pool_opts opts = {
		.name = "humble",
		.n_threads = e->humble_walks.max,
		.on_start = become_humble,
	};
	int r = pool_create_with(&opts, &e->humble);

	return r < 0 ? err_set(err, r, "could not start threads: %s", err_reason(r)) : 0;
}

/* A kernel without it is no error. */
static int
open_pressure(const struct engine_config *cfg)
{
	return open(cfg->pressure_dir ? cfg->pressure_dir : MANNERS_DIR,
		O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int
engine_create(const struct engine_config *cfg, struct engine **ret, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return err_set(err, -ENOMEM, "could not set up the engine: out of memory");
	e->state_fd = e->segment_fd = -1;
	e->io = cfg->io;
	e->walk_width = cfg->walk_width;
	e->index_bytes = cfg->index_bytes ? cfg->index_bytes : TEXT_BUDGET_BYTES;
	e->on_event = cfg->on_event;
	e->ctx = cfg->ctx;
	pool_share_init(&e->walks, walk_threads(cfg->io));
	pool_share_init(&e->humble_walks, humble_threads(e));
	lock_init(&e->lock, RANK_ENGINE, "engine");
	cond_init(&e->turn);
	ledger_init(&e->ledger);
	manners_init(&e->manners, open_pressure(cfg), cfg->pressure_percent);
	rwlock_init(&e->table, RANK_ROOTS, "roots");
	stop_init(&e->stop, NULL);
	list_init(&e->retired);
	published_init(&e->current, NULL);
	r = engine_open(e, cfg, err);
	if (r == 0)
		r = open_humble(e, err);
	if (r < 0) {
		engine_destroy(e);
		return r;
	}
	*ret = e;
	return 0;
}

int
engine_start(struct engine *e, struct err *err)
{
	int r = live_start(e->live, err);

	VEC_EACH (&e->roots, root) {
		if (r == 0)
			r = root_start(*root, err);
	}
	if (r < 0)
		return r;
	LOCK_SCOPE(&e->lock);
	VEC_EACH (&e->roots, root)
		root_request_locked(*root);
	return 0;
}

void
engine_stop(struct engine *e)
{
	stop_request(&e->stop);
	LOCK_SCOPE(&e->lock); /* a reload may be swapping the roots */
	VEC_EACH (&e->roots, root)
		root_stop_locked(*root);
}

void
engine_destroy(struct engine *e)
{
	if (!e)
		return;
	engine_stop(e);
	live_stop(e->live);
	/* All threads before the first root goes: each of them publishes all roots. */
	VEC_EACH (&e->roots, root)
		root_join(*root);
	LIST_EACH (&e->retired, link)
		root_join(LIST_ITEM(link, struct root, link));
	VEC_EACH (&e->roots, root)
		root_destroy(*root);
	VEC_FINI(&e->roots);
	LIST_EACH (&e->retired, link)
		root_destroy(LIST_ITEM(link, struct root, link));
	published_fini(&e->current);
	(void)epoch_flush(); /* the memory of snapshots */
	catalog_close(e->catalog);
	live_destroy(e->live); /* the kernel has let go of its marks meanwhile */
	closep(&e->segment_fd);
	closep(&e->state_fd);
	strings_free(e->own_dirs);
	free(e->state_dir);
	stop_fini(&e->stop);
	pool_destroy(e->humble);
	pool_share_fini(&e->humble_walks);
	pool_share_fini(&e->walks);
	rwlock_fini(&e->table);
	ledger_fini(&e->ledger);
	manners_fini(&e->manners);
	cond_fini(&e->turn);
	lock_fini(&e->lock);
	free(e);
}

int
engine_rescan(struct engine *e, const char *name, struct err *err)
{
	size_t n = 0;

	LOCK_SCOPE(&e->lock);
	VEC_EACH (&e->roots, root) {
		if (name && strcmp((*root)->cfg.name, name) != 0)
			continue;
		root_request_locked(*root);
		root_urge_locked(*root);
		n++;
	}
	if (n == 0 && name)
		return err_set(err, -ENOENT, "there is no root \"%s\"", name);
	return 0;
}
