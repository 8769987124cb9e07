/**
 * walk: a directory tree in, batches of entries out, in parallel.
 *
 * Up to `width` workers read directories, each a task on the I/O pool while it has work: one that
 * has none holds no thread, so a walk that hangs in the kernel keeps only the threads that hang
 * from others. Walks that share a `share` leave the rest of the pool to others, and each of them
 * leaves a thread of it to the next, so one dead mount stops neither queries nor all walks. A
 * directory is opened relative to its parent's descriptor while that is still open, else piecewise
 * from the root's, always without following symbolic links; so names of any bytes, paths past
 * PATH_MAX and trees of any depth work with at most `max_fds` descriptors. Names come from
 * getdents64 with large buffers; d_type decides what to enter, and each entry is looked at once
 * with statx(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC). Nothing is opened but
 * directories and, where asked, .gitignore and CACHEDIR.TAG.
 *
 * What comes out: each directory gets a number when its parent's listing names it (the root is 0),
 * and its own listing arrives later as one or more lists. A list is a piece of one directory,
 * sorted by name (byte order) within the piece. Pieces come in any order, for workers share a wide
 * directory, but never before the list that names it. One of them has `last`: once it was made
 * there were no more to make. (One channel, one consumer.) A directory that cannot be read still
 * gets one empty list with `last` and `skip` set.
 *
 * An entry is one cache line that whoever receives it may keep and write to: what it shares with
 * others (device, mode, owner) is interned per batch, and the names of a list lie one after the
 * other, so that both can be moved as they are.
 *
 * A directory with a valid CACHEDIR.TAG (bford.info/cachedir) keeps its own entry; all that is in
 * it, the tag too, is left out. The root itself is walked whether tagged or not. An entry that
 * cannot be looked at (a directory that may be listed but not searched) comes out with name, type
 * and inode number only and with `skip` set.
 *
 * A rescan (`known`) hands on differences only. Of a directory that was entered before, which its
 * lists name by `was`, come the entries that are new or not what they were, and as `gone` those
 * that are there no more; of one that has none of either, nothing comes, not even a list. So a
 * tree in which nothing changed takes no memory in proportion to it. What is new comes whole, as in
 * a first walk. The `last` list of a directory with a `was` comes only when the directory itself is
 * not what it was (left_out, skip), and then says what it is.
 *
 * An aimed rescan (`aim`) looks only at what its aim says (aim.h), and is silent about the rest. A
 * directory that it knows and does not list has a `last` list when something is left out of it that
 * was not before.
 *
 * What is left out is counted by reason in walk_stats, and explained one path at a time by
 * walk_why().
 *
 * Ownership: a batch belongs to whoever received it; walk_batch_destroy(). Everything in it lives
 * in it. Threads:   walk_run() blocks its caller, which is no thread of `io`; batches are sent from
 * pool threads. Errors:    -errno when the root itself cannot be opened, -EINVAL when it is on a
 * pseudo file system (err says so); -ECANCELED; -EPIPE the channel was closed; -ENOMEM. Trouble
 * with single entries is counted, not returned. Units:     bytes; nanoseconds since 1970.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "sync/chan.h"
#include "sync/pool.h"
#include "walk/rule.h"

#define SKIP(constant, word, sentence) constant,
enum walk_skip {
#include "walk/skip.def"
	N_WALK_SKIPS
};
#undef SKIP

const char *walk_skip_word(enum walk_skip skip);
const char *walk_skip_sentence(enum walk_skip skip);

#define WALK_NAME_MAX_BYTES 1023u
#define WALK_NO_DIR UINT32_MAX
/* Of an aimed walk: a directory that is entered as it was known, but not by this walk. */
#define WALK_DIR_STAYS (UINT32_MAX - 1)

/** What entries share, interned per batch. */
struct walk_class {
	uint64_t dev;
	uint32_t mode; /* with the type bits */
	uint32_t uid, gid;
	uint32_t reserved; /* 0 */
};

struct walk_entry {
	const char *name;      /* followed by a NUL */
	uint64_t size, blocks; /* bytes; blocks of 512 bytes */
	uint64_t ino;
	int64_t mtime_ns, ctime_ns;
	uint32_t nlink;
	uint32_t cls; /* index into the batch's classes */
	uint32_t dir; /* number of the directory this is, WALK_NO_DIR when it is not entered, or
	                 WALK_DIR_STAYS */
	uint16_t name_len;
	uint8_t type; /* DT_REG, DT_DIR, DT_LNK, ... as in <dirent.h> */
	uint8_t skip; /* enum walk_skip: why a directory was not entered; the entry itself is
	                 indexed */
};
_Static_assert(sizeof(struct walk_entry) == 64, "an entry is a cache line");

/** No directory that was known. */
#define WALK_NOT_KNOWN UINT64_MAX

struct walk_aim;
struct walk_known;

struct walk_opts {
	const char *root;          /* absolute, canonical: no component of it may be a symbolic
	                              link, or have been replaced by one since */
	const struct rules *rules; /* NULL: nothing is excluded */
	bool gitignore;            /* obey .gitignore files, within the limits of rule.h */
	bool exclude_caches;       /* leave out the contents of directories with a CACHEDIR.TAG */
	bool one_file_system;      /* do not enter mounts of other file systems */
	const char *const *other_roots; /* NULL-terminated absolute paths of other roots, whose
	                                   contents are left out where they are met: below this one
	                                   or, as far as the kernel has them cached, bound into it.
	                                   May be NULL */
	const char *const *own_dirs; /* NULL-terminated absolute paths never indexed; may be NULL */
	unsigned width;              /* directories read at a time; 0: the number of CPUs */
	struct pool_share *share;    /* what the walk's tasks run in, beside those of other walks;
	                                the walk is narrower than it. May be NULL; outlives the
	                                walk */
	unsigned max_fds;            /* open descriptors at most; 0: 512; never more than half of
	                                the process's limit */
	const struct walk_known *known; /* what an earlier walk under the same options found: it is
	                                   a rescan (known.h). May be NULL; outlives the walk */
	const struct walk_aim *aim;     /* all that a rescan looks at. NULL: everything; outlives
	                                   the walk */
	size_t batch_bytes;             /* memory of a batch; 0: 128 KiB. The piece of a large
	                                   directory may need more */
};

struct walk_list {
	uint32_t dir;
	uint32_t n_entries;
	uint32_t names_bytes; /* of their names, with a NUL each */
	bool last;
	bool left_out; /* rules left out names of this piece; of the last: of any piece */
	uint8_t skip;  /* enum walk_skip: of the directory itself, when it could not be read (to the
	                  end) */
	/* In order of names, and the names lie in memory in this order, without gaps. */
	struct walk_entry *entries;

	/* Of a rescan. */
	uint64_t was;                /* the directory's known id, or WALK_NOT_KNOWN: it is new */
	uint32_t first_gone, n_gone; /* in batch.gone: of its entries */
};

struct walk_batch {
	struct walk_batch *next; /* the receiver's, to keep batches on a list */
	uint32_t n_lists, n_classes, n_gone;
	struct walk_list *lists;
	struct walk_class *classes; /* [n_classes] now and then two are equal */
	uint64_t *gone;             /* [n_gone] ids of known entries (known.h) */
	size_t n_entries;           /* in all lists */
	size_t bytes;               /* of memory, all of it */
	/* Entries and names. */
	size_t used, room;
	_Alignas(64) char data[];
};

void walk_batch_destroy(struct walk_batch *b);

/** Any thread reads while the walk runs; workers add with each batch that they send. Entries are
 * those found, without the root; directories those listed, with it; bytes the sizes of regular
 * files; descriptors those of directories. One entry or directory left out counts once, whatever is
 * below it. Of a rescan: directories that were not listed, and differences from what was known, at
 * least one when there is any. With none, what was sent all the same is as it was. */
struct walk_stats {
	struct counter n_entries, n_dirs, n_bytes;
	struct counter n_trusted, n_changed;
	struct counter n_skipped[N_WALK_SKIPS];
	struct counter max_fds_seen; /* at the end */
};

/** The root itself. */
struct walk_root {
	struct walk_entry entry; /* name empty, dir 0, cls 0 */
	struct walk_class cls;   /* its class */
	bool same;               /* as it was known */
};

/** Walk it all. The first list is of directory 0 (of a rescan: if there is one). -EFBIG: more
 * directories than numbers. */
int walk_run(const struct walk_opts *opts, struct pool *io, struct chan *out, struct stop *stop,
	struct walk_stats *stats, struct walk_root *ret_root, struct err *err);

struct walk_verdict {
	enum walk_skip skip;
	size_t at;        /* length of the prefix of `path` that the verdict is about */
	char rule[128];   /* the rule's text where there is one */
	char source[512]; /* the file it stands in, or the configuration key */
	bool exists; /* lstat says so: of the path; of that prefix when skip is not SKIP_NONE */
};

/**
 * Would the walk index `path` (relative to the root; doubled and trailing slashes count for
 * nothing)? The answer is made by looking at the file system now with the same rules. 0 with a
 * verdict; -errno of the root; -EINVAL for a path with "." or ".." in it.
 */
int walk_why(const struct walk_opts *opts, struct span path, struct walk_verdict *ret);
