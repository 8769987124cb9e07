#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "watch/watch_impl.h"

uint32_t
watch_budget_locked(const struct watch *w)
{
	return clock_mono() < w->low_until ? w->low_dirs : w->max_dirs;
}

/* note: reserve */
static void
leave_reserve(struct watch *w)
{
	LOCK_SCOPE(&w->lock);
	size_t n = w->wds.n_rows, reserve = MIN(n / 8 + 1, (size_t)WATCH_RESERVE_MAX);

	w->low_dirs = (uint32_t)MIN(n - MIN(n, reserve), (size_t)w->max_dirs);
	w->low_until = clock_deadline(WATCH_RESERVE_USEC);
}

size_t
watch_dirs_excess(struct watch *w)
{
	LOCK_SCOPE(&w->lock);
	size_t budget = watch_budget_locked(w);

	return w->wds.n_rows > budget ? w->wds.n_rows - budget : 0;
}

/* May the directory be added: 1, 0 there is nothing to do, -errno. */
static int
admit_locked(struct watch *w, uint32_t mount, uint64_t ino)
{
	const struct watch_row *row = watch_row_locked(w, mount);

	if (!row)
		return -ENOENT;
	if (row->info.kind != WATCH_DIRECTORIES || watch_is_own_locked(w, row->info.dev, ino))
		return 0;
	if (wd_table_find_ino(&w->wds, mount, ino) == 0 && w->wds.n_rows >= watch_budget_locked(w))
		return -ENOSPC;
	return 1;
}

static int
admit(struct watch *w, uint32_t mount, uint64_t ino)
{
	LOCK_SCOPE(&w->lock);

	return admit_locked(w, mount, ino);
}

/* The room is made afterwards, for between two locks another thread may use it up. 1: the number is
 * new. */
static int
note_dir(struct watch *w, struct wd_row row)
{
	LOCK_SCOPE(&w->lock);
	struct watch_row *mount = watch_row_locked(w, row.mount);
	int r = mount ? wd_table_reserve(&w->wds) : -ENOENT;

	if (r < 0)
		return r;
	r = wd_table_put(&w->wds, row);
	mount->info.n_dirs += (unsigned)r;
	return r;
}

/*
 * note: reused inodes. The kernel is always asked, even when the directory seems to be watched:
 * what has the number now may be another directory than then, whose end has not been read yet. The
 * same inode gets the same number again.
 */
int
watch_dir(struct watch *w, uint32_t mount, int fd, uint64_t ino)
{
	char path[32];
	int r = admit(w, mount, ino), wd;

	if (r == -ENOSPC)
		counter_add(&w->n_dirs_refused, 1);
	if (r <= 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(w->ino_fd, path, WATCH_MASK_INO);
	r = wd < 0 ? -errno : 0;
	if (r == -ENOSPC) {
		counter_add(&w->n_dirs_refused, 1);
		leave_reserve(w);
	}
	if (r < 0)
		return r;
	r = note_dir(w, (struct wd_row){wd, mount, ino});
	if (r < 0)
		(void)inotify_rm_watch(w->ino_fd, wd);
	return r;
}

static int
forget_locked(struct watch *w, uint32_t mount, int wd)
{
	struct watch_row *row = watch_row_locked(w, mount);

	if (wd == 0 || !wd_table_remove(&w->wds, wd))
		return 0;
	if (row)
		row->info.n_dirs--;
	return wd;
}

static int
forget_dir(struct watch *w, uint32_t mount, uint64_t ino)
{
	LOCK_SCOPE(&w->lock);

	return forget_locked(w, mount, wd_table_find_ino(&w->wds, mount, ino));
}

void
watch_dir_end(struct watch *w, uint32_t mount, uint64_t ino)
{
	int wd = forget_dir(w, mount, ino);

	if (wd != 0)
		(void)inotify_rm_watch(w->ino_fd, wd);
}

/* Some numbers of the mount, off the table. The scan goes on where the last one ended: removing
 * moves rows, but only to places that are nearer to their home, which is why whoever asks goes
 * round until nothing is found. */
static size_t
forget_some(struct watch *w, uint32_t mount, int *ret, size_t max, size_t *at)
{
	LOCK_SCOPE(&w->lock);
	size_t n = 0, end = MIN(*at + 4096, w->wds.n_slots);

	for (; *at < end && n < max; (*at)++) {
		const struct wd_row *row = &w->wds.rows[*at];

		if (row->wd == 0 || row->mount != mount)
			continue;
		ret[n] = forget_locked(w, mount, row->wd);
		n += ret[n] != 0;
		(*at)--; /* what moved here is looked at, too */
	}
	return n;
}

static bool
has_dirs(struct watch *w, uint32_t mount)
{
	LOCK_SCOPE(&w->lock);
	const struct watch_row *row = watch_row_locked(w, mount);

	return row && row->info.n_dirs > 0;
}

static size_t
n_slots(struct watch *w)
{
	LOCK_SCOPE(&w->lock);

	return w->wds.n_slots;
}

void
watch_dirs_end(struct watch *w, uint32_t mount)
{
	int wds[256];

	while (has_dirs(w, mount))
		for (size_t at = 0; at < n_slots(w);) {
			size_t n = forget_some(w, mount, wds, ARRAY_LEN(wds), &at);

			for (size_t i = 0; i < n; i++)
				(void)inotify_rm_watch(w->ino_fd, wds[i]);
		}
}
