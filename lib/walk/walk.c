#include "walk/walk.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sync/thread.h"
#include "walk/batch.h"
#include "walk/dirq.h"
#include "walk/judge.h"
#include "walk/listing.h"

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
	struct listing listing;
	struct filler filler;
	struct brood *mine; /* not yet published: the lists that name them are not sent */
	struct strbuf path; /* of the directory being read, and of its entries */
	struct strbuf kids; /* the sub-directories of a piece, as dirq_add() takes them */
	uint32_t n_kids;
	uint64_t n_bytes; /* of the piece */
};

struct walk {
	/* Fixed while workers run. */
	struct pool *io;
	struct chan *out;
	struct stop *stop;
	struct walk_stats *stats;
	int root_fd;
	unsigned n_workers;
	struct worker *workers;

	struct judge judge;
	struct dirq dirq;

	/* The next directory's number. Relaxed: only uniqueness counts. */
	_Atomic uint64_t next_number;
};

static void
count_skip(struct worker *k, enum walk_skip skip)
{
	if (skip != SKIP_NONE)
		counter_add(&k->walk->stats->n_skipped[skip], 1);
}

static int
check_stop(const struct worker *k)
{
	return stop_requested(k->walk->stop) ? -ECANCELED : 0;
}

/* Send the batch, then let others take the directories that it named: in this order, so that no
 * listing overtakes the one that names its directory. */
static int
flush(struct worker *k)
{
	struct walk *w = k->walk;
	int r = filler_send(&k->filler, w->out, w->stop);

	return r < 0 ? r : dirq_publish(&w->dirq, &k->mine);
}

/* Somebody waits for work, and there is more than the one directory that we take next. */
static bool
should_share(const struct worker *k)
{
	return load_rlx(&k->walk->dirq.n_idle) > 0 && k->mine &&
	       (k->mine->n_left > 1 || k->mine->next);
}

static int64_t
stamp_ns(struct statx_timestamp t)
{
	return clock_ns(t.tv_sec, t.tv_nsec);
}

static struct walk_class
class_of(const struct statx *st)
{
	return (struct walk_class){
		.dev = statx_dev(st),
		.mode = st->stx_mode,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
	};
}

/* All but the class. */
static void
fill_from_stat(struct walk_entry *e, const struct statx *st)
{
	e->type = (uint8_t)IFTODT(st->stx_mode);
	e->nlink = st->stx_nlink;
	e->ino = st->stx_ino;
	e->size = st->stx_size;
	e->blocks = st->stx_blocks;
	e->mtime_ns = stamp_ns(st->stx_mtime);
	e->ctime_ns = stamp_ns(st->stx_ctime);
}

/* Only its name and type are known: a directory that may be listed but not searched. */
static int
fill_from_listing(struct worker *k, struct walk_entry *e, const struct listed *name, uint64_t dev,
	enum walk_skip skip)
{
	struct walk_class c = {.dev = dev, .mode = DTTOIF(name->type)};

	e->type = name->type;
	e->ino = name->ino;
	e->skip = (uint8_t)skip;
	count_skip(k, skip);
	return filler_class(&k->filler, &c, &e->cls) < 0 ? -ENOMEM : 1;
}

/* Note a sub-directory to enter; its number within the piece goes to the entry for now. */
static int
add_kid(struct worker *k, struct walk_entry *e, const struct listed *name, bool on_mount)
{
	struct brood_name head = {.len = name->len, .on_mount = on_mount};

	e->dir = k->n_kids++;
	(void)strbuf_add(&k->kids, &head, sizeof(head));
	return strbuf_add(&k->kids, name->name, name->len + 1u);
}

/* The path of an entry: the directory's, which is the first dir_len bytes of k->path, and name. */
static struct span
entry_path(struct worker *k, size_t dir_len, const struct listed *name)
{
	strbuf_truncate(&k->path, dir_len);
	if (dir_len > 0)
		(void)strbuf_putc(&k->path, '/');
	(void)strbuf_add(&k->path, name->name, name->len);
	return strbuf_view(&k->path);
}

/* Judge one name and fill its entry: 1, 0 when it is left out, -ENOMEM. */
static int
make_entry(struct worker *k, struct dir *d, const struct listed *name, size_t dir_len,
	struct walk_entry *e)
{
	struct judge *j = &k->walk->judge;
	struct span path = j->needs_path ? entry_path(k, dir_len, name) : (struct span){0};
	struct judgement v = {0}, inside;
	struct walk_class c;
	struct statx st;
	bool is_dir = name->type == DT_DIR, looked = false;
	int r = 0;

	if (k->path.failed)
		return -ENOMEM;
	if (name->len > WALK_NAME_MAX_BYTES) {
		count_skip(k, SKIP_NAME_TOO_LONG);
		return 0;
	}
	if (name->type == DT_UNKNOWN) {
		r = entry_stat(d->fd, name->name, &st);
		is_dir = r == 0 && S_ISDIR(st.stx_mode);
		looked = true;
	}
	if (j->needs_path)
		v = judge_name(j, d, path, is_dir);
	if (v.leave_out) {
		count_skip(k, v.skip);
		return 0;
	}
	if (!looked)
		r = entry_stat(d->fd, name->name, &st);
	if (r < 0 && skip_of_error(r) == SKIP_GONE) {
		count_skip(k, SKIP_GONE);
		return 0;
	}
	*e = (struct walk_entry){.name_len = name->len, .dir = WALK_NO_DIR};
	if (r < 0)
		return fill_from_listing(k, e, name, d->dev, skip_of_error(r));
	c = class_of(&st);
	fill_from_stat(e, &st);
	if (filler_class(&k->filler, &c, &e->cls) < 0)
		return -ENOMEM;
	if (!S_ISDIR(st.stx_mode)) {
		k->n_bytes += S_ISREG(st.stx_mode) ? st.stx_size : 0;
		return 1;
	}
	inside = v.skip == SKIP_NONE ? judge_dir(j, d, path, &st) : v;
	if (inside.skip == SKIP_NONE)
		return add_kid(k, e, name, inside.on_mount) < 0 ? -ENOMEM : 1;
	e->skip = (uint8_t)inside.skip;
	count_skip(k, inside.skip);
	return 1;
}

/* Number the piece's sub-directories and put them with what is to be read. */
static int
number_kids(struct worker *k, struct dir *d, struct walk_entry *entries, uint32_t n)
{
	struct walk *w = k->walk;
	uint64_t first;

	if (k->n_kids == 0)
		return 0;
	first = add_rlx(&w->next_number, k->n_kids);
	if (first + k->n_kids > WALK_NO_DIR)
		return -EFBIG;
	for (uint32_t i = 0; i < n; i++)
		if (entries[i].dir != WALK_NO_DIR)
			entries[i].dir += (uint32_t)first;
	return dirq_add(&w->dirq, &k->mine, d, (uint32_t)first, k->n_kids, strbuf_view(&k->kids));
}

/* The names in k->listing become one list. */
static int
emit_piece(struct worker *k, struct dir *d, size_t dir_len)
{
	struct listing *l = &k->listing;
	struct walk_entry *entries;
	uint32_t n = 0;
	char *names, *at;
	int r = filler_room(&k->filler, l->n, l->names_bytes, &entries, &names);

	k->n_kids = 0;
	k->n_bytes = 0;
	strbuf_reset(&k->kids);
	at = names;
	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const struct listed *name = &l->listed[i];

		/* Each time: it can take a disk's seek, or thousands of patterns. */
		if (check_stop(k) < 0)
			return -ECANCELED;
		r = make_entry(k, d, name, dir_len, &entries[n]);
		if (r != 1)
			continue;
		entries[n++].name = memcpy(at, name->name, name->len + 1u);
		at += name->len + 1u;
	}
	if (r >= 0)
		r = number_kids(k, d, entries, n);
	if (r < 0)
		return r;
	counter_add(&k->walk->stats->n_entries, n);
	counter_add(&k->walk->stats->n_bytes, k->n_bytes);
	return filler_add(&k->filler, (struct walk_list){
					      .dir = d->number,
					      .n_entries = n,
					      .names_bytes = (uint32_t)(at - names),
					      .entries = entries,
				      });
}

/* The directory has no more pieces; say so in its last one if that is still here. */
static int
end_listing(struct worker *k, struct dir *d, enum walk_skip skip)
{
	struct walk_list *l = filler_last(&k->filler, d->number);

	count_skip(k, skip);
	if (!l)
		return filler_add(&k->filler,
			(struct walk_list){.dir = d->number, .last = true, .skip = skip});
	l->last = true;
	l->skip = skip;
	return 0;
}

/* List the opened directory, piece by piece. */
static int
read_pieces(struct worker *k, struct dir *d)
{
	size_t dir_len = k->path.len;
	int r;

	for (;;) {
		r = check_stop(k);
		if (r < 0)
			return r;
		r = listing_read(&k->listing, d->fd);
		if (r <= 0)
			return end_listing(k, d, r < 0 ? skip_of_error(r) : SKIP_NONE);
		if (k->listing.n == 0)
			continue;
		/* Not after the piece but before the next: until then it may turn out the last. */
		if (!filler_fits(&k->filler, k->listing.n, k->listing.names_bytes))
			r = flush(k);
		if (r >= 0)
			r = emit_piece(k, d, dir_len);
		if (r < 0)
			return r;
	}
}

/* A descriptor for d: relative to its parent's while that is open, else from the root. */
static int
open_once(struct worker *k, struct dir *d)
{
	struct walk *w = k->walk;
	int parent_fd = dirq_parent_fd(&w->dirq, d);

	if (parent_fd < 0 && !k->walk->judge.needs_path && dir_path(d, &k->path) < 0)
		return -ENOMEM;
	return dir_open(d, parent_fd, w->root_fd, strbuf_view(&k->path));
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
	if (fd >= 0)
		dirq_set_fd(q, d, fd);
	return fd;
}

/* Look at the opened directory and list it if nothing speaks against it. */
static int
read_opened(struct worker *k, struct dir *d)
{
	struct walk *w = k->walk;
	enum walk_skip skip = SKIP_IO_ERROR;
	int r = -EMFILE;

	for (unsigned i = 0; i < EMFILE_TRIES && is_starved(r) && check_stop(k) == 0; i++) {
		r = judge_inside(&w->judge, d, d->fd, strbuf_view(&k->path), &skip);
		if (is_starved(r))
			dirq_shed(&w->dirq);
	}
	if (r < 0 && !is_starved(r))
		return r;
	if (r < 0 || skip != SKIP_NONE)
		return end_listing(k, d, r < 0 ? SKIP_IO_ERROR : skip);
	counter_add(&w->stats->n_dirs, 1);
	return read_pieces(k, d);
}

/* Everything about one directory. */
static int
read_dir(struct worker *k, struct dir *d)
{
	struct walk *w = k->walk;
	int r = 0, fd;

	strbuf_reset(&k->path);
	if (w->judge.needs_path)
		r = dir_path(d, &k->path);
	fd = r == 0 ? open_dir(k, d) : r;
	dirq_release_parent(&w->dirq, d);
	if (fd == -ENOMEM)
		return -ENOMEM;
	if (fd < 0)
		return end_listing(k, d, skip_of_error(fd));
	r = read_opened(k, d);
	dirq_release(&w->dirq, d);
	return r;
}

/* One directory: 1 go on, 0 the worker is idle and may not be touched, <0 the walk failed. */
static int
step(struct worker *k)
{
	struct dirq *q = &k->walk->dirq;
	struct dir *d;
	int r = check_stop(k);

	if (r == 0)
		r = dirq_take(q, &k->mine, &d);
	if (r < 0)
		return r;
	if (r == 0) {
		/* It is all we have, and others may wait for what it names. */
		r = flush(k);
		return r < 0 ? r : !dirq_rest(q, &k->place);
	}
	r = read_dir(k, d);
	dir_unref(d);
	if (r == 0 && (filler_is_full(&k->filler) || should_share(k)))
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
create_workers(struct walk *w, unsigned n, size_t batch_bytes)
{
	w->workers = calloc(n, sizeof(w->workers[0]));
	if (!w->workers)
		return -ENOMEM;
	for (; w->n_workers < n; w->n_workers++) {
		struct worker *k = &w->workers[w->n_workers];

		k->place.task.run = worker_run;
		k->walk = w;
		filler_init(&k->filler, batch_bytes);
		dirq_hire(&w->dirq, &k->place);
		if (listing_init(&k->listing) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void
destroy_workers(struct walk *w)
{
	for (unsigned i = 0; i < w->n_workers; i++) {
		struct worker *k = &w->workers[i];

		listing_fini(&k->listing);
		filler_fini(&k->filler);
		strbuf_fini(&k->path);
		strbuf_fini(&k->kids);
	}
	free(w->workers);
}

/* With the root open. */
static int
walk_tree(struct walk *w, const struct walk_opts *opts)
{
	struct dir *root = dir_create(NULL, (struct span){0}, 0);
	unsigned width, max_kept;
	int r;

	if (!root)
		return -ENOMEM;
	plan(opts, w->io, &width, &max_kept);
	dirq_init(&w->dirq, w->io, opts->share, max_kept, w->stats);
	store_rlx(&w->next_number, 1); /* the root is 0; no worker runs yet */
	r = create_workers(w, width, opts->batch_bytes);
	if (r == 0)
		r = dirq_run(&w->dirq, root);
	else
		dir_unref(root);
	destroy_workers(w);
	dirq_fini(&w->dirq);
	return r;
}

int
walk_run(const struct walk_opts *opts, struct pool *io, struct chan *out, struct stop *stop,
	struct walk_stats *stats, struct walk_root *ret_root, struct err *err)
{
	struct walk w = {.io = io, .out = out, .stop = stop, .stats = stats};
	struct statx st;
	int r = judge_init(&w.judge, opts);

	w.root_fd = r == 0 ? judge_open_root(&w.judge, &st, err) : r;
	if (w.root_fd >= 0) {
		*ret_root = (struct walk_root){.entry.name = "", .cls = class_of(&st)};
		fill_from_stat(&ret_root->entry, &st);
		r = walk_tree(&w, opts);
		(void)close(w.root_fd);
	} else {
		r = w.root_fd;
	}
	judge_fini(&w.judge);
	if (r == -ENOMEM)
		return err_set(err, r, "could not walk \"%s\": out of memory", opts->root);
	return r;
}
