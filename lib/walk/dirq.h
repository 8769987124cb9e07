/**
 * dirq: the directories that a walk still has to read, and the descriptors they share.
 *
 *     dirq.stack -> brood -> brood -> ...          a brood: names of sub-directories found in one
 *                     |                            piece of a listing; taken from the front
 *                   parent: struct dir (counted, with its own parent, up to the root)
 *
 * Last in, first out: the walk goes deep before it goes wide, so what waits is about one brood a
 * level and worker, and a name costs its bytes, not a struct. A struct dir exists from when a
 * directory is taken until it and all below it are done.
 *
 * Descriptors. A directory's descriptor stays open while children of it wait, so that each is
 * opened by name relative to it. At most `max_kept` are kept so; beyond that, and after the kernel
 * refused one (EMFILE), children are opened piecewise from the root's descriptor.
 *
 * End of work. A worker is active from taking a directory until it waits for the next; broods of a
 * worker that are not yet published belong to an active worker. So "stack empty and nobody active"
 * is the end.
 *
 * Threads: any; see the fields.
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"
#include "walk/walk.h"

struct dir {
	/* A waiting brood, a child and who reads the directory each hold one. Release on the way
	 * down pairs with acquire by the last, which frees what the others read. */
	_Atomic uint32_t refs;

	/* Written by the thread that took the directory, before any child exists; then fixed. */
	struct dir *parent; /* counted; NULL: the root */
	uint64_t number;
	uint64_t dev, ino, mnt;
	struct gitignore *ignore; /* counted; its own or that of a directory above; may be NULL */
	bool on_mount;            /* it was judged as a mount point and may be entered */
	bool holds_parent;        /* a user of the parent's descriptor */

	/* Guarded by dirq.lock. */
	int fd;            /* -1: not open (any more) */
	uint32_t n_users;  /* who reads it or opens a child with it now */
	uint32_t n_broods; /* children wait */
	struct list kept;  /* on dirq.kept: open only for waiting children */

	uint16_t name_len;
	char name[]; /* NUL terminated; the root's is empty */
};

/** A directory with one reference; takes a reference to parent. NULL: out of memory. */
struct dir *dir_create(struct dir *parent, struct span name, uint64_t number);
void dir_unref(struct dir *d); /* NULL is legal */
/** Its path relative to the root: 0 or -ENOMEM. */
int dir_path(const struct dir *d, struct strbuf *out);
/** Is d, or a directory above it, this inode? */
bool dir_is_within(const struct dir *d, uint64_t dev, uint64_t ino);

struct brood {
	struct brood *next; /* on dirq.stack, or on a worker's list before it is published */
	struct dir *parent; /* counted */
	uint64_t number;    /* of the first that is left; the others follow */
	uint32_t n_left;
	const char *at; /* in data: struct brood_name, then the name with its NUL */
	char data[];
};

struct brood_name {
	uint16_t len;
	bool on_mount;
};

struct dirq {
	/* Fixed at init. */
	struct walk_stats *stats;

	struct lock lock;  /* RANK_WALK */
	struct cond work;  /* the stack is not empty any more, or done */
	struct cond freed; /* a descriptor was closed while n_starved > 0 */

	/* Guarded by lock. */
	struct brood *stack;
	struct list kept; /* struct dir.kept, n_kept of them */
	unsigned n_kept, max_kept;
	unsigned n_active, n_starved;
	bool done;

	/* Workers asleep in dirq_wait(). Written under lock; read without it as a hint whether to
	 * publish early: relaxed, a stale value costs a little waiting. */
	_Atomic unsigned n_idle;
};

void dirq_init(struct dirq *q, unsigned max_kept, struct walk_stats *stats);
/** Drops what still waits. Workers are gone. */
void dirq_fini(struct dirq *q);

/** The caller becomes active. */
void dirq_join(struct dirq *q);
/** The caller, who has no broods of its own, is active no more. */
void dirq_leave(struct dirq *q);
/** Nobody gets any more work. */
void dirq_finish(struct dirq *q);

/** The next directory from `mine` (the caller's unpublished broods), else from the stack: 1, 0
 *  there is none now or it is the end, -ENOMEM. The caller is active. */
int dirq_take(struct dirq *q, struct brood **mine, struct dir **ret);
/** Sleep until there may be work: true, or false at the end. The caller is active before and, when
 *  true, after. */
bool dirq_wait(struct dirq *q);
/** Put n children of parent, numbered from `number` on, on `mine`. `names` is a run of (struct
 *  brood_name, name, NUL). 0 or -ENOMEM. */
int dirq_add(struct dirq *q, struct brood **mine, struct dir *parent, uint64_t number, uint32_t n,
	struct span names);
/** Let every worker take from `mine`, which is empty afterwards. */
void dirq_publish(struct dirq *q, struct brood **mine);

/** The parent's descriptor if it is open, with the caller as a user; else -1. */
int dirq_parent_fd(struct dirq *q, struct dir *d);
void dirq_release_parent(struct dirq *q, struct dir *d);
/** Hand over d's descriptor, with the caller as a user until dirq_release(). */
void dirq_set_fd(struct dirq *q, struct dir *d, int fd);
void dirq_release(struct dirq *q, struct dir *d);
/** The kernel refused a descriptor: keep fewer, and wait a moment for one unless that freed some.
 */
void dirq_shed(struct dirq *q);
