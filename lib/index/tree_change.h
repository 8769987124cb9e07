/**
 * tree_change: what has changed of a root since a stack of it was made.
 *
 * A change is told by directory and name: the row that is there now (tree_change_put), or that
 * nothing is (tree_change_kill). Directories have a number in the change set, counting up from 0,
 * the root; a directory of the stack gets one from tree_change_dir(), one that is put gets it then.
 * Calls come in any order, but for a number, which is had before it is used.
 *
 * What counts in the end, for one name of one directory:
 *     put            the row; when it is an entered directory and the stack has one there, what is
 *                    below stays as it is, but for what the set says of it
 *     kill           nothing, also of what was put below
 *     kill and put   (in either order) the row, and nothing of what the stack has below
 *     put twice      the later row
 * What is put below a directory that is not there in the end, or is not entered, is dropped.
 *
 * Nothing is in proportion to the stack: a name that is told, and each directory on the
 * way to one, cost some 200 bytes. tree_merge.h makes a segment of it.
 *
 * Ownership: the set holds its stack; rows and names are copied.
 * Threads:   one.
 * Errors:    -ENOMEM, -EFBIG too many; -EINVAL for what no walk gives: a name that is empty or has
 *            '/' or NUL, no such number, an entered row that is no directory, a killed root;
 *            -ENAMETOOLONG. After -ENOMEM only destroy is legal.
 */
#pragma once

#include "index/tree_build.h"
#include "index/tree_stack.h"

#define TREE_CHANGE_ROOT 0u

struct tree_change;

int tree_change_create(struct tree_stack *s, struct tree_change **ret);
void tree_change_destroy(struct tree_change *c); /* NULL is legal */

/** The number of a live directory that has the number `dir` in `layer` of the stack. -ENOENT: it is
 *  dead. */
int tree_change_dir(struct tree_change *c, uint32_t layer, uint32_t dir, uint32_t *ret);

/** There is this row in directory `at`. `in->dir` says only whether it is entered: not when it is
 *  TREE_BUILD_NO_DIR. *ret_dir (may be NULL) is the number of an entered one. A directory that the
 *  stack has not entered, of which neither a row is put nor tree_change_read() says that it was
 *  read, becomes NOT_ENTERED. */
int tree_change_put(
	struct tree_change *c, uint32_t at, const struct tree_input *in, uint32_t *ret_dir);
/** There is nothing of that name in directory `at`. */
int tree_change_kill(struct tree_change *c, uint32_t at, struct span name);
/** The row of a directory itself is this one; its name stays. The same as putting it where it is
 *  in, and the only way for the root. */
int tree_change_own(struct tree_change *c, uint32_t dir, const struct tree_input *in);
/** How reading the directory ended: TREE_NOT_ENTERED (not to the end) and TREE_LEFT_OUT, or
 *  neither. Unless it is said, they stay. EMPTY_DIR follows from what is there. */
int tree_change_read(struct tree_change *c, uint32_t dir, uint8_t flags);

/** The stack that it is of: as long as the set. */
const struct tree_stack *tree_change_stack(const struct tree_change *c);
/** How many names it tells of, those on the way not counted; 0: nothing has changed. */
uint64_t tree_change_count(const struct tree_change *c);
/** Memory that it holds. */
size_t tree_change_bytes(const struct tree_change *c);
