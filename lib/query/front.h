/**
 * front: a word in paths, decided for a whole root in entry order.
 *
 * A word matches an entry when its name holds it, or that of a directory above. A directory's own
 * entry always comes before what is below it, so one pass in entry order is enough:
 *
 *   1. front_scan()    names of a chunk that hold the word: one scan; chunks in any order, on any
 *                      thread, left out where the grams say that no name holds it
 *   2. front_absorb()  in order: hits that are directories mark what is below them (marks.h), and
 *                      the chunk's answer is its hits and what is marked
 *
 * A word with slashes, "a/b/c": hits on "b" that are directories in a path that ends "a/b" mark
 * their children (`kids`); those of them that begin with "c" are what matches. Where directories
 * are few beside the names that would be scanned, each is asked at the start instead.
 *
 * Ownership: zeroed, then front_start() for each root after eval_bind(); front_fini(). Borrows eval
 *            and node.
 * Threads:   front_scan() many, each with its own worker; the others one at a time.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "query/marks.h"

struct front {
	struct eval *eval;
	const struct node *leaf;
	struct marks below, kids;
	bool any_kid;   /* the word begins with its only slash: every directory will do */
	bool all_known; /* all directories have been asked: there is nothing to scan for */
};

/** Does the leaf gain by a front? */
bool front_suits(const struct node *n);
/** Begin at entry lo; all that will be asked for is below hi. */
int front_start(struct front *f, struct eval *e, const struct node *leaf, uint32_t lo, uint32_t hi);
void front_fini(struct front *f);

/** May front_scan() find anything in [lo, lo + n)? */
bool front_may_hit(const struct front *f, uint32_t lo, uint32_t n);
/** May front_absorb() say anything of it without a scan? */
bool front_touches(const struct front *f, uint32_t lo, uint32_t n);

int front_scan(const struct front *f, const struct eval_at *at, struct bits *out);
/** Chunks in ascending order, none that front_may_hit() or front_touches() left out. In: what
 *  front_scan() found, or nothing; out: the answer. */
int front_absorb(struct front *f, const struct eval_at *at, struct bits *bits);
