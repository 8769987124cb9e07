#include "walk/dirq.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

#define STARVED_WAIT_USEC (50 * USEC_PER_MSEC)
#define SHED_AT_ONCE 64u

struct dir *
dir_create(struct dir *parent, struct span name, uint32_t number)
{
	struct dir *d = malloc(sizeof(*d) + name.len + 1);

	if (!d)
		return NULL;
	*d = (struct dir){
		.parent = parent,
		.number = number,
		.was.dir = WALK_NOT_KNOWN,
		.fd = -1,
		.name_len = (uint16_t)name.len,
	};
	store_rlx(&d->refs, 1); /* nobody else knows it yet */
	store_rlx(&d->n_parts, 1);
	if (parent)
		(void)add_rlx(&parent->refs, 1); /* the caller's own keeps it alive */
	list_init(&d->kept);
	if (name.len > 0)
		memcpy(d->name, name.data, name.len);
	d->name[name.len] = '\0';
	return d;
}

void
dir_forget(struct dir *d)
{
	known_close(&d->known);
	free(d->found);
	free(d->names);
	d->found = NULL;
	d->names = NULL;
	d->knows = false;
}

void
dir_unref(struct dir *d)
{
	/* A loop: the chain can be thousands of levels long. */
	while (d && sub_ar(&d->refs, 1) == 1) {
		struct dir *parent = d->parent;

		assert(d->fd < 0);
		gitignore_unref(d->ignore);
		dir_forget(d);
		free(d);
		d = parent;
	}
}

int
dir_path(const struct dir *d, struct strbuf *out)
{
	size_t len = 0, at;

	for (const struct dir *up = d; up->parent; up = up->parent)
		len += up->name_len + 1u;
	strbuf_reset(out);
	if (len == 0)
		return 0;
	if (strbuf_reserve(out, len) < 0)
		return -ENOMEM;
	at = len;
	for (const struct dir *up = d; up->parent; up = up->parent) {
		out->data[--at] = '/';
		at -= up->name_len;
		memcpy(out->data + at, up->name, up->name_len);
	}
	out->len = len - 1; /* without the last slash */
	out->data[out->len] = '\0';
	return 0;
}

bool
dir_is_within(const struct dir *d, uint64_t dev, uint64_t ino)
{
	for (; d; d = d->parent)
		if (d->ino == ino && d->dev == dev)
			return true;
	return false;
}

void
dirq_init(struct dirq *q, struct pool *io, struct pool_share *share, unsigned max_kept,
	struct walk_stats *stats)
{
	*q = (struct dirq){.io = io, .share = share, .stats = stats, .max_kept = max_kept};
	lock_init(&q->lock, RANK_WALK, "dirq");
	cond_init(&q->ended);
	cond_init(&q->freed);
	list_init(&q->kept);
	list_init(&q->idle);
}

/* Decide about a descriptor that nobody uses at the moment: the descriptor to close, or -1. */
static int
settle_locked(struct dirq *q, struct dir *d)
{
	bool kept = !list_empty(&d->kept);

	if (d->fd < 0 || d->n_users > 0)
		return -1;
	if (d->n_broods > 0 && (kept || q->n_kept < q->max_kept)) {
		if (!kept) {
			list_push_back(&q->kept, &d->kept);
			q->n_kept++;
		}
		return -1;
	}
	if (kept) {
		list_remove(&d->kept);
		q->n_kept--;
	}
	q->n_open--;
	return TAKE_FD(d->fd);
}

/* Without the lock. Who waits for it looks again soon in any case, so it is no matter that he may
 * begin to wait just before it is closed. */
static void
close_fd(struct dirq *q, int fd)
{
	if (fd < 0)
		return;
	(void)close(fd);
	if (load_rlx(&q->n_starved) == 0)
		return;
	LOCK_SCOPE(&q->lock);
	cond_broadcast(&q->freed);
}

/* One brood, which is on no list, is used up or dropped: its parent reference is the caller's. */
static struct dir *
brood_end_locked(struct brood *b)
{
	struct dir *parent = b->parent;

	parent->n_broods--;
	free(b);
	return parent;
}

static void
drop_part(struct dirq *q, struct dirq_part *part)
{
	dirq_release(q, part->dir);
	dir_unref(part->dir);
	free(part);
}

void
dirq_fini(struct dirq *q)
{
	struct dirq_part *part;

	while ((part = dirq_take_part(q)))
		drop_part(q, part);
	while (q->stack) {
		struct brood *b = q->stack;
		struct dir *parent;
		int fd;

		q->stack = b->next;
		lock_take(&q->lock);
		parent = brood_end_locked(b);
		fd = settle_locked(q, parent);
		lock_give(&q->lock);
		close_fd(q, fd);
		dir_unref(parent);
	}
	assert(q->n_kept == 0 && q->n_running == 0 && q->n_open == 0);
	counter_max(&q->stats->max_fds_seen, q->most_open);
	dir_unref(q->root);
	cond_fini(&q->ended);
	cond_fini(&q->freed);
	lock_fini(&q->lock);
}

static void
rest_locked(struct dirq *q, struct dirq_worker *k)
{
	list_push_front(&q->idle, &k->idle);
	(void)add_rlx(&q->n_idle, 1);
}

void
dirq_hire(struct dirq *q, struct dirq_worker *k)
{
	LOCK_SCOPE(&q->lock);

	rest_locked(q, k);
}

int
dirq_submit(struct dirq *q, struct dirq_worker *k)
{
	return pool_submit_share(q->io, &k->task, TASK_INDEX, q->share);
}

/* Submit up to n idle workers. Under the lock: a worker whose task starts at once cannot become
 * idle again before he is off the list. */
static int
wake_locked(struct dirq *q, size_t n)
{
	for (; n > 0 && !list_empty(&q->idle); n--) {
		struct dirq_worker *k = LIST_ITEM(q->idle.next, struct dirq_worker, idle);

		if (dirq_submit(q, k) < 0)
			return -ECANCELED;
		list_remove(&k->idle);
		(void)sub_rlx(&q->n_idle, 1);
		q->n_running++;
	}
	return 0;
}

int
dirq_run(struct dirq *q, struct dir *root)
{
	LOCK_SCOPE(&q->lock);
	int r;

	q->root = root;
	r = wake_locked(q, 1);
	while (q->n_running > 0)
		cond_wait(&q->ended, &q->lock);
	return r < 0 ? r : q->result;
}

void
dirq_fail(struct dirq *q, int code)
{
	LOCK_SCOPE(&q->lock);

	if (q->result == 0)
		q->result = code;
	cond_broadcast(&q->freed);
}

bool
dirq_rest(struct dirq *q, struct dirq_worker *k)
{
	LOCK_SCOPE(&q->lock);

	if ((q->stack || q->parts) && q->result == 0)
		return false;
	rest_locked(q, k);
	if (--q->n_running == 0)
		cond_signal(&q->ended);
	return true;
}

/* Take the first name of the brood on top of `list`. */
static int
take_locked(struct brood **list, struct dir **ret)
{
	struct brood *b = *list;
	struct brood_name head;
	struct dir *d;

	memcpy(&head, b->at, sizeof(head));
	d = dir_create(b->parent, (struct span){b->at + sizeof(head), head.len}, b->number);
	if (!d)
		return -ENOMEM;
	d->was = head.was;
	d->entry_ino = head.ino;
	d->scope = (enum dir_scope)head.scope;
	d->aim = head.aim;
	d->on_mount = head.on_mount;
	d->holds_parent = b->parent->fd >= 0;
	b->parent->n_users += d->holds_parent;
	b->at += sizeof(head) + head.len + 1u;
	b->number++;
	if (--b->n_left == 0) {
		*list = b->next;
		/* Never the last reference: the child has one. The descriptor, if open, has the
		 * child as a user. */
		dir_unref(brood_end_locked(b));
	}
	*ret = d;
	return 1;
}

int
dirq_take(struct dirq *q, struct brood **mine, struct dir **ret)
{
	LOCK_SCOPE(&q->lock);

	if (q->result < 0)
		return 0;
	if (*mine)
		return take_locked(mine, ret);
	if (q->stack)
		return take_locked(&q->stack, ret);
	*ret = TAKE_PTR(q->root);
	return *ret ? 1 : 0;
}

int
dirq_add(struct dirq *q, struct brood **mine, struct dir *parent, uint32_t number, uint32_t n,
	struct span names)
{
	struct brood *b = malloc(sizeof(*b) + names.len);

	if (!b)
		return -ENOMEM;
	*b = (struct brood){
		.next = *mine, .parent = parent, .number = number, .n_left = n, .at = b->data};
	memcpy(b->data, names.data, names.len);
	*mine = b;
	(void)add_rlx(&parent->refs, 1); /* the caller's own keeps it alive */
	LOCK_SCOPE(&q->lock);
	parent->n_broods++;
	return 0;
}

int
dirq_publish(struct dirq *q, struct brood **mine)
{
	struct brood *last = *mine;
	size_t n = 0;

	if (!last)
		return 0;
	for (;; last = last->next) {
		n += last->n_left;
		if (!last->next)
			break;
	}
	LOCK_SCOPE(&q->lock);
	last->next = q->stack;
	q->stack = TAKE_PTR(*mine);
	/* One is for the caller. */
	return q->result == 0 ? wake_locked(q, n - 1) : 0;
}

int
dirq_share(struct dirq *q, struct dir *d, struct dirq_part *part)
{
	part->dir = d;
	(void)add_rlx(&d->refs, 1); /* the caller's own keeps it alive */
	(void)add_rlx(&d->n_parts, 1);
	LOCK_SCOPE(&q->lock);
	d->n_users++;
	part->next = q->parts;
	q->parts = part;
	(void)add_rlx(&q->n_shared, 1);
	return q->result == 0 ? wake_locked(q, 1) : 0;
}

struct dirq_part *
dirq_take_part(struct dirq *q)
{
	struct dirq_part *part;

	if (load_rlx(&q->n_shared) == 0)
		return NULL;
	LOCK_SCOPE(&q->lock);
	part = q->parts;
	if (part) {
		q->parts = part->next;
		(void)sub_rlx(&q->n_shared, 1);
	}
	return part;
}

int
dirq_parent_fd(const struct dir *d)
{
	/* Without the lock: nobody closes it while we are a user. */
	return d->holds_parent ? d->parent->fd : -1;
}

static int
leave_parent_locked(struct dirq *q, struct dir *d)
{
	if (!d->holds_parent)
		return -1;
	d->holds_parent = false;
	d->parent->n_users--;
	return settle_locked(q, d->parent);
}

void
dirq_opened(struct dirq *q, struct dir *d, int fd)
{
	int old;

	lock_take(&q->lock);
	old = leave_parent_locked(q, d);
	if (fd >= 0) {
		d->fd = fd;
		d->n_users++;
		q->n_open++;
		q->most_open = MAX(q->most_open, q->n_open);
	}
	lock_give(&q->lock);
	close_fd(q, old);
}

void
dirq_release(struct dirq *q, struct dir *d)
{
	int fd;

	lock_take(&q->lock);
	d->n_users--;
	fd = settle_locked(q, d);
	lock_give(&q->lock);
	close_fd(q, fd);
}

/* Take up to n kept descriptors that nobody uses: how many. */
static size_t
strip_locked(struct dirq *q, int *fds, size_t max)
{
	size_t n = 0;

	LIST_EACH (&q->kept, it) {
		struct dir *d = LIST_ITEM(it, struct dir, kept);

		if (d->n_users > 0 || n == max)
			continue;
		list_remove(&d->kept);
		q->n_kept--;
		q->n_open--;
		fds[n++] = TAKE_FD(d->fd);
	}
	return n;
}

void
dirq_shed(struct dirq *q)
{
	int fds[SHED_AT_ONCE];
	size_t n;

	lock_take(&q->lock);
	q->max_kept = q->n_kept / 2;
	n = strip_locked(q, fds, ARRAY_LEN(fds));
	if (n == 0 && q->result == 0) {
		(void)add_rlx(&q->n_starved, 1);
		(void)cond_wait_until(&q->freed, &q->lock, clock_deadline(STARVED_WAIT_USEC));
		(void)sub_rlx(&q->n_starved, 1);
	}
	lock_give(&q->lock);
	for (size_t i = 0; i < n; i++)
		close_fd(q, fds[i]);
}
