#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "watch/watch_handle.h"
#include "watch/watch_impl.h"

#ifndef FAN_MARK_IGNORE_SURV
#	define FAN_MARK_IGNORE_SURV (0x400 | FAN_MARK_IGNORED_SURV_MODIFY)
#endif

/* What others than this kernel change: other machines, or a process behind FUSE. */
static const uint32_t remote[] = {
	NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, FUSE_SUPER_MAGIC,
	V9FS_MAGIC, CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CODA_SUPER_MAGIC,
	OCFS2_SUPER_MAGIC, 0x01161970u, /* GFS2 */
	0x0bd00bd0u,                    /* Lustre */
	0x47504653u,                    /* GPFS */
	0x19830326u,                    /* BeeGFS */
	0x013111a8u,                    /* IBRIX */
	0xaad7aaeau,                    /* PanFS */
	0x786f4256u,                    /* vboxsf */
	0xbacbacbcu,                    /* vmhgfs */
};

/** What a mount is told from others by. */
struct place {
	uint64_t dev, ino, fsid, mnt_id;
	uint32_t magic;
};

static bool
is_remote(uint32_t magic)
{
	for (size_t i = 0; i < ARRAY_LEN(remote); i++)
		if (remote[i] == magic)
			return true;
	return false;
}

static int
place_of(int fd, struct place *ret)
{
	struct statx st;
	struct statfs fs;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_MNT_ID, &st) < 0 ||
		fstatfs(fd, &fs) < 0)
		return -errno;
	if (!S_ISDIR(st.stx_mode))
		return -ENOTDIR;
	*ret = (struct place){.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.ino = st.stx_ino,
		.mnt_id = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0,
		.magic = (uint32_t)fs.f_type};
	_Static_assert(sizeof(fs.f_fsid) == sizeof(ret->fsid), "as the kernel's events have it");
	memcpy(&ret->fsid, &fs.f_fsid, sizeof(ret->fsid));
	return 0;
}

static int
mark_file_system(struct watch *w, int fd)
{
	if (fanotify_mark(w->fan_fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, WATCH_MASK_FAN, fd, ".") <
		0)
		return -errno;
	return 0;
}

/* A subvolume of btrfs cannot be marked; but its events come with those of the top volume's mark,
 * and it is of the same file system when it is reached through the same mount. */
static int
join_marked_locked(struct watch *w, struct watch_row *row)
{
	VEC_EACH (&w->rows, other)
		if (other != row && other->info.kind == WATCH_FILE_SYSTEM && row->mnt_id != 0 &&
			other->mnt_id == row->mnt_id) {
			row->fsid = other->fsid;
			row->info.kind = WATCH_FILE_SYSTEM;
			return 0;
		}
	return -EXDEV;
}

static int
join_marked(struct watch *w, uint32_t mount)
{
	LOCK_SCOPE(&w->lock);

	return join_marked_locked(w, watch_row_locked(w, mount));
}

static void
set_kind(struct watch *w, uint32_t mount, enum watch_kind kind, int why)
{
	LOCK_SCOPE(&w->lock);
	struct watch_row *row = watch_row_locked(w, mount);

	row->info.kind = kind;
	row->info.why = why;
}

static void
set_file_system(struct watch *w, uint32_t mount, uint64_t fsid, uint64_t subvolume)
{
	LOCK_SCOPE(&w->lock);
	struct watch_row *row = watch_row_locked(w, mount);

	row->info.kind = WATCH_FILE_SYSTEM;
	row->info.why = 0;
	row->fsid = fsid;
	row->subvolume = subvolume;
}

/* The row says so before the mark is set, for events come from then on. 0 or -errno: not so. */
static int
climb_to_file_system(struct watch *w, uint32_t mount, int fd, const struct place *p)
{
	struct handle_id id = {0};
	int r = w->fan_fd < 0 ? w->fan_why : handle_check(fd, p->magic, p->ino, &id);

	if (r < 0)
		return r;
	set_file_system(w, mount, p->fsid, id.subvolume);
	r = mark_file_system(w, fd);
	if (r == -EXDEV)
		r = join_marked(w, mount);
	return r;
}

static void
climb(struct watch *w, uint32_t mount, int fd, enum watch_kind wanted, const struct place *p)
{
	int why = 0;

	if (wanted != WATCH_FILE_SYSTEM && wanted != WATCH_DIRECTORIES) {
		set_kind(w, mount, wanted, 0);
		return;
	}
	if (is_remote(p->magic)) {
		set_kind(w, mount, WATCH_POLL, -EREMOTE);
		return;
	}
	if (wanted == WATCH_FILE_SYSTEM)
		why = climb_to_file_system(w, mount, fd, p);
	if (why == 0 && wanted == WATCH_FILE_SYSTEM)
		return;
	if (w->ino_fd >= 0)
		set_kind(w, mount, WATCH_DIRECTORIES, why);
	else
		set_kind(w, mount, WATCH_POLL, w->ino_why);
}

/* How much a kind is worth. */
static unsigned
worth(enum watch_kind kind)
{
	static const unsigned of[] = {[WATCH_OFF] = 0,
		[WATCH_POLL] = 1,
		[WATCH_DIRECTORIES] = 2,
		[WATCH_FILE_SYSTEM] = 3};

	return of[kind];
}

static struct watch_row *
find_place_locked(struct watch *w, const struct place *p)
{
	VEC_EACH (&w->rows, row)
		if (row->info.dev == p->dev)
			return row;
	return NULL;
}

/* The row of the place, new or counted once more: its number, 0 and *ret_error. `climbs`: it must
 * look for its kind. */
static uint32_t
enrol_locked(struct watch *w, const struct place *p, enum watch_kind wanted, bool *ret_climbs,
	int *ret_error)
{
	struct watch_row *row = find_place_locked(w, p);

	*ret_climbs = true;
	if (row) {
		/* Or another file system has the device number by now, and the old one's end was
		 * not noticed. */
		*ret_climbs = worth(wanted) > worth(row->wanted) || row->place_fsid != p->fsid;
		row->wanted = worth(wanted) > worth(row->wanted) ? wanted : row->wanted;
		row->place_fsid = p->fsid;
		row->mnt_id = p->mnt_id;
		row->info.n_refs++;
		return row->info.mount;
	}
	*ret_error = w->rows.len < WATCH_MAX_MOUNTS ? 0 : -ENOSPC;
	if (*ret_error == 0)
		*ret_error = VEC_PUSH(&w->rows,
			(struct watch_row){
				.info = {.mount = w->last_mount + 1, .dev = p->dev, .n_refs = 1},
				.wanted = wanted,
				.place_fsid = p->fsid,
				.mnt_id = p->mnt_id});
	return *ret_error == 0 ? ++w->last_mount : 0;
}

static uint32_t
enrol(struct watch *w, const struct place *p, enum watch_kind wanted, bool *ret_climbs,
	int *ret_error)
{
	LOCK_SCOPE(&w->lock);

	return enrol_locked(w, p, wanted, ret_climbs, ret_error);
}

static enum watch_kind
wanted_of(struct watch *w, uint32_t mount)
{
	LOCK_SCOPE(&w->lock);

	return watch_row_locked(w, mount)->wanted;
}

static enum watch_kind
kind_of(struct watch *w, uint32_t mount)
{
	LOCK_SCOPE(&w->lock);

	return watch_row_locked(w, mount)->info.kind;
}

/* It may be the same device number with another file system in it by now, or one that was unmounted
 * and came back, which has lost its marks: so the mark is set again, which does nothing where it
 * is.
 */
static void
renew(struct watch *w, uint32_t mount, int fd)
{
	if (kind_of(w, mount) == WATCH_FILE_SYSTEM)
		(void)mark_file_system(w, fd);
}

int
watch_mount(struct watch *w, int fd, enum watch_kind wanted, uint32_t *ret_mount,
	enum watch_kind *ret_kind, struct err *err)
{
	struct place p = {0};
	uint32_t mount;
	bool climbs;
	int r = place_of(fd, &p);

	if (r < 0)
		return err_set(err, r, "could not watch a file system: %s", err_reason(r));
	LOCK_SCOPE(&w->ladder);
	mount = enrol(w, &p, wanted, &climbs, &r);
	if (mount == 0)
		return err_set(err, r, "could not watch one more file system: %s", err_reason(r));
	if (climbs)
		climb(w, mount, fd, wanted_of(w, mount), &p);
	else
		renew(w, mount, fd);
	*ret_mount = mount;
	*ret_kind = kind_of(w, mount);
	return 0;
}

/* Does it need its mark no more? Rows of one file system share one. */
static bool
mark_is_last_locked(struct watch *w, const struct watch_row *row)
{
	if (row->info.kind != WATCH_FILE_SYSTEM)
		return false;
	VEC_EACH (&w->rows, other)
		if (other != row && other->info.kind == WATCH_FILE_SYSTEM &&
			other->fsid == row->fsid)
			return false;
	return true;
}

/* Counted down: was it the last time? */
static bool
leave(struct watch *w, uint32_t mount, bool *ret_unmark)
{
	LOCK_SCOPE(&w->lock);
	struct watch_row *row = watch_row_locked(w, mount);

	if (!row || --row->info.n_refs > 0)
		return false;
	*ret_unmark = mark_is_last_locked(w, row);
	row->info.kind = WATCH_OFF;
	return true;
}

static void
strike(struct watch *w, uint32_t mount)
{
	LOCK_SCOPE(&w->lock);
	struct watch_row *row = watch_row_locked(w, mount);

	if (row->lost)
		(void)sub_rel(&w->n_lost_now, 1);
	*row = VEC_POP(&w->rows);
}

void
watch_unmount(struct watch *w, uint32_t mount, int fd)
{
	bool unmark = false;

	LOCK_SCOPE(&w->ladder);
	if (!leave(w, mount, &unmark))
		return;
	if (unmark && fd >= 0)
		(void)fanotify_mark(
			w->fan_fd, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, WATCH_MASK_FAN, fd, ".");
	watch_dirs_end(w, mount);
	strike(w, mount);
}

static int
note_own(struct watch *w, const struct stat *st)
{
	LOCK_SCOPE(&w->lock);

	if (watch_is_own_locked(w, st->st_dev, st->st_ino))
		return 0;
	if (w->own.len >= WATCH_MAX_OWN)
		return -ENOSPC;
	return VEC_PUSH(&w->own, (struct watch_own_dir){st->st_dev, st->st_ino});
}

/* Where the kernel will not ignore the directory (before 6.0, subvolumes of btrfs) the drain thread
 * drops its events. */
int
watch_own(struct watch *w, int fd)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	LOCK_SCOPE(&w->ladder);
	r = note_own(w, &st);
	if (r == 0 && w->fan_fd >= 0)
		(void)fanotify_mark(w->fan_fd, FAN_MARK_ADD | FAN_MARK_IGNORE_SURV,
			WATCH_MASK_FAN | FAN_EVENT_ON_CHILD, fd, ".");
	return r;
}

size_t
watch_get_mounts(struct watch *w, struct watch_mount_info *ret, size_t max)
{
	LOCK_SCOPE(&w->lock);
	size_t n = 0;

	VEC_EACH (&w->rows, row)
		if (n < max)
			ret[n++] = row->info;
	return w->rows.len;
}
