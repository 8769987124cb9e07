/**
 * spill_impl: what the files of the spill channel share.
 *
 *   spill.c         send, receive, wait, wake
 *   spill_ring.c    the ring in memory
 *   spill_log.c     senders' side of the files: the block being filled, segments being written
 *   spill_flush.c   everything into files, and synced
 *   spill_read.c    receiver's side of the files: the next block, past damage; acknowledgement
 *   spill_segment.c one segment file
 *   spill_open.c    what a restart finds
 *   spill_format.c  bytes
 *
 * Locks, in their order:
 *
 * flush: one flush at a time. fsync tells of an error once: the second of two concurrent ones would
 * take the first one's failure for success. Held over fsync.
 *
 * send: numbers are handed out and records placed in one order. Held over the write of a block and
 * the making of a segment, against the rule: whoever is kept waiting has a record that must go
 * behind that block. The receiver never takes it.
 *
 * log: the list of segments and the block being filled. Never held over a system call (but the
 * write to an eventfd), so that neither side waits for the other's I/O.
 *
 * note: sides. `spilling` says where the next record goes. A sender sets it (under send and log)
 * when the ring is full; the receiver clears it (under log) when it has received everything. So:
 * while it is set the ring gets nothing new, and what the ring holds is older than what the files
 * hold: a receiver that sees it set, and after that an empty ring, goes on with the files. While it
 * is clear the files and the block hold nothing to receive: only what the ring holds too (a flush
 * wrote it), or what was received and not acked.
 */
#pragma once

#include "sync/park.h"
#include "sync/spill.h"
#include "sync/spill_format.h"
#include "sync/spill_ring.h"

#define SPILL_MAX_SEGMENTS 512u
#define SPILL_NAME_BYTES 21u /* 16 digits, suffix, NUL */
#define SPILL_SUFFIX ".seg"
#define SPILL_SUFFIX_ASIDE ".new"

struct spill_segment {
	struct list link; /* on spill.segments, or unlinked; guarded by log */

	/* Fixed once made. */
	struct spill_segment_head head;
	bool headless; /* found without a valid header: no block in it will be valid */

	/* Guarded by log. Readers look at no byte past `bytes`, which writers never write before.
	 */
	int fd; /* of writers and fsync, who use it without the lock: -1 once neither needs it */
	unsigned refs;         /* the list, the cursor, a writer, a flush */
	uint64_t end;          /* number after its last record */
	uint64_t bytes;        /* up to the end of the last good block */
	uint64_t synced_bytes; /* of them, known to be on the disk */
	bool named;            /* the directory was synced since it was made */
	bool sealed, doubtful; /* SPILL-FORMAT.md 5 */

	bool aside; /* has its name to come (D4); the flush's own while it is `side`, false after */
};

/** A block in memory: `bytes` has room for header and padding. */
struct spill_block {
	uint64_t first;
	uint32_t n_records, payload_bytes;
	unsigned char *bytes;
};

static inline uint64_t
spill_block_end(const struct spill_block *b)
{
	return b->first + b->n_records;
}

/** Where the receiver is in the files. */
struct spill_cursor {
	struct spill_segment *segment; /* counted, or NULL */
	int fd;                        /* its file, or -1 */
	uint64_t offset;               /* of the next block */
	bool damaged;                  /* bytes were skipped; the receiver has not been told */
	uint64_t number;               /* received: the next to deliver */

	/* A stretch of a file, or a copy of the block being filled. */
	unsigned char *window;
	const struct spill_segment *of; /* the window's file; NULL: not of a file */
	uint64_t window_at;
	size_t window_len;

	/* What is left of the current payload. */
	const unsigned char *at, *end;

	/* How far the block being filled was taken: it begins with number taken_first, and its
	 * first taken_bytes of payload end where number taken_end begins. */
	uint64_t taken_first, taken_end;
	uint32_t taken_bytes;
};

struct spill {
	/* Fixed at open. */
	struct spill_opts opts;
	int dirfd, position_fd;

	struct spill_ring ring;

	struct lock flush; /* RANK_POOL: before send */

	/* Guarded by send (RANK_CHAN). */
	ON_OWN_LINE struct lock send;
	_Atomic uint64_t next;    /* number of the next record; relaxed for statistics */
	uint64_t ring_logged;     /* no record of the ring below it needs to go to files */
	uint64_t filed;           /* all of `fill`, of `tail` and of segments before is below */
	_Atomic uint32_t closed;  /* set once; seq_cst: a condition of the sleeper */
	struct counter n_refused; /* written here, read anywhere, as the next two */
	struct counter n_spilled;
	struct counter n_flips;

	/* Guarded by log (RANK_LEAF). */
	ON_OWN_LINE struct lock log;
	struct list segments;       /* in the order of numbers, each with a block at least (D2) */
	struct spill_segment *tail; /* growing, the last on the list; or NULL */
	struct spill_segment *side; /* growing, of a flush, before others; or NULL: note: flush */
	struct spill_segment *busy; /* being written: not to be removed */
	bool writing;               /* a write is under way, perhaps of a segment not listed yet */
	uint32_t n_segments;
	uint64_t disk_bytes;
	struct spill_block fill; /* its bytes do not change while `writing`, but by the writer */
	int event_fd;
	uint64_t n_sync_errors;
	/* note: sides. Written under log; seq_cst, a condition of the sleeper. */
	_Atomic uint32_t spilling;

	/* Read by a sender after each send. */
	ON_OWN_LINE struct eventcount receivers;
	_Atomic uint32_t armed; /* seq_cst, as chan.c's */

	/* The receiver's; the atomics are read by others. */
	ON_OWN_LINE struct spill_cursor cursor;
	uint32_t vain; /* spins in vain, one after the other */
	uint64_t position_turn;
	/* Records below it may be forgotten: release, after the ring's head or under log; acquired
	 * by writers who leave out what is acked. */
	_Atomic uint64_t acked;
	struct counter n_received, damaged_bytes, n_lost;

	/* Fixed at open. */
	uint64_t first_next; /* next, then */
	uint64_t n_found, torn_bytes;
};

/* spill_segment.c */

/** An unlisted segment with one reference, its header written: 0 or -errno, and no file. */
int spill_segment_make(struct spill *c, uint64_t first, bool aside, struct spill_segment **ret);
/** Give one that was aside its name: 0 or -errno. */
int spill_segment_settle(const struct spill *c, struct spill_segment *s);
/** The file of a listed one, once more: the descriptor or -errno. */
int spill_segment_reopen(const struct spill *c, const struct spill_segment *s, int flags);
/** The descriptor to close (after log) when neither writer nor fsync needs it any more, or -1. */
int spill_segment_rest_locked(const struct spill *c, struct spill_segment *s);
/** A header with a new salt: 0 or -errno. */
int spill_segment_head(uint64_t first, struct spill_segment_head *ret);
/** One without a descriptor yet, not listed. NULL: out of memory. */
struct spill_segment *spill_segment_new(struct spill_segment_head head);
/** Not under log: closes. NULL is legal. */
void spill_segment_put_ref(struct spill *c, struct spill_segment *s);
void spill_segment_unlink(const struct spill *c, const struct spill_segment *s);
/** Write the sealed block at the end of what is good: 0 or -errno, and the file as before. */
int spill_segment_write(const struct spill_segment *s, const void *block, size_t len);
void spill_segment_name(uint64_t first, bool aside, char ret[SPILL_NAME_BYTES]);
/** Insert by number. */
void spill_segment_list_locked(struct spill *c, struct spill_segment *s);

/* spill_log.c */

/** Place a record behind everything else: 0, or -errno as of spill_send(). */
int spill_log_send(struct spill *c, uint64_t number, const void *record, size_t len);
/** Room for one more record in the block, and its number follows? */
bool spill_block_fits(const struct spill_block *b, uint64_t number, size_t len);
void spill_block_add(struct spill_block *b, uint64_t number, const void *record, size_t len);
/** Write the block to *at, or to a new segment, which is then *at; empty it. A block that is acked
 * is emptied only. -errno: it stays. Under send. */
int spill_log_write(struct spill *c, struct spill_block *b, struct spill_segment **at);
/** Let go of segments that are acked (D3). `ret_partly` (may be NULL): one is left that begins
 *  before the acked number, or may do so soon. Not under log. */
void spill_log_trim(struct spill *c, bool *ret_partly);

/* spill_read.c */

int spill_cursor_init(struct spill_cursor *cur);
void spill_cursor_fini(struct spill *c);
/** The next payload: 0 (or everything received: `spilling` is cleared), -EBADMSG and others as of
 *  spill_recv(). */
int spill_read_next(struct spill *c);
/** The next valid block of cur->fd at or after cur->offset, up to `limit`: 1 with its header, and
 *  the window at its payload; 0 none. cur->offset is behind it. What is skipped is counted in
 * *damaged_bytes.
 */
int spill_read_block(struct spill_cursor *cur, const struct spill_segment *s, uint64_t limit,
	struct spill_block_head *ret, uint64_t *damaged_bytes);
/** Forget everything below cursor.number; `persist`: and note it on disk where need be. */
int spill_read_ack(struct spill *c, bool persist);

/* spill_open.c */

int spill_position_write(struct spill *c, uint64_t acked);
