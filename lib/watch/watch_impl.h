/**
 * watch_impl: what the files of the watch share.
 *
 *   watch.c         create, destroy, receive, cookies, statistics
 *   watch_mount.c   the ladder: marks of file systems, own directories
 *   watch_dir.c     marks of directories, the budget
 *   watch_table.c   mounts, and what of them was lost
 *   watch_drain.c   the thread: queues -> channel
 *   watch_event.c, watch_handle.c, wd_table.c: bytes, handles, numbers
 *
 * Locks, in their order:
 *
 * ladder: one watch_mount(), watch_unmount() or watch_own() at a time. Held over fanotify_mark(),
 * against the rule: a second root of the same file system must find the kind that the first one
 * got. Neither the drain thread nor the receiver takes it.
 *
 * lock: everything that the drain thread looks at. Never held over a system call.
 *
 * note: lost. That a mount has lost changes is a mark in its row, not a record, for it is told when
 * the channel has no room. The order in which things are told is kept by this: the drain thread
 * sets the mark before it sends whatever it tells after it, and the receiver looks for marks after
 * it has taken records out of the channel and before it hands any of them on. An empty record (a
 * nudge) wakes a receiver that sleeps; where even that is refused the channel is full and nobody
 * sleeps. While the mark stands, changes of that mount are not sent: whoever receives the loss
 * looks at everything after it, so also at these.
 */
#pragma once

#include "base/vec.h"
#include "sync/lock.h"
#include "sync/spill.h"
#include "sync/thread.h"
#include "watch/watch.h"
#include "watch/wd_table.h"

#define WATCH_MASK_FAN                                                                            \
	(FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_CLOSE_WRITE | \
		FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF | FAN_ONDIR)
#define WATCH_MASK_INO                                                                      \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | \
		IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

#define WATCH_READ_BYTES 65536u
#define WATCH_PAUSE_MSEC 1 /* between two reads while events go on */
#define WATCH_MAX_OWN 64u
#define WATCH_N_SEEN 1024u /* a power of two */
#define WATCH_N_SPANS 256u

struct watch_row {
	struct watch_mount_info info;
	enum watch_kind wanted;   /* the best that was asked for */
	uint64_t place_fsid;      /* as statfs(2) tells it */
	uint64_t fsid, subvolume; /* of its events: those of the mark */
	uint64_t mnt_id;          /* STATX_MNT_ID of where it was added, or 0 */
	bool lost;                /* note: lost */
};

struct watch_own_dir {
	uint64_t dev, ino;
};

/** What a change is sent as, in the machine's byte order: the channel is emptied at start. */
struct watch_record {
	uint64_t number; /* inode or cookie */
	uint32_t mount;
	uint32_t what; /* enum watch_what, or WATCH_NUDGE */
};

#define WATCH_NUDGE UINT32_MAX

/** A change of the read under way, against which the next ones are held. The name is in its buffer.
 */
struct watch_seen {
	uint64_t read; /* number of the read; others are over */
	struct watch_change change;
};

struct watch {
	/* Fixed at create. */
	struct spill *spill;
	int fan_fd;  /* -1: no fanotify, for the reason fan_why */
	int fan_why; /* -errno */
	int ino_fd;  /* -1: no inotify, for the reason ino_why */
	int ino_why;
	int wake_fd;       /* eventfd: a cookie was asked for, or it ends */
	uint32_t max_dirs; /* the budget; less for a while (note: reserve) */
	void (*on_drain)(void *ctx);
	void *ctx;
	struct thread drain;

	struct lock ladder; /* RANK_CHAN */

	/* Guarded by lock (RANK_LEAF). */
	ON_OWN_LINE struct lock lock;
	VEC(struct watch_row) rows;
	VEC(struct watch_own_dir) own;
	struct wd_table wds;
	uint32_t low_dirs; /* the budget until then (note: reserve), monotonic; 0: as it was */
	usec_t low_until;
	uint32_t last_mount;
	uint64_t late_cookie; /* one that the channel did not take: told after the losses; or 0 */
	/* Rows with `lost`, and one for a late cookie. Written under lock; release, pairs with the
	 * receiver's acquire, which only saves it the lock. */
	_Atomic uint32_t n_lost_now;

	/* Cookies asked for. seq_cst: raised before the eventfd is written, and loaded by the drain
	 * thread after it has read the eventfd. */
	_Atomic uint64_t asked;
	_Atomic bool ending; /* as `asked` */

	/* The drain thread's. */
	unsigned char *buffer;
	struct watch_seen *seen; /* WATCH_N_SEEN */
	uint64_t n_reads, answered;

	/* The receiver's. */
	struct span spans[WATCH_N_SPANS]; /* taken from the channel; [at, n) not handed on yet */
	size_t spans_at, n_spans;
	uint64_t received_cookie;

	struct counter n_events, n_coalesced, n_own, n_foreign, n_told, n_overflows, n_refused,
		n_lost, n_cookies, n_wakeups, n_dirs_refused;
};

/* watch_table.c */

/** NULL: no such mount. Valid while the lock is held and no row is added. */
struct watch_row *watch_row_locked(struct watch *w, uint32_t mount);
bool watch_is_own_locked(const struct watch *w, uint64_t dev, uint64_t ino);
/** note: lost. `mount` 0: all of a kind (WATCH_OFF: of every kind but those that are not watched).
 */
void watch_lose(struct watch *w, uint32_t mount, enum watch_kind kind);
/** The channel refused this cookie: everything is lost, and after that it is told. */
void watch_cookie_late(struct watch *w, uint64_t cookie);
/** The receiver's: what was lost, at most max; then a late cookie. */
size_t watch_take_lost(struct watch *w, struct watch_change *ret, size_t max);

/* watch_dir.c */

uint32_t watch_budget_locked(const struct watch *w);
/** Stop watching all directories of the mount. */
void watch_dirs_end(struct watch *w, uint32_t mount);

/* watch_drain.c */

/** thread_start()'s function; `arg` is the watch. */
int watch_drain_main(void *arg);
