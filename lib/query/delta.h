/**
 * delta: what has changed and matches a question: the rows of `since` and `subscribe`.
 *
 * Each path is told once, by what became of it in the end (changes.h). What is there is asked about
 * in the snapshot, what is gone by what it was (ghosts.h), both with the whole language; contents
 * only of what is there. A move is told by both its ends:
 *
 *     the question matches    where it is and where it was    MOVE
 *                             only where it is                ADD
 *                             only where it was               DELETE
 *
 * What was modified so that it does not match any more is not told: what it was is not known. Who
 * keeps a list of what matches asks for the others, too: then each path that changed and was not
 * told otherwise, as its own or as the source of a move, is an OTHER, and the list is exact for any
 * question: an OTHER is taken from it if it is there. But for two: `empty:` of a directory and
 * `dupe:` hang on other entries than the one that changed.
 *
 * Order: deletions, what is there in the order of the index, what moved out of the question,
 * others.
 *
 * Ownership: delta_close(). The snapshot and the query are counted; `changes` moves in, also when
 *            opening fails.
 * Threads:   one at a time.
 * Errors:    those of a cursor (query.h); -ENOMEM.
 */
#pragma once

#include "query/changes.h"
#include "query/query.h"

struct delta;

struct delta_row {
	enum change_kind kind;
	const struct snapshot *snapshot; /* that of now, or of what is gone */
	uint32_t layer, entry;           /* in it */
	/* MOVE: where it came from. */
	const struct snapshot *from;
	uint32_t from_layer, from_entry;
};

/** `opts` as of a cursor, without sort, limit and grep. */
int delta_open(struct query *q, struct snapshot *s, struct changes *changes,
	const struct cursor_opts *opts, struct delta **ret, struct err *err);
/** Tell the others, too. Before the first row. */
void delta_tell_others(struct delta *d);
/** 1 a row, 0 the end, or an error. */
int delta_next(struct delta *d, struct delta_row *ret);
void delta_close(struct delta *d); /* NULL is legal */
/** What was left out, of what is there. */
void delta_get_stats(const struct delta *d, struct cursor_stats *ret);
