/**
 * snapshot: what a query sees: every root with its segments, frozen.
 *
 * Published through a struct published; a query acquires it once and may keep it as long as it
 * likes. The last reference closes the trees at once, on its thread.
 *
 * Ownership: immutable once published; counted (struct shared). Paths and trees are valid while the
 *            reference is held.
 * Threads:   any.
 */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "index/tree.h"

enum root_state {
	ROOT_NEW,      /* never indexed: answers lack it */
	ROOT_INDEXING, /* a walk is running; the tree, if any, is of the walk before */
	ROOT_READY,
	ROOT_FAILED, /* the last walk failed; the tree, if any, is of an earlier one */
};

struct snap_root {
	uint32_t id;       /* the catalog's number of the root; never reused */
	char *name;        /* section name in the configuration */
	char *path;        /* absolute, no trailing slash but for "/" */
	struct tree *tree; /* NULL until the first walk is done */
	bool stale;   /* the file system may differ from the tree (failed or running first walk) */
	bool content; /* contents may be searched */
	uint64_t content_max_bytes; /* larger files are not searched, and counted; UINT64_MAX: none
	                             */
};

struct snapshot {
	struct shared shared;
	struct list live; /* in the list of all snapshots, oldest first (snapshot.c) */
	usec_t created;   /* monotonic */
	uint64_t instance, epoch, tick; /* the clock: c:<instance>:<epoch>:<tick> */
	uint32_t n_roots;
	struct snap_root roots[];
};

/** n roots, zeroed; the caller fills them and then publishes. NULL: out of memory. */
struct snapshot *snapshot_create(uint32_t n_roots);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is legal */

/** Snapshots that replaced ones are still kept beside. One that stays is a reader that stalls: a
 *  query that was suspended and forgotten holds the files and maps of every replaced tree in it. */
struct snapshot_stats {
	size_t n_live; /* the published one too */
	/* The oldest when there is a newer one, else zeroes: when that one was made (monotonic),
	 * and how many references the old one has left. */
	usec_t stale_since;
	int64_t stale_refs;
};
/** Of the whole process; takes a lock (RANK_LEAF) that nothing waits under. */
void snapshot_get_stats(struct snapshot_stats *ret);

#define SNAPSHOT_CLOCK_BYTES 64
/** "c:7f3a:12:90817" into buf. */
const char *snapshot_clock(const struct snapshot *s, char buf[SNAPSHOT_CLOCK_BYTES]);

/** Absolute path of an entry, appended: 0 or -ENOMEM. */
int snapshot_path(const struct snapshot *s, uint32_t root, uint32_t entry, struct strbuf *out);
/** The root (deepest first) and entry at an absolute path: 0, -ENOENT. */
int snapshot_lookup(
	const struct snapshot *s, struct span path, uint32_t *ret_root, uint32_t *ret_entry);
