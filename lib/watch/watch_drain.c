#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hash.h"
#include "watch/watch_event.h"
#include "watch/watch_handle.h"
#include "watch/watch_impl.h"

#define NAME_MAX_BYTES 1024u /* more than any kernel's */
#define MAX_SAME 16u /* mounts that one event is told of: file systems with the same number */

/* Direct-mapped: a place that another change takes forgets, and then one is told twice. */
static bool
was_seen(struct watch *w, const struct watch_change *c)
{
	uint64_t h = hash64(c->name.data, c->name.len, c->ino ^ c->mount ^ (uint64_t)c->what << 32);
	struct watch_seen *s = &w->seen[h & (WATCH_N_SEEN - 1)];

	if (s->read == w->n_reads && s->change.ino == c->ino && s->change.mount == c->mount &&
		s->change.what == c->what && span_eq(s->change.name, c->name))
		return true;
	*s = (struct watch_seen){w->n_reads, *c};
	return false;
}

static int
send_record(
	struct watch *w, enum watch_what what, uint32_t mount, uint64_t number, struct span name)
{
	char bytes[sizeof(struct watch_record) + NAME_MAX_BYTES];
	struct watch_record r = {number, mount, what};
	int ret;

	if (name.len > NAME_MAX_BYTES)
		return -EMSGSIZE;
	memcpy(bytes, &r, sizeof(r));
	if (name.len > 0)
		memcpy(bytes + sizeof(r), name.data, name.len);
	ret = spill_send(w->spill, bytes, sizeof(r) + name.len);
	counter_add(ret == 0 ? &w->n_told : &w->n_refused, 1);
	return ret;
}

static void
tell(struct watch *w, const struct watch_change *c)
{
	if (was_seen(w, c))
		counter_add(&w->n_coalesced, 1);
	else if (send_record(w, c->what, c->mount, c->ino, c->name) < 0)
		watch_lose(w, c->mount, WATCH_OFF);
}

/* Is there a row for the subvolume itself? Without one, as is usual, its changes are the top's. */
static bool
has_subvolume_locked(struct watch *w, uint64_t fsid, uint64_t subvolume)
{
	VEC_EACH (&w->rows, row)
		if (row->info.kind == WATCH_FILE_SYSTEM && row->fsid == fsid &&
			row->subvolume == subvolume)
			return true;
	return false;
}

/* Of the rows whose file system the event is of, those that want to hear of it. */
static unsigned
match_locked(struct watch *w, const struct fan_event *ev, const struct handle_id *id,
	uint32_t ret[MAX_SAME])
{
	bool narrow = has_subvolume_locked(w, ev->fsid, id->subvolume);
	unsigned n = 0, n_known = 0;

	VEC_EACH (&w->rows, row) {
		if (row->info.kind != WATCH_FILE_SYSTEM || row->fsid != ev->fsid ||
			(narrow && row->subvolume != id->subvolume))
			continue;
		n_known++;
		if (narrow && watch_is_own_locked(w, row->info.dev, id->ino)) {
			counter_add(&w->n_own, 1);
		} else if (!row->lost && n < MAX_SAME) {
			row->info.n_events++;
			ret[n++] = row->info.mount;
		}
	}
	if (n_known == 0)
		counter_add(&w->n_foreign, 1);
	return n;
}

static unsigned
match(struct watch *w, const struct fan_event *ev, const struct handle_id *id,
	uint32_t ret[MAX_SAME])
{
	LOCK_SCOPE(&w->lock);

	return match_locked(w, ev, id, ret);
}

static bool
is_self(struct span name)
{
	return name.len == 0 || span_eq(name, SPAN_LIT("."));
}

static enum watch_what
what_of(const struct fan_event *ev)
{
	if (ev->has_file)
		return WATCH_FILE;
	return is_self(ev->name) ? WATCH_SELF : WATCH_NAME;
}

static void
hear_fan(struct watch *w, const struct fan_event *ev)
{
	struct handle_id id;
	uint32_t mounts[MAX_SAME];
	struct span name = {0};
	unsigned n;

	counter_add(&w->n_events, 1);
	if (ev->mask & FAN_Q_OVERFLOW) {
		counter_add(&w->n_overflows, 1);
		watch_lose(w, 0, WATCH_FILE_SYSTEM);
		return;
	}
	/* A directory that cannot be named may be any. */
	if ((!ev->has_dir && !ev->has_file) ||
		handle_decode(ev->handle_type, ev->handle, &id) < 0) {
		watch_lose(w, 0, WATCH_FILE_SYSTEM);
		return;
	}
	if (ev->has_file && ev->mask & FAN_DELETE_SELF)
		return; /* its names have gone before */
	if (!is_self(ev->name))
		name = ev->name;
	n = match(w, ev, &id, mounts);
	for (unsigned i = 0; i < n; i++)
		tell(w, &(struct watch_change){.what = what_of(ev),
				.mount = mounts[i],
				.ino = id.ino,
				.name = name});
}

/* Which directory the number stands for; one that is not known was given back, or its watch_dir()
 * has not returned, and whoever called that lists the directory afterwards. */
static bool
place_locked(struct watch *w, const struct ino_event *ev, struct watch_change *ret)
{
	const struct wd_row *at = wd_table_find(&w->wds, ev->wd);
	struct watch_row *row = at ? watch_row_locked(w, at->mount) : NULL;

	if (!row) {
		counter_add(&w->n_foreign, 1);
		return false;
	}
	*ret = (struct watch_change){.what = ev->name.len > 0 ? WATCH_NAME : WATCH_SELF,
		.mount = at->mount,
		.ino = at->ino,
		.name = ev->name};
	if (ev->mask & IN_UNMOUNT)
		ret->what = WATCH_LOST;
	if (ev->mask & IN_IGNORED) {
		row->info.n_dirs--;
		wd_table_remove(&w->wds, ev->wd);
		return false;
	}
	row->info.n_events++;
	return !row->lost;
}

static bool
place(struct watch *w, const struct ino_event *ev, struct watch_change *ret)
{
	LOCK_SCOPE(&w->lock);

	return place_locked(w, ev, ret);
}

static void
hear_ino(struct watch *w, const struct ino_event *ev)
{
	struct watch_change c;

	counter_add(&w->n_events, 1);
	if (ev->mask & IN_Q_OVERFLOW) {
		counter_add(&w->n_overflows, 1);
		watch_lose(w, 0, WATCH_DIRECTORIES);
	} else if (place(w, ev, &c)) {
		if (c.what == WATCH_LOST)
			watch_lose(w, c.mount, WATCH_OFF);
		else
			tell(w, &c);
	}
}

/* How many events the bytes were. */
static size_t
hear_all_fan(struct watch *w, struct bytes b)
{
	struct fan_event ev;
	size_t n = 0;
	int r;

	while ((r = fan_next(&b, &ev)) > 0) {
		hear_fan(w, &ev);
		n++;
	}
	if (r < 0)
		watch_lose(w, 0, WATCH_FILE_SYSTEM);
	return n;
}

static size_t
hear_all_ino(struct watch *w, struct bytes b)
{
	size_t len = bytes_left(&b);
	struct ino_event ev;
	int r;

	while ((r = ino_next(&b, &ev)) > 0)
		hear_ino(w, &ev);
	if (r < 0)
		watch_lose(w, 0, WATCH_DIRECTORIES);
	return len;
}

/* What a queue holds now, in the unit that its reading counts: fanotify tells a fixed size for each
 * event, inotify the bytes. */
static size_t
queue_size(int fd, size_t unit)
{
	int bytes = 0;

	if (fd < 0 || ioctl(fd, FIONREAD, &bytes) < 0 || bytes < 0)
		return 0;
	return (size_t)bytes / unit;
}

/* Read until the queue is empty, or for a while (the other queue waits), but at least what is due.
 * -errno: it cannot be read any more. */
static int
drain_queue(struct watch *w, int fd, size_t due, size_t (*hear)(struct watch *, struct bytes))
{
	size_t heard = 0;

	for (unsigned n = 0; fd >= 0 && (n < 16 || heard < due); n++) {
		ssize_t len = read(fd, w->buffer, WATCH_READ_BYTES);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != EAGAIN)
			return -errno;
		if (len <= 0)
			return 0;
		w->n_reads++;
		heard += hear(w, bytes_of(w->buffer, (size_t)len));
	}
	return 0;
}

static void
answer(struct watch *w, uint64_t cookie)
{
	if (send_record(w, WATCH_COOKIE, 0, cookie, (struct span){0}) < 0)
		watch_cookie_late(w, cookie);
	counter_add(&w->n_cookies, 1);
	w->answered = cookie;
}

/* note: barrier (watch.h). What was asked for is looked at before the sizes of the queues. */
static int
drain_round(struct watch *w)
{
	uint64_t asked = load_sc(&w->asked);
	size_t due_fan = 0, due_ino = 0;
	int r;

	if (asked != w->answered) {
		due_fan = queue_size(w->fan_fd, FAN_EVENT_METADATA_LEN);
		due_ino = queue_size(w->ino_fd, 1);
	}
	r = drain_queue(w, w->fan_fd, due_fan, hear_all_fan);
	if (r == 0)
		r = drain_queue(w, w->ino_fd, due_ino, hear_all_ino);
	if (r == 0 && asked != w->answered)
		answer(w, asked);
	return r;
}

/* Sleep until there is something to do. After a round that read events the queues are left alone
 * for a moment: what comes meanwhile is one read, and the kernel merges what is equal. */
static void
rest(struct watch *w, bool busy)
{
	struct pollfd fds[] = {{.fd = w->wake_fd, .events = POLLIN},
		{.fd = w->fan_fd, .events = POLLIN}, {.fd = w->ino_fd, .events = POLLIN}};
	uint64_t unused;

	thread_set_idle(true);
	if (busy)
		(void)poll(fds, 1, WATCH_PAUSE_MSEC);
	else
		(void)poll(fds, ARRAY_LEN(fds), -1);
	thread_set_idle(false);
	counter_add(&w->n_wakeups, 1);
	(void)!read(w->wake_fd, &unused, sizeof(unused));
}

int
watch_drain_main(void *arg)
{
	struct watch *w = arg;
	bool busy = false;
	int r = 0;

	while (r == 0) {
		uint64_t n_reads = w->n_reads;

		rest(w, busy);
		if (w->on_drain)
			w->on_drain(w->ctx);
		if (load_sc(&w->ending))
			return 0;
		r = drain_round(w);
		busy = w->n_reads != n_reads;
	}
	watch_lose(w, 0, WATCH_OFF);
	spill_close(w->spill);
	return err_set(thread_err(), r, "could not read what the kernel says has changed");
}
