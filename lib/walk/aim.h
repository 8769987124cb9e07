/**
 * aim: what of a tree is to be looked at again: a trie of names.
 *
 *     root: NAME -> "lib": NAME  -> "a.c": NAME       lib/a.c is looked at, and lib itself
 *                |-> "src": DEEP                      all below src
 *
 * A walk with an aim (walk_opts.aim, which needs `known`) visits nothing else. It says of what it
 * visits what a whole rescan would say. What leads to a name is looked at too, for a directory's
 * own times and size change with its names. Paths are those that were known before what happened:
 * whoever turns inode numbers into paths does it against the tree that the walk will know, not
 * against one that an unfinished walk is about to replace.
 *
 * What a name turns out to be decides how far the walk goes:
 *     not there                     it is gone, with all that was known below it
 *     a new directory, or one that was not entered, or another inode than was known there: all
 *                                   below it
 *     a known directory             it alone; its names where the aim has some; it is listed when
 *                                   its mode, owner or other attributes are not what they were,
 *                                   for that decides what can be read of it
 *     .gitignore                    where it is obeyed: all below its directory
 * So a renamed directory is aimed at by its old and its new name, and all is found.
 *
 * What an aim cannot see: that nothing is left out of a directory any more, of which something was
 * (walk_list.left_out stays, until the directory is listed), and how often what was left out by
 * which reason (walk_stats.n_skipped).
 *
 * Memory: some 120 bytes for each name; a path shares its directories with others.
 *
 * Ownership: created and destroyed; names are copied.
 * Threads:   one; any number of readers while nobody adds.
 * Errors:    -ENOMEM, and the aim is what it was, but for names on the way; -EINVAL for what is no
 *            path below a root: an empty component, "." or "..", a NUL, a name of more than
 *            65,535 bytes.
 */
#pragma once

#include "base/str.h"

struct walk_aim;

enum aim_how {
	AIM_NAME, /* the entry is looked at */
	AIM_LIST, /* and, if it is a directory, listed; what is known in it is not entered */
	AIM_DEEP, /* and all below it is listed; nothing is trusted */
};

int aim_create(struct walk_aim **ret);
void aim_destroy(struct walk_aim *a); /* NULL is legal */

/** `path` is relative to the root, "" the root itself. The most that was asked for a path counts,
 *  and what lies below an AIM_DEEP adds nothing. */
int aim_add(struct walk_aim *a, struct span path, enum aim_how how);

/** Is the path looked at: is it a name of the aim, or below what is AIM_DEEP? */
bool aim_has(const struct walk_aim *a, struct span path);
/** How many names it has, those on the way counted, the root not; with the root alone 0. */
uint64_t aim_count(const struct walk_aim *a);
/** Memory that it holds. */
size_t aim_bytes(const struct walk_aim *a);

/** For the walk. A node is valid as long as the aim, and does not change while nobody adds. */
struct aim_node {
	struct aim_node *parent;      /* NULL: the root */
	struct aim_node *kids, *next; /* the newest of its own; the next older of its parent's */
	uint32_t n_kids;
	enum aim_how how;
	uint16_t len;
	char name[]; /* NUL terminated */
};

const struct aim_node *aim_root(const struct walk_aim *a);
/** The node of a name in a directory, or NULL. */
const struct aim_node *aim_find(
	const struct walk_aim *a, const struct aim_node *in, struct span name);
