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
 * A directory with many names is shared: part of its names waits in dirq.parts, before all
 * broods, for a worker who has nothing else to do. Who of them ends last says that it is listed.
 *
 * Descriptors. A directory's descriptor stays open while children of it wait, so that each is
 * opened by name relative to it. At most `max_kept` are kept so; beyond that, and after the kernel
 * refused one (EMFILE), children are opened piecewise from the root's descriptor.
 *
 * Workers. A worker who finds the stack empty and has published his own broods is idle: his task
 * ends, so that he holds no thread of the pool. Who puts broods on the stack submits idle workers
 * again. Going idle looks at the stack, and publishing at the idle, under the lock: no work is left
 * behind by one that the other does not see. A worker who is not idle "runs", be it that his task
 * waits in the pool. When nobody runs, nobody can find work any more: that is the end.
 *
 * Threads: any; see the fields.
 */
#pragma once

#include "base/list.h"
#include "sync/lock.h"
#include "sync/pool.h"
#include "walk/aim.h"
#include "walk/known.h"

/** What a rescan knows of a directory. */
struct dir_was {
	uint64_t dir;    /* its id, WALK_NOT_KNOWN when it was not entered */
	bool trusted;    /* its names are what they were, if it is the one that was looked at: */
	bool broken_off; /* it was not read to the end */
	bool left_out;   /* rules left out entries of it */
	bool replaced;   /* another inode is there now */
	bool regranted; /* mode, owner or the like are others: what can be read of it may be, too */
	uint64_t ino;
	int64_t ctime_ns;
};

/* How much of a directory is looked at. */
enum dir_scope {
	DIR_WHOLE,  /* all of it and below it; names of what is trusted are known */
	DIR_DEEP,   /* all of it and below it is listed */
	DIR_LISTED, /* it is listed; below it, what is new and what the aim says */
	DIR_NAMED,  /* the names that the aim has, with what is new or aimed at below them */
	DIR_STAYS,  /* nothing: it is not entered by this walk */
};

struct dir {
	/* A waiting brood, a child and who reads the directory each hold one. Release on the way
	 * down pairs with acquire by the last, which frees what the others read. */
	_Atomic uint32_t refs;

	/* Written by the thread that took the directory, before any child exists; then fixed. */
	struct dir *parent; /* counted; NULL: the root */
	uint32_t number;
	uint64_t entry_ino; /* as its entry tells it; what is opened may be another by then */
	uint64_t dev, ino, mnt;
	int64_t ctime_ns;
	struct gitignore *ignore; /* counted; its own or that of a directory above; may be NULL */
	struct dir_was was;
	enum dir_scope scope;
	const struct aim_node *aim; /* of it; NULL: the aim has no names in it */
	bool on_mount;              /* it was judged as a mount point and may be entered */
	bool tells;                 /* of changes: known_fs() */
	bool same_rules;            /* the .gitignore files of it and above are what they were */
	bool by_path;               /* opened with O_PATH, so not to be listed */
	bool knows;                 /* `known` is open: what was in it, until it has been read */
	struct known_dir known;
	const struct aim_node **names; /* DIR_NAMED: sorted, those in `aim`; until it is read */
	bool holds_parent;             /* a user of the parent's descriptor */

	/* Of those who read parts of it. Changed before n_parts, whose release pairs with the
	 * acquire of the last who leaves. */
	_Atomic uint64_t n_listed; /* entries */
	_Atomic bool left_out;
	_Atomic uint8_t skip; /* enum walk_skip: why it was not read (to the end) */
	/* A bit for each of `known` whose name was met; NULL where all are, as in a trusted one. */
	_Atomic uint64_t *found;
	_Atomic uint32_t n_parts;

	/* Guarded by dirq.lock. */
	int fd;            /* -1: not open (any more) */
	uint32_t n_users;  /* who reads it or opens a child with it now */
	uint32_t n_broods; /* children wait */
	struct list kept;  /* on dirq.kept: open only for waiting children */

	uint16_t name_len;
	char name[]; /* NUL terminated; the root's is empty */
};

/** A directory with one reference; takes a reference to parent. NULL: out of memory. */
struct dir *dir_create(struct dir *parent, struct span name, uint32_t number);
void dir_unref(struct dir *d); /* NULL is legal */
/** Was it entered before? */
static inline bool
dir_is_known(const struct dir *d)
{
	return d->was.dir != WALK_NOT_KNOWN;
}

/** Its names are told by what is known or by the aim: it need not be listed. */
static inline bool
dir_has_names(const struct dir *d)
{
	return d->was.trusted || d->scope == DIR_NAMED;
}

/** What was known to be in it is needed no more. */
void dir_forget(struct dir *d);
/** Its path relative to the root: 0 or -ENOMEM. */
int dir_path(const struct dir *d, struct strbuf *out);
/** Is d, or a directory above it, this inode? */
bool dir_is_within(const struct dir *d, uint64_t dev, uint64_t ino);

struct brood {
	struct brood *next; /* on dirq.stack, or on a worker's list before it is published */
	struct dir *parent; /* counted */
	uint32_t number;    /* of the first that is left; the others follow */
	uint32_t n_left;
	const char *at; /* in data: struct brood_name, then the name with its NUL */
	char data[];
};

struct brood_name {
	struct dir_was was;
	const struct aim_node *aim;
	uint64_t ino;  /* as its entry tells it */
	uint8_t scope; /* enum dir_scope */
	uint16_t len;
	bool on_mount;
};

/** The head of a part of a directory's names; of malloc. */
struct dirq_part {
	struct dirq_part *next;
	struct dir *dir; /* counted; its descriptor has a user for the part */
};

struct dirq_worker {
	struct task task; /* `run` is fixed; submitted with dirq_submit() */
	struct list idle; /* on dirq.idle, or unlinked while he runs. Guarded by dirq.lock */
};

struct dirq {
	/* Fixed at init. */
	struct pool *io;
	struct pool_share *share; /* what the workers' tasks run in; may be NULL */
	struct walk_stats *stats;

	struct lock lock;  /* RANK_WALK; the pool's is taken under it */
	struct cond ended; /* n_running fell to 0 */
	struct cond freed; /* a descriptor was closed while n_starved > 0 */

	/* Guarded by lock. */
	struct dir *root; /* the first to be taken; NULL afterwards */
	struct brood *stack;
	struct dirq_part *parts;
	struct list kept; /* struct dir.kept, n_kept of them */
	unsigned n_kept, max_kept;
	unsigned n_open, most_open; /* descriptors of directories */
	struct list idle;           /* struct dirq_worker.idle; he who was busy last is in front */
	unsigned n_running;         /* workers who are not idle */
	int result; /* below 0: of the first that failed; nobody gets any more work */

	/* How many are on `idle`. Written under lock; read without it as a hint whether to publish
	 * early: relaxed, a stale value costs a little waiting. */
	_Atomic unsigned n_idle;
	/* How many are in `parts`. The same, for who looks for work: he who goes idle looks at the
	 * list itself. */
	_Atomic unsigned n_shared;
	/* How many wait for a descriptor. The same, for who has closed one. */
	_Atomic unsigned n_starved;
};

void dirq_init(struct dirq *q, struct pool *io, struct pool_share *share, unsigned max_kept,
	struct walk_stats *stats);
/** Drops what still waits. Workers are idle. */
void dirq_fini(struct dirq *q);

/** Add a worker, idle. Before dirq_run(). */
void dirq_hire(struct dirq *q, struct dirq_worker *k);
/** Have the workers do all there is to do, beginning with the root, whose reference moves to the
 *  queue: 0, what dirq_fail() said first, or -ECANCELED when the pool is closed. */
int dirq_run(struct dirq *q, struct dir *root);
/** Queue the worker's task, who is not idle: after those of other walks that wait for a turn, for a
 *  walk is no continuation of its submitter's work but one of several that want to get on. -EPIPE.
 */
int dirq_submit(struct dirq *q, struct dirq_worker *k);
/** Nobody gets any more work, and the walk ends with `code`, unless it has failed before. */
void dirq_fail(struct dirq *q, int code);

/** The next directory from `mine` (the caller's unpublished broods), else from the stack: 1, 0
 *  there is none now or it is the end, -ENOMEM. */
int dirq_take(struct dirq *q, struct brood **mine, struct dir **ret);
/** The caller, who has no broods of his own, becomes idle: true, and neither he nor anything of the
 *  walk may be touched, for he may be running elsewhere and the walk be gone. Or false: there is
 *  work. */
bool dirq_rest(struct dirq *q, struct dirq_worker *k);
/** Put n children of parent, numbered from `number` on, on `mine`. `names` is a run of (struct
 *  brood_name, name, NUL). 0 or -ENOMEM. */
int dirq_add(struct dirq *q, struct brood **mine, struct dir *parent, uint32_t number, uint32_t n,
	struct span names);
/** Let every worker take from `mine`, which is empty afterwards: 0, or -ECANCELED when idle workers
 *  could not be submitted because the pool is closed. */
int dirq_publish(struct dirq *q, struct brood **mine);

/** Let an idle worker take a part of d, which the caller reads: 0 or -ECANCELED as above. */
int dirq_share(struct dirq *q, struct dir *d, struct dirq_part *part);
/** A part, or NULL. The caller ends it with dirq_release() and dir_unref() of its directory. */
struct dirq_part *dirq_take_part(struct dirq *q);

/** The parent's descriptor if it is open: the caller, who took d, is a user of it. Else -1. */
int dirq_parent_fd(const struct dir *d);
/** The caller needs the parent's descriptor no more, and hands over d's own (negative: none) with
 *  himself as a user until dirq_release(). */
void dirq_opened(struct dirq *q, struct dir *d, int fd);
void dirq_release(struct dirq *q, struct dir *d);
/** The kernel refused a descriptor: keep fewer, and wait a moment for one unless that freed some.
 */
void dirq_shed(struct dirq *q);
