#include "watch/watch_impl.h"

struct watch_row *
watch_row_locked(struct watch *w, uint32_t mount)
{
	lock_assert_held(&w->lock);
	VEC_EACH (&w->rows, row)
		if (row->info.mount == mount)
			return row;
	return NULL;
}

bool
watch_is_own_locked(const struct watch *w, uint64_t dev, uint64_t ino)
{
	lock_assert_held(&w->lock);
	VEC_EACH (&w->own, own)
		if (own->dev == dev && own->ino == ino)
			return true;
	return false;
}

static bool
is_meant(const struct watch_row *row, uint32_t mount, enum watch_kind kind)
{
	if (mount != 0)
		return row->info.mount == mount;
	if (kind != WATCH_OFF)
		return row->info.kind == kind;
	return row->info.kind == WATCH_FILE_SYSTEM || row->info.kind == WATCH_DIRECTORIES;
}

static bool
lose_locked(struct watch *w, uint32_t mount, enum watch_kind kind)
{
	uint32_t n = 0;

	VEC_EACH (&w->rows, row)
		if (!row->lost && is_meant(row, mount, kind)) {
			row->lost = true;
			row->info.n_lost++;
			n++;
		}
	counter_add(&w->n_lost, n);
	(void)add_rel(&w->n_lost_now, n);
	return n > 0;
}

static void
nudge(struct watch *w)
{
	struct watch_record r = {.what = WATCH_NUDGE};

	(void)spill_send(w->spill, &r, sizeof(r));
}

static bool
mark_lost(struct watch *w, uint32_t mount, enum watch_kind kind)
{
	LOCK_SCOPE(&w->lock);

	return lose_locked(w, mount, kind);
}

void
watch_lose(struct watch *w, uint32_t mount, enum watch_kind kind)
{
	if (mark_lost(w, mount, kind))
		nudge(w);
}

static void
mark_late(struct watch *w, uint64_t cookie)
{
	LOCK_SCOPE(&w->lock);

	(void)lose_locked(w, 0, WATCH_OFF);
	if (w->late_cookie == 0)
		(void)add_rel(&w->n_lost_now, 1);
	w->late_cookie = cookie;
}

void
watch_cookie_late(struct watch *w, uint64_t cookie)
{
	mark_late(w, cookie);
	nudge(w);
}

size_t
watch_take_lost(struct watch *w, struct watch_change *ret, size_t max)
{
	size_t n = 0;

	if (LIKELY(load_acq(&w->n_lost_now) == 0))
		return 0;
	LOCK_SCOPE(&w->lock);
	VEC_EACH (&w->rows, row) {
		if (!row->lost)
			continue;
		if (n == max)
			return n;
		row->lost = false;
		(void)sub_rel(&w->n_lost_now, 1);
		ret[n++] = (struct watch_change){.what = WATCH_LOST, .mount = row->info.mount};
	}
	if (w->late_cookie == 0 || n == max)
		return n;
	w->received_cookie = MAX(w->received_cookie, w->late_cookie);
	ret[n++] = (struct watch_change){.what = WATCH_COOKIE, .cookie = w->received_cookie};
	w->late_cookie = 0;
	(void)sub_rel(&w->n_lost_now, 1);
	return n;
}
