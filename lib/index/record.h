/**
 * record: what has become of one path, and the packed list of these that the journal keeps of a
 * batch of changes.
 *
 *     struct record_list l;
 *     r = record_open(&l, bytes);                -EBADMSG: damaged
 *     while (r == 0 && (r = record_next(&l, &rec)) == 1) use(&rec);
 *
 * A batch is a set: each path stands in it at most once, be it as `path` or as `from`, so the order
 * in which records are applied does not matter. They come in order of the walk through the tree: by
 * names, a directory before what is in it.
 *
 *     ADD     `path` is there, and was not
 *     MODIFY  `path` was there, and its row is another one; perhaps another file, of another kind
 *     MOVE    `path` is there, and is the file that `from` was; `from` is not there any more. What
 *             was at `path` before, if anything, is gone
 *     DELETE  `path` is not there any more; the row is what it was
 *
 * Of a directory that goes, comes or moves every entry below has a record of its own. A rename
 * whose two paths are both there afterwards (an exchange) is told as MODIFY. A MOVE is what a
 * deletion and an addition of one inode, type and time of modification look like; a file that was
 * moved and written to in one batch is a DELETE and an ADD.
 *
 * Bytes, all numbers LEB128 (at most 10 bytes, no longer than need be), `z` zigzag of a difference:
 *
 *     u8 version = 1, number of records, the records, u64 little endian hash64 of all before
 *     record:  u8 kind (bits 0-1), 4: mode, uid, gid, dev are those of the record before
 *              path: bytes shared with the path before, length of the rest, the rest
 *              MOVE: from, in the same way after the `from` before
 *              unless 4: mode, uid, gid, dev
 *              z ino (of the one before), nlink, size, blocks, z mtime (of the one before),
 *              z ctime (of its mtime)
 *
 * Ownership: a list borrows its bytes; spans of a record are valid until the next record_next() or
 *            record_close().
 * Threads:   distinct objects.
 * Errors:    -EBADMSG bytes that no writer makes; -ENOMEM.
 */
#pragma once

#include "base/bytes.h"

enum record_kind { RECORD_ADD, RECORD_MODIFY, RECORD_MOVE, RECORD_DELETE };

/** Of a path. Deeper ones are not told one by one: the batch tells nothing but "all". */
#define RECORD_PATH_MAX ((size_t)64 << 10)

struct record {
	enum record_kind kind;
	struct span path; /* relative to the root of the batch, without '/' at its ends; the root
	                     itself: empty */
	struct span from; /* of a MOVE; else empty */
	uint32_t mode;    /* with type bits */
	uint32_t uid, gid, nlink;
	uint64_t dev, ino, size, blocks; /* blocks of 512 bytes */
	int64_t mtime_ns, ctime_ns;
};

struct record_list {
	struct bytes rest;
	uint64_t n_left; /* records to come */
	struct record last;
	struct strbuf path, from;
};

/** *l is filled whatever is returned: record_close() it. */
int record_open(struct record_list *l, struct span packed);
/** 1 a record, 0 the end, or -errno, and then again. */
int record_next(struct record_list *l, struct record *ret);
void record_close(struct record_list *l);

/** Packs records, in the order that they are given in. */
struct record_writer {
	struct strbuf out;
	uint64_t n;
	struct record last; /* its spans are not valid */
	struct strbuf path, from;
};

/** Zeroed is empty. 0, -ENOMEM, -ENAMETOOLONG over RECORD_PATH_MAX. */
int record_put(struct record_writer *w, const struct record *r);
/** The bytes, of malloc, in *ret; the writer is empty then. Never none: a list without records is
 *  one, too. */
int record_finish(struct record_writer *w, struct strbuf *ret);
void record_writer_fini(struct record_writer *w);
