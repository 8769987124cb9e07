/**
 * snapshot: what a query sees: every root with its segments, frozen.
 *
 * A root is a stack of segments (tree_stack.h). The segments of all roots stand in one array, in
 * order of the roots, of each the base first: an entry of the snapshot is a *snapshot layer*, the
 * number in this array, and its number in that segment. An entry of a layer need not count there
 * (tree_dead.h), and a directory may be entered in several layers of its root.
 *
 *     roots    0 /usr          1 /home      2 /new (not walked yet)
 *     layers   0 base          2 base
 *              1 its layer 1
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
#include "index/text_view.h"

enum root_state {
	ROOT_NEW,      /* never indexed: answers lack it */
	ROOT_INDEXING, /* a walk is running; the segments, if any, are of walks before */
	ROOT_READY,
	ROOT_FAILED, /* the last walk failed; the segments, if any, are of earlier ones */
};

/** How contents are searched. */
enum snap_content {
	SNAP_CONTENT_OFF,   /* not at all */
	SNAP_CONTENT_SCAN,  /* every file is read, each time */
	SNAP_CONTENT_INDEX, /* by their grams, and what is pending in the view by reading it */
};

struct snap_root {
	uint32_t id;              /* the catalog's number of the root; never reused */
	char *name;               /* section name in the configuration */
	char *path;               /* absolute, no trailing slash but for "/" */
	struct tree_stack *stack; /* a reference; NULL until the first walk is done */
	uint32_t first_layer;     /* of snapshot.layers, when there is a stack */
	bool stale; /* the file system may differ from the index (failed or running first walk) */
	enum snap_content content;
	struct text_view *view; /* a reference; NULL: no content is known, all files are pending */
	uint64_t content_max_bytes; /* larger files are not searched, and counted; UINT64_MAX: none
	                             */
};

/** One segment of one root. */
struct snap_layer {
	uint32_t root;  /* in snapshot.roots */
	uint32_t layer; /* in the root's stack */
	/* Borrowed from the stack. */
	struct tree *tree;
	const struct tree_dead *dead; /* NULL: all entries count */
	const struct text_map *map;   /* of the root's view; NULL: all its files are pending */
};

struct snapshot {
	struct shared shared;
	struct list live; /* in the list of all snapshots, oldest first (snapshot.c) */
	usec_t created;   /* monotonic */
	uint64_t instance, epoch, tick; /* the clock: c:<instance>:<epoch>:<tick> */
	uint32_t n_roots, n_layers;
	struct snap_root *roots;
	struct snap_layer *layers; /* after snapshot_seal() */
	struct snap_links *links;  /* snapshot_link.h */
};

/** n roots, zeroed; the caller fills them, seals, and then publishes. NULL: out of memory. */
struct snapshot *snapshot_create(uint32_t n_roots);
/** Every root has the stack and the view (of that stack) that it will have: number their layers. */
void snapshot_seal(struct snapshot *s);
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

/** What the order of the index hangs on beside the clock: merges write the same entries anew in
 *  another order, at no tick. With `contents` also how they are known, on which it hangs in what
 *  order files are read. Snapshots of one clock and one layout give all answers in one order. */
uint64_t snapshot_layout(const struct snapshot *s, bool contents);

/** The clock as it was printed: 0 or -EINVAL. */
int snapshot_clock_parse(
	struct span text, uint64_t *ret_instance, uint64_t *ret_epoch, uint64_t *ret_tick);

static inline const struct tree_cols *
snapshot_cols(const struct snapshot *s, uint32_t layer)
{
	return tree_cols(s->layers[layer].tree);
}

/** The root that a layer is of. */
static inline const struct snap_root *
snapshot_root(const struct snapshot *s, uint32_t layer)
{
	return &s->roots[s->layers[layer].root];
}

/** How many of the entries [lo, hi) of a layer count. */
static inline uint32_t
snapshot_count(const struct snapshot *s, uint32_t layer, uint32_t lo, uint32_t hi)
{
	const struct snap_layer *l = &s->layers[layer];

	return hi - lo - tree_dead_sum(l->dead, tree_cols(l->tree), lo, hi, NULL);
}

/** Could the disk not give what was asked for, in any layer? */
bool snapshot_faulted(const struct snapshot *s);

/** Absolute path of an entry, appended: 0 or -ENOMEM. */
int snapshot_path(const struct snapshot *s, uint32_t layer, uint32_t entry, struct strbuf *out);
/** The live entry at an absolute path, in the deepest root: 0, -ENOENT. */
int snapshot_lookup(
	const struct snapshot *s, struct span path, uint32_t *ret_layer, uint32_t *ret_entry);
