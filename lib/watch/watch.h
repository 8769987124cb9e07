/**
 * watch: what the kernel says has changed, as hints "look at this name of this directory again".
 *
 *     fanotify group (marks of file systems) --\
 *                                               drain thread -> spill channel -> watch_recv()
 *     inotify instance (marks of directories) --/
 *
 * Not history: the kernel merges events and loses their order, so a change never says what
 * happened, and one that comes twice, late or for nothing is normal. What it does say: whatever was
 * done to a watched file system before a cookie was asked for is told before that cookie (note:
 * barrier), by the name, or by WATCH_LOST. Not an index either: directories are inode numbers,
 * which are read out of the kernel's file handles and never opened. A mark covers a whole file
 * system, so many changes are of directories that the receiver does not know; it drops them.
 *
 * Which kind a mount gets is a ladder, gone down until a rung holds:
 *   WATCH_FILE_SYSTEM   one fanotify mark (CAP_SYS_ADMIN; ext4, xfs, tmpfs, btrfs' top volume, ..)
 *   WATCH_DIRECTORIES   an inotify mark for each directory that watch_dir() names, within a budget
 *   WATCH_POLL          nothing is told; for what other machines or processes change behind the
 *                       kernel's back (network file systems, FUSE)
 * The inode numbers that handles hold are checked against stat(2) when a mount is added: a file
 * system whose handles are of another making gets the next rung.
 *
 * note: barrier. The kernel queues an event before the call that causes it returns, and each queue
 * is first in, first out (an event that is merged joins one that is further ahead). So a cookie
 * needs no file: the drain thread asks each queue how much it holds (FIONREAD), after the cookie
 * was asked for, reads at least as much, and then tells the cookie. Nothing is written anywhere,
 * and it works on a full disk. An overflow stands in the queue at its place, like an event: what it
 * cost is told as WATCH_LOST before the cookie.
 *
 * note: subvolumes. Those of btrfs have inode numbers of their own, which are the same as others'.
 * One that was passed to watch_mount() has its own number; changes of the rest come with the number
 * of the file system's top. So a receiver looks at every directory that has the inode number.
 *
 * note: reserve. The kernel's limit of directories is one for all programs of a user, and nobody
 * says what the others have. So half of it is the budget; and when the kernel says that there is no
 * more, the budget is an eighth less than there are (at most WATCH_RESERVE_MAX less) for
 * WATCH_RESERVE_USEC, and who marks directories gives back as many as are too many
 * (watch_dirs_excess()): others can go on, and what has no mark is looked for in other ways.
 *
 * Not told by any kernel: writes through a mapping before it is unmapped and its file closed; what
 * happens to a file through a name (or the descriptor of a name) in a directory that is not
 * watched; the other names of a file with hard links: only the one that was used, even when it is
 * gone by then and the file is written through a descriptor. That links to a file come and go is
 * told by its number (WATCH_FILE), but not with WATCH_DIRECTORIES; that the blocks of a file change
 * when it is written out, some time after it was written.
 *
 * Ownership: names are borrowed until the next watch_recv(). Descriptors that are passed in stay
 *            the caller's and nothing holds them open: a watch never keeps a file system busy.
 * Threads:   one receiver. watch_mount(), watch_unmount(), watch_own(): any, one after the other by
 *            a lock. watch_dir(), watch_dir_end(): any, but for one mount one at a time.
 *            watch_cookie(), statistics: any, never waiting.
 * Errors:    -errno. Losses are never errors: they are WATCH_LOST.
 * Limits:    WATCH_MAX_MOUNTS; directories: the budget; the channel's memory and disk. The drain
 *            thread reads at most each millisecond while events go on, and sleeps while there are
 *            none.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "sync/stop.h"

#define WATCH_MAX_MOUNTS 1024u
#define WATCH_RESERVE_MAX 1024u
#define WATCH_RESERVE_USEC (600 * USEC_PER_SEC)

struct watch;

enum watch_kind { WATCH_OFF, WATCH_FILE_SYSTEM, WATCH_DIRECTORIES, WATCH_POLL };

enum watch_what {
	WATCH_NAME, /* look at `name` in directory `ino` again: new, gone, moved, written, chmod */
	WATCH_FILE, /* the file `ino`, under whichever names it has: links to it came or went */
	WATCH_SELF, /* the directory `ino` itself: its metadata; or it was moved or removed */
	WATCH_LOST, /* everything on `mount` may have changed: overflow, no room, unmounted */
	WATCH_COOKIE, /* all that was done before the cookie was asked for has been told */
};

struct watch_change {
	enum watch_what what;
	uint32_t mount;   /* as watch_mount() numbered it; 0 with WATCH_COOKIE */
	uint64_t ino;     /* NAME, SELF: of the directory, as st_ino (note: subvolumes) */
	struct span name; /* NAME: without '/', not empty; bytes */
	uint64_t cookie;  /* COOKIE: this one and all that were asked for before it */
};

struct watch_opts {
	int state_fd;            /* the directory in which the channel's directory is made */
	const char *name;        /* of that; NULL: "changes" */
	uint64_t max_mem_bytes;  /* of the channel, as in spill.h; 0: 4 MiB */
	uint64_t max_disk_bytes; /* 0: 256 MiB */
	uint32_t max_dirs;       /* inotify: 0 half of what the kernel allows this user */
	bool allow_file_system;  /* false: the ladder begins at WATCH_DIRECTORIES */
	/* May be NULL: called by the drain thread before it reads. Tests hold it up there until a
	 * queue has overflowed. */
	void (*on_drain)(void *ctx);
	void *ctx;
};

/**
 * Open the channel, empty it (what a process before told is covered by the walk at start), and
 * start the drain thread. A kernel without fanotify, or a process without the right to it, is not
 * an error.
 * Errors: as spill_open(); -EMFILE, -ENFILE, -ENOMEM, -EAGAIN.
 */
int watch_create(const struct watch_opts *opts, struct watch **ret, struct err *err);
/** The receiver is gone, and nothing is to be told any more. The kernel takes some 20 ms to let go
 *  of its marks, which watch_destroy() waits for: with this before, it waits for what is left. */
void watch_stop(struct watch *w);
/** The receiver is gone. All marks go too. NULL is legal. */
void watch_destroy(struct watch *w);

/**
 * Watch the file system of the open directory `fd`, at best as `wanted` (WATCH_FILE_SYSTEM: the
 * best there is; WATCH_POLL and WATCH_OFF: only a number). Changes that begin after the return are
 * told, with WATCH_DIRECTORIES those of the directories passed to watch_dir(). The same file system
 * (and btrfs subvolume) again: the same number, counted, and the kind that it has. Waits for the
 * file system (fstatfs): not for a thread that others wait for.
 * Errors: -ENOTDIR, -ENOSPC (WATCH_MAX_MOUNTS), -ENOMEM, -errno of fstat and fstatfs.
 */
int watch_mount(struct watch *w, int fd, enum watch_kind wanted, uint32_t *ret_mount,
	enum watch_kind *ret_kind, struct err *err);
/** As often as it was added; the last time all its marks go, and changes of it that are under way
 *  may still come. `fd`: an open directory on it, or -1 when it is not there any more (a mark that
 *  is left behind costs wake-ups, nothing else). A number is not used again. */
void watch_unmount(struct watch *w, uint32_t mount, int fd);

/**
 * WATCH_DIRECTORIES: watch one directory, open as `fd` (O_PATH will do). Changes that begin after
 * the return are told: list it after, not before. 1: it is watched from now on; 0: this very inode
 * was before (not one that had its number and is gone), or there is nothing to do on such a mount.
 * Errors: -ENOSPC the budget (or the kernel's limit) is used up, -ENOENT the mount is not known,
 *         -ENOMEM, -EACCES not readable, -errno of inotify_add_watch. Nothing is watched then.
 */
int watch_dir(struct watch *w, uint32_t mount, int fd, uint64_t ino);
/** How many directories more are watched than the budget allows now (note: reserve). */
size_t watch_dirs_excess(struct watch *w);
/** Stop watching it; nothing when it was not. A directory that is removed needs no call. */
void watch_dir_end(struct watch *w, uint32_t mount, uint64_t ino);

/**
 * A directory of the daemon's own: changes in it (not below its sub-directories) are not told, and
 * on kernels from 6.0 on do not even wake the drain thread. The state directory and the channel's
 * are known.
 * Errors: -ENOSPC too many of them, -ENOMEM, -errno of fstat.
 */
int watch_own(struct watch *w, int fd);

/**
 * The next changes: their number, at least 1. WATCH_LOST comes before what was told after it, once
 * for each mount until it was received.
 * Errors: -ECANCELED the token fired, -ETIMEDOUT; -EMFILE, -ENFILE, -ENOMEM: nothing is lost, try
 *         again a moment later; -EIO the drain thread has ended for a reason that it cannot mend:
 *         what was watched is not any more.
 */
int watch_recv(
	struct watch *w, struct watch_change *ret, size_t max, struct stop *stop, usec_t deadline);

/**
 * Ask for a cookie: its number, which grows. One WATCH_COOKIE may stand for several: it has the
 * number of the last of them. Costs a wake-up of the drain thread and no I/O.
 */
uint64_t watch_cookie(struct watch *w);

/** Moments' values. */
struct watch_stats {
	uint64_t n_events;    /* read from the kernel */
	uint64_t n_coalesced; /* of them: told by another of the same read */
	uint64_t n_own;       /* of them: of the daemon's own directories */
	uint64_t n_foreign;   /* of them: of nothing that is watched any more */
	uint64_t n_told;      /* records sent to the channel */
	uint64_t n_overflows; /* of the kernel's queues */
	uint64_t n_refused;   /* the channel had no room */
	uint64_t n_lost;      /* WATCH_LOST that were raised */
	uint64_t n_cookies;   /* WATCH_COOKIE that were told */
	uint64_t n_spilled;   /* records that went to disk */
	uint64_t n_waiting;   /* records not received yet */
	uint64_t n_wakeups;   /* of the drain thread */
	uint64_t n_dirs;      /* directories watched */
	uint64_t max_dirs;    /* the budget, now */
	uint64_t n_dirs_refused;
};
void watch_get_stats(struct watch *w, struct watch_stats *ret);

struct watch_mount_info {
	uint32_t mount;
	enum watch_kind kind;
	uint64_t dev;      /* st_dev */
	uint32_t n_refs;   /* watch_mount() less watch_unmount() */
	int why;           /* -errno that kept it from WATCH_FILE_SYSTEM, or 0 */
	uint64_t n_events; /* told */
	uint64_t n_lost;   /* WATCH_LOST */
	uint64_t n_dirs;
};
/** What is watched: up to `max`, and how many there are. */
size_t watch_get_mounts(struct watch *w, struct watch_mount_info *ret, size_t max);
/** "file system", "directories", "polled", "off". */
const char *watch_kind_name(enum watch_kind kind);
