#include "walk/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sync/thread.h"
#include "walk/dirq.h"
#include "walk/piece.h"

#define DEFAULT_MAX_FDS 512u
/* Besides what is kept for children, a worker has open: a directory, its parent, and a file or a
 * step of a long path. */
#define FDS_PER_WORKER 3u
/* The root and the mount table. */
#define FDS_PER_WALK 2u
#define EMFILE_TRIES 20u

struct worker {
	struct dirq_worker place; /* in the queue */
	struct walk *walk;
	struct piece_maker piece;
	struct brood *mine; /* not yet published: the lists that name them are not sent */
};

struct walk {
	/* Fixed while workers run. */
	const struct walk_opts *opts;
	struct pool *io;
	struct chan *out;
	struct stop *stop;
	struct walk_stats *stats;
	int root_fd;
	bool root_tells; /* known_fs() */
	struct dir_was root_was;
	enum dir_scope root_scope;
	unsigned n_workers;
	struct worker *workers;

	struct judge judge;
	struct dirq dirq;

	/* The next directory's number. Relaxed: only uniqueness counts. */
	_Atomic uint64_t next_number;
};

static int
check_stop(const struct worker *k)
{
	return stop_requested(k->walk->stop) ? -ECANCELED : 0;
}

static void
report(struct walk_stats *stats, struct tally *t)
{
	counter_add(&stats->n_entries, t->n_entries);
	counter_add(&stats->n_dirs, t->n_dirs);
	counter_add(&stats->n_bytes, t->n_bytes);
	counter_add(&stats->n_trusted, t->n_trusted);
	counter_add(&stats->n_changed, t->n_changed);
	for (unsigned i = 0; i < N_WALK_SKIPS; i++)
		if (t->n_skipped[i] > 0)
			counter_add(&stats->n_skipped[i], t->n_skipped[i]);
	*t = (struct tally){0};
}

/* Send the batch, then let others take the directories that it named: in this order, so that no
 * listing overtakes the one that names its directory. */
static int
flush(struct worker *k)
{
	struct walk *w = k->walk;
	int r;

	report(w->stats, &k->piece.tally);
	r = filler_send(&k->piece.filler, w->out, w->stop);
	return r < 0 ? r : dirq_publish(&w->dirq, &k->mine);
}

/* Somebody waits for work, and there is more than the one directory that we take next. */
static bool
should_share(const struct worker *k)
{
	return load_rlx(&k->walk->dirq.n_idle) > 0 && k->mine &&
	       (k->mine->n_left > 1 || k->mine->next);
}

/* The next piece, with what it names among what is to be read. */
static int
emit(struct worker *k, struct dir *d)
{
	struct piece_maker *p = &k->piece;
	int r = 0;

	if (!filler_fits(&p->filler, p->listing.n, p->listing.names_bytes))
		r = flush(k);
	if (r >= 0)
		r = piece_emit(p);
	if (r < 0 || p->n_kids == 0)
		return r;
	return dirq_add(
		&k->walk->dirq, &k->mine, d, p->first_kid, p->n_kids, strbuf_view(&p->kids));
}

/* Somebody has nothing to do: give him half of the names at hand. What names the directory is sent
 * before he can send them. */
static int
share_names(struct worker *k, struct dir *d)
{
	struct piece_part *part;
	int r;

	if (load_rlx(&k->walk->dirq.n_idle) == 0)
		return 0;
	part = piece_cut(&k->piece);
	if (!part)
		return 0;
	r = flush(k);
	if (r < 0) {
		free(part);
		return r;
	}
	return dirq_share(&k->walk->dirq, d, &part->head);
}

/* The names of a directory, or of the part that was begun with, piece by piece. */
static int
read_pieces(struct worker *k, struct dir *d)
{
	struct piece_maker *p = &k->piece;
	int r;

	for (;;) {
		r = check_stop(k);
		if (r == 0 && dir_has_names(d))
			r = share_names(k, d);
		if (r < 0)
			return r;
		r = piece_read(p);
		if (r < 0 && dir_has_names(d)) /* it is not the directory that cannot be read */
			return r;
		if (r <= 0)
			return piece_end(p, d, r < 0 ? skip_of_error(r) : SKIP_NONE);
		if (!dir_has_names(d))
			r = share_names(k, d);
		if (r >= 0 && p->listing.n > 0)
			r = emit(k, d);
		if (r < 0)
			return r;
	}
}

/* Part of a directory that another worker has opened. */
static int
read_part(struct worker *k, struct dirq_part *head)
{
	struct piece_part *part = CONTAINER_OF(head, struct piece_part, head);
	struct dir *d = head->dir;
	int r = 0;

	strbuf_reset(&k->piece.path);
	if (k->walk->judge.needs_path)
		r = dir_path(d, &k->piece.path);
	if (r == 0) {
		piece_resume(&k->piece, part);
		r = read_pieces(k, d);
	}
	dirq_release(&k->walk->dirq, d);
	dir_unref(d);
	free(part);
	return r;
}

/* A descriptor for d: relative to its parent's while that is open, else from the root. */
static int
open_once(struct worker *k, struct dir *d)
{
	struct strbuf *path = &k->piece.path;
	int parent_fd = dirq_parent_fd(d);

	if (parent_fd < 0 && !k->walk->judge.needs_path && dir_path(d, path) < 0)
		return -ENOMEM;
	d->by_path = dir_has_names(d);
	return dir_open(
		d, parent_fd, k->walk->root_fd, strbuf_view(path), d->by_path ? O_PATH : O_RDONLY);
}

static bool
is_starved(int code)
{
	return code == -EMFILE || code == -ENFILE;
}

static int
open_dir(struct worker *k, struct dir *d)
{
	struct dirq *q = &k->walk->dirq;
	int fd = -EMFILE;

	for (unsigned i = 0; i < EMFILE_TRIES && is_starved(fd) && check_stop(k) == 0; i++) {
		fd = open_once(k, d);
		if (is_starved(fd))
			dirq_shed(q);
	}
	dirq_opened(q, d, fd);
	return fd;
}

/* An opened directory, whose names need not have been read, is opened for that: 0 or -errno. */
static int
open_for_listing(struct dir *d)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)dup3(fd, d->fd, O_CLOEXEC);
	(void)close(fd);
	d->by_path = false;
	return 0;
}

/* The opened directory is the one whose names are known, and the rules of today would leave out
 * the same of them. */
static bool
keeps_trust(const struct dir *d)
{
	return d->same_rules && d->ino == d->was.ino && d->ctime_ns == d->was.ctime_ns;
}

/* How much of an aimed directory is looked at, now that it is open. */
static void
settle_aim(struct dir *d)
{
	struct statx st;

	if (!d->same_rules || (d->scope == DIR_NAMED && d->ino != d->was.ino))
		d->scope = DIR_DEEP;
	/* Of one that may not be searched only a listing tells names and types. */
	if (d->scope == DIR_NAMED && entry_stat(d->fd, ".", &st) < 0)
		d->scope = DIR_LISTED;
}

/* Is the opened directory the one that was known, and would the rules of today leave out the same
 * of it? If not, it is opened for listing: 0 or -errno. */
static int
settle_scope(struct worker *k, struct dir *d)
{
	const struct walk_opts *opts = k->walk->opts;

	d->same_rules = !d->parent || d->parent->same_rules;
	if (opts->gitignore && d->same_rules && opts->known)
		d->same_rules = piece_same_ignore(&k->piece, d);
	d->tells = d->parent ? d->parent->tells : k->walk->root_tells;
	if (d->on_mount)
		d->tells = known_fs(d->fd);
	if (d->scope == DIR_NAMED || d->scope == DIR_LISTED)
		settle_aim(d);
	else
		d->was.trusted &= keeps_trust(d);
	k->piece.tally.n_trusted += d->was.trusted;
	return d->by_path && !dir_has_names(d) ? open_for_listing(d) : 0;
}

/* Has another directory taken the place of the one that the entry tells? Its names below that entry
 * would stay when the next look finds the entry as it is known. As it is, the entry's directory was
 * not read, and the next look reads it. (A file system whose numbers change from look to look would
 * never be read.) */
static bool
is_another(const struct dir *d)
{
	return d->parent && d->ino != d->entry_ino && known_fs(d->fd);
}

/* Look at the opened directory and list it if nothing speaks against it. */
static int
read_opened(struct worker *k, struct dir *d)
{
	struct walk *w = k->walk;
	enum walk_skip skip = SKIP_IO_ERROR;
	int r = -EMFILE;

	for (unsigned i = 0; i < EMFILE_TRIES && is_starved(r) && check_stop(k) == 0; i++) {
		r = judge_inside(&w->judge, d, d->fd, strbuf_view(&k->piece.path), &skip);
		if (r == 0 && skip == SKIP_NONE && is_another(d))
			skip = SKIP_GONE;
		if (r == 0 && skip == SKIP_NONE) {
			r = settle_scope(k, d);
			skip = r < 0 ? skip_of_error(r) : SKIP_NONE;
			r = is_starved(r) ? r : 0;
		}
		if (is_starved(r))
			dirq_shed(&w->dirq);
	}
	if (r < 0 && !is_starved(r))
		return r;
	if (r < 0 || skip != SKIP_NONE)
		return piece_end(&k->piece, d, r < 0 ? SKIP_IO_ERROR : skip);
	k->piece.tally.n_dirs++;
	r = piece_begin(&k->piece, d);
	return r < 0 ? r : read_pieces(k, d);
}

/* Everything about one directory. */
static int
read_dir(struct worker *k, struct dir *d)
{
	struct strbuf *path = &k->piece.path;
	int r = 0, fd;

	strbuf_reset(path);
	if (k->walk->judge.needs_path)
		r = dir_path(d, path);
	if (r < 0) {
		dirq_opened(&k->walk->dirq, d, -1);
		return r;
	}
	fd = open_dir(k, d);
	if (fd == -ENOMEM)
		return -ENOMEM;
	if (fd < 0)
		return piece_end(&k->piece, d, skip_of_error(fd));
	r = read_opened(k, d);
	dirq_release(&k->walk->dirq, d);
	return r;
}

/* The next part or directory: 1 done, 0 there is none now, <0 the walk failed. */
static int
work(struct worker *k)
{
	struct dirq *q = &k->walk->dirq;
	struct dirq_part *part = dirq_take_part(q);
	struct dir *d;
	int r;

	if (part) {
		r = read_part(k, part);
		return r < 0 ? r : 1;
	}
	r = dirq_take(q, &k->mine, &d);
	if (r <= 0)
		return r;
	r = read_dir(k, d);
	dir_unref(d);
	return r < 0 ? r : 1;
}

/* One directory: 1 go on, 0 the worker is idle and may not be touched, <0 the walk failed. */
static int
step(struct worker *k)
{
	int r = stop_pass(k->walk->stop);

	if (r < 0)
		return r;
	r = work(k);
	if (r == 0) {
		/* It is all we have, and others may wait for what it names. */
		r = flush(k);
		return r < 0 ? r : !dirq_rest(&k->walk->dirq, &k->place);
	}
	if (r > 0 && (filler_is_full(&k->piece.filler) || should_share(k)))
		r = flush(k);
	return r < 0 ? r : 1;
}

/* The walk failed: afterwards the worker may not be touched. */
static void
give_up(struct worker *k, int result)
{
	struct dirq *q = &k->walk->dirq;

	dirq_fail(q, result);
	(void)dirq_publish(q, &k->mine); /* for dirq_fini(), which drops them */
	(void)dirq_rest(q, &k->place);
}

/* Let a more urgent task have the thread: 0 when this one is queued again and may be running. */
static int
give_way(struct worker *k)
{
	int r = flush(k);

	if (r < 0)
		return r;
	r = dirq_submit(&k->walk->dirq, &k->place);
	return r < 0 ? -ECANCELED : 0; /* the pool is closing */
}

static void
worker_run(struct task *t)
{
	struct worker *k = CONTAINER_OF(t, struct worker, place.task);
	struct pool *io = k->walk->io; /* the walk may end before we do */
	int r;

	do {
		r = step(k);
		if (r == 1 && pool_should_yield(io, TASK_INDEX))
			r = give_way(k);
	} while (r == 1);
	if (r < 0)
		give_up(k, r);
}

/* How many workers, and how many descriptors may be kept for children. Half of what the process
 * may open is left to others. */
static void
plan(const struct walk_opts *opts, const struct pool *io, unsigned *ret_width, unsigned *ret_kept)
{
	unsigned max_fds = opts->max_fds ? opts->max_fds : DEFAULT_MAX_FDS;
	unsigned width = opts->width ? opts->width : thread_cpus();
	unsigned need;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		max_fds = (unsigned)MIN((rlim_t)max_fds, limit.rlim_cur / 2);
	width = MIN(width, pool_threads(io));
	if (opts->share)
		width = MIN(width, MAX(opts->share->max - 1, 1u));
	while (width > 1 && FDS_PER_WALK + width * FDS_PER_WORKER > max_fds)
		width--;
	need = FDS_PER_WALK + width * FDS_PER_WORKER;
	*ret_width = width;
	*ret_kept = max_fds > need ? max_fds - need : 0;
}

static int
create_workers(struct walk *w, unsigned n)
{
	w->workers = calloc(n, sizeof(w->workers[0]));
	if (!w->workers)
		return -ENOMEM;
	for (; w->n_workers < n; w->n_workers++) {
		struct worker *k = &w->workers[w->n_workers];

		k->place.task.run = worker_run;
		k->walk = w;
		k->piece = (struct piece_maker){
			.judge = &w->judge,
			.known = w->opts->known,
			.stop = w->stop,
			.next_number = &w->next_number,
		};
		dirq_hire(&w->dirq, &k->place);
		if (piece_init(&k->piece, w->opts->batch_bytes) < 0) {
			piece_fini(&k->piece);
			return -ENOMEM;
		}
	}
	return 0;
}

static void
destroy_workers(struct walk *w)
{
	for (unsigned i = 0; i < w->n_workers; i++) {
		report(w->stats, &w->workers[i].piece.tally);
		piece_fini(&w->workers[i].piece);
	}
	free(w->workers);
}

/* With the root open. */
static int
walk_tree(struct walk *w)
{
	struct dir *root = dir_create(NULL, (struct span){0}, 0);
	unsigned width, max_kept;
	int r;

	if (!root)
		return -ENOMEM;
	root->was = w->root_was;
	root->scope = w->root_scope;
	root->aim = w->opts->aim ? aim_root(w->opts->aim) : NULL;
	plan(w->opts, w->io, &width, &max_kept);
	dirq_init(&w->dirq, w->io, w->opts->share, max_kept, w->stats);
	store_rlx(&w->next_number, 1); /* the root is 0; no worker runs yet */
	r = create_workers(w, width);
	if (r == 0)
		r = dirq_run(&w->dirq, root);
	else
		dir_unref(root);
	destroy_workers(w);
	dirq_fini(&w->dirq);
	return r;
}

static void
describe_root(struct walk *w, const struct statx *st, struct walk_root *ret)
{
	const struct walk_known *known = w->opts->known;
	const struct walk_aim *aim = w->opts->aim;
	struct known_entry was;

	*ret = (struct walk_root){.entry.name = "", .cls = class_of_stat(st)};
	entry_of_stat(&ret->entry, st);
	if (!known)
		return;
	known->root(known->ctx, &was);
	ret->same = known_same(&was, &ret->entry, &ret->cls);
	counter_add(&w->stats->n_changed, !ret->same);
	w->root_tells = known_fs(w->root_fd);
	w->root_was = dir_was_of(known, &was, ret->same, &ret->entry, &ret->cls);
	w->root_was.trusted &= w->root_tells && !aim;
	if (aim)
		w->root_scope =
			MIN(dir_scope_of(DIR_NAMED, aim_root(aim), &w->root_was), DIR_NAMED);
}

int
walk_run(const struct walk_opts *opts, struct pool *io, struct chan *out, struct stop *stop,
	struct walk_stats *stats, struct walk_root *ret_root, struct err *err)
{
	struct walk w = {.opts = opts, .io = io, .out = out, .stop = stop, .stats = stats};
	struct statx st;
	int r = judge_init(&w.judge, opts);

	assert(opts->known || !opts->aim);

	w.root_fd = r == 0 ? judge_open_root(&w.judge, &st, err) : r;
	if (w.root_fd >= 0) {
		w.root_was.dir = WALK_NOT_KNOWN;
		describe_root(&w, &st, ret_root);
		r = walk_tree(&w);
		(void)close(w.root_fd);
	} else {
		r = w.root_fd;
	}
	judge_fini(&w.judge);
	if (r == -ENOMEM)
		return err_set(err, r, "could not walk \"%s\": out of memory", opts->root);
	return r;
}
