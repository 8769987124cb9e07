/*
 * Which file systems of a root are watched. A walk enters those that are mounted below it, unless
 * it is told not to; either way what is mounted or unmounted there changes what the root has, and
 * no file system tells of it: the kernel's table of mounts does.
 */
#include "engine/internal.h"
#include "engine/live_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "walk/aim.h"
#include "walk/mount.h"
#include "walk/mount_table.h"

#define MOUNT_TABLE "/proc/self/mountinfo"
#define MOUNT_TABLE_MAX_BYTES (64u << 20)

static void
list_fini(struct live_mounts *l)
{
	VEC_EACH (l, m)
		free(m->path);
	VEC_FINI(l);
}

/* Relative to the root, when it is strictly below it. */
static const char *
below(const char *path, const char *root)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	return strncmp(path, root, n) == 0 && path[n] == '/' && path[n + 1] ? path + n + 1 : NULL;
}

static int
take_line(const struct root *r, const struct mount_line *line, struct live_mounts *to)
{
	AUTO(freep) char *path = mount_table_path(line->where);
	struct live_mount m = {.id = line->id};
	const char *rest;

	if (!path)
		return -ENOMEM;
	rest = below(path, r->path);
	if (!rest)
		return 0;
	m.path = strdup(rest);
	if (!m.path || VEC_PUSH(to, m) < 0) {
		free(m.path);
		return -ENOMEM;
	}
	return 0;
}

/* What is mounted below the root. */
static int
list_below(const struct root *r, struct live_mounts *to)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	int code = fd_slurp(AT_FDCWD, MOUNT_TABLE, MOUNT_TABLE_MAX_BYTES, &text);
	struct span left = strbuf_view(&text);
	struct mount_line line;

	while (code == 0 && mount_table_next(&left, &line))
		code = take_line(r, &line, to);
	return code;
}

static enum watch_kind
kind_of(enum engine_watch wanted)
{
	switch (wanted) {
	case ENGINE_WATCH_NO:
		return WATCH_OFF;
	case ENGINE_WATCH_AUTO:
		return WATCH_FILE_SYSTEM;
	case ENGINE_WATCH_DIRECTORIES:
		return WATCH_DIRECTORIES;
	case ENGINE_WATCH_POLL:
		return WATCH_POLL;
	}
	return WATCH_OFF;
}

/* 0, or why it is not watched. */
static int
watch_one(const struct root *r, enum watch_kind wanted, const char *path, struct live_mount *m)
{
	struct live *l = r->engine->live;
	AUTO(closep) int fd = fd_open_absolute(span_of(r->path), O_RDONLY | O_DIRECTORY);
	struct err err = {0};

	if (fd >= 0 && *path) {
		int at = fd_open_beneath(fd, span_of(path), O_RDONLY | O_DIRECTORY);

		(void)close(fd);
		fd = at;
	}
	if (fd < 0)
		return fd;
	return watch_mount(l->watch, fd, wanted, &m->number, &m->kind, &err);
}

/* Those that the walk enters. One that cannot be watched makes the root stale. */
static int
watch_below(const struct root *r, enum watch_kind wanted, struct live_mounts *list)
{
	struct mounts table;
	int code = 0;

	if (r->cfg.one_file_system)
		return 0;
	mounts_init(&table);
	VEC_EACH (list, m) {
		if (m->path[0] && mounts_lookup(&table, m->id) != MOUNT_PSEUDO) {
			int one = watch_one(r, wanted, m->path, m);

			code = code < 0 ? code : one;
		}
	}
	mounts_fini(&table);
	return code;
}

static bool
has(const struct live_mounts *l, const struct live_mount *one)
{
	VEC_EACH (l, m) {
		if (m->id == one->id && strcmp(m->path, one->path) == 0)
			return true;
	}
	return false;
}

/* What came and what went. */
static int
aim_at(const struct live_mounts *a, const struct live_mounts *b, struct walk_aim *aim)
{
	int code = 0;

	VEC_EACH (a, m) {
		if (m->path[0] && !has(b, m) && code == 0)
			code = aim_add(aim, span_of(m->path), AIM_DEEP);
	}
	return code == -EINVAL ? 0 : code;
}

/* The root's own mark is taken away where that can be; those of mounts below it go with them, and
 * all with the daemon. */
static void
unwatch(const struct root *r, struct live_mounts *list)
{
	bool ends = stop_requested(&r->engine->stop);

	VEC_EACH (list, m) {
		AUTO(closep) int fd = -1;

		if (!m->number)
			continue;
		if (!ends && !m->path[0])
			fd = fd_open_absolute(span_of(r->path), O_RDONLY | O_DIRECTORY);
		watch_unmount(r->engine->live->watch, m->number, fd < 0 ? -1 : fd);
	}
	list_fini(list);
}

static int
make_list(const struct root *r, enum watch_kind wanted, struct live_mounts *list, int *ret_why)
{
	struct live_mount own = {.path = strdup("")};

	if (!own.path || VEC_PUSH(list, own) < 0) {
		free(own.path);
		return -ENOMEM;
	}
	*ret_why = watch_one(r, wanted, "", &list->data[0]);
	if (list_below(r, list) < 0)
		return -ENOMEM;
	if (*ret_why == 0)
		*ret_why = watch_below(r, wanted, list);
	return 0;
}

int
mounts_watch(struct root *r, struct walk_aim *aim)
{
	struct live *l = r->engine->live;
	struct live_mounts fresh = {0}, old;
	enum watch_kind wanted;
	int why = 0, code = 0;

	{
		LOCK_SCOPE(&r->engine->lock);
		wanted = kind_of(r->cfg.watch);
	}
	if (wanted != WATCH_OFF && l->watch)
		code = make_list(r, wanted, &fresh, &why);
	if (code == 0 && aim)
		code = aim_at(&fresh, &r->live.mounts, aim);
	if (code == 0 && aim)
		code = aim_at(&r->live.mounts, &fresh, aim);
	if (code < 0) {
		unwatch(r, &fresh);
		return code;
	}
	{
		LOCK_SCOPE(&r->engine->lock);
		old = r->live.mounts;
		r->live.mounts = fresh;
		r->live.kind = fresh.len > 0 ? fresh.data[0].kind : WATCH_OFF;
		r->live.why = why;
	}
	unwatch(r, &old); /* what stays is counted twice for a moment, and keeps its mark */
	return 0;
}

void
mounts_unwatch(struct root *r)
{
	struct live_mounts old;

	{
		LOCK_SCOPE(&r->engine->lock);
		old = r->live.mounts;
		r->live.mounts = (struct live_mounts){0};
		r->live.kind = WATCH_OFF;
	}
	unwatch(r, &old);
}

/* Waiting for mounts. */

static void
tell_roots(struct live *l)
{
	LOCK_SCOPE(&l->engine->lock);
	VEC_EACH (&l->engine->roots, r) {
		if ((*r)->cfg.watch == ENGINE_WATCH_NO)
			continue;
		(*r)->live.mounts_due = true;
		live_due_locked(*r, (*r)->cfg.settle_usec);
	}
}

static int
mounts_main(void *arg)
{
	struct live *l = arg;
	struct pollfd fds[] = {
		{.fd = l->table_fd, .events = POLLPRI}, {.fd = l->wake_fd, .events = POLLIN}};

	thread_set_idle(true);
	while (!stop_requested(&l->stop)) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			tell_roots(l);
	}
	return 0;
}

static void
wake_mounts(void *arg)
{
	const struct live *l = arg;

	(void)eventfd_write(l->wake_fd, 1);
}

int
mounts_watch_start(struct live *l, struct err *err)
{
	int code;

	l->mounts_waker = (struct stop_waiter){.wake = wake_mounts, .arg = l};
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->table_fd = open(MOUNT_TABLE, O_RDONLY | O_CLOEXEC);
	if (l->wake_fd >= 0 && l->table_fd < 0)
		return 0; /* without /proc nobody tells of mounts */
	code = l->wake_fd < 0 ? -errno : thread_start(&l->mounts_thread, "mounts", mounts_main, l);
	if (code < 0)
		return err_set(err, code, "could not wait for mounts: %s", err_reason(code));
	stop_add(&l->stop, &l->mounts_waker);
	return 0;
}

void
mounts_watch_end(struct live *l)
{
	bool started = l->mounts_thread.started;

	(void)thread_join(&l->mounts_thread);
	if (started)
		stop_remove(&l->stop, &l->mounts_waker);
	closep(&l->table_fd);
	closep(&l->wake_fd);
	l->table_fd = l->wake_fd = -1; /* a second call would close what others have opened */
}
