/**
 * spill: a channel of byte records that overflows from memory to files, and survives a restart.
 *
 * For bursts: a sender must never wait for a slow receiver. Records go to a ring in memory; when
 * that is full they go to append-only files in a directory (SPILL-FORMAT.md) until the receiver has
 * caught up. Order is kept across both. It is not a database: one process, one receiver, each
 * record once through.
 *
 *     senders --> ring in memory --------------------------> receiver
 *            \--> block of 64 KiB --> segment files --/
 *                       \----- (may be read before it is written) -/
 *
 * Acknowledgement. What was received stays in memory or on disk until spill_ack() says that it is
 * dealt with; after a crash it comes again. So delivery is at least once:
 *   - with SPILL_DURABLE a record that a successful spill_flush() covered is delivered, whatever
 *     dies, until it is acked; without, it survives the process (kill -9) but not the machine;
 *   - a record that no flush covered may be lost in a crash, except those that overflowed to a file
 *     and were written there (not the last block); among what is delivered the order is kept;
 *   - what was acked is not delivered again after the process died; after the machine died it may;
 *   - spill_destroy() flushes: a clean restart loses nothing.
 * With SPILL_AUTO_ACK each receive acks what was received before it, in memory at once, on disk a
 * block at a time: after a crash up to one block of it comes again.
 *
 * Ownership: a record is copied by spill_send(); what a receive returns is borrowed until the next
 *            receive call, or spill_ack(). The directory belongs to one open channel (locked).
 *
 * Threads:   any number of senders and flushers; one receiver, which also acks, arms and disarms.
 *            Open and destroy are alone. Senders wait for each other and for their own write(2) of
 *            a block, never for the receiver and never for an fsync.
 *
 * Errors:    of a send, the record stays the caller's and nothing has changed: -EPIPE closed,
 *            -EMSGSIZE over SPILL_RECORD_MAX_BYTES, -EOVERFLOW our own limit on disk is reached,
 *            -ENOSPC the file system is full (or the user's quota), any other -errno of making or
 *            writing a file. Each is over as soon as its cause is: a later send succeeds once files
 *            can be written, or once the receiver has caught up (and acked).
 *
 * Units:     bytes. Memory: the ring, the largest power of two within max_mem_bytes, and two blocks
 *            of 64 KiB (a third during a flush); what takes over half of the ring goes to files at
 *            once. Disk: the lengths of the segments never exceed max_disk_bytes. Descriptors: at
 *            most five, and with SPILL_DURABLE one more for each segment since the last flush.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "sync/stop.h"

#define SPILL_RECORD_MAX_BYTES 65472u

struct spill;

enum spill_flags {
	SPILL_DURABLE = 1u << 0,  /* spill_flush() syncs to the disk */
	SPILL_AUTO_ACK = 1u << 1, /* a receive acks what was received before it */
};

struct spill_opts {
	uint64_t max_mem_bytes;  /* of the ring; 64 to 16 GiB */
	uint64_t max_disk_bytes; /* of all segments; 0: nothing is ever spilled */
	uint64_t segment_bytes; /* a segment is sealed when it reaches this; 0: 16 MiB, or more when
	                           max_disk_bytes is over 4 GiB. At most 512 segments exist,
	                           whatever their size */
	enum spill_flags flags;
};

/**
 * Open the directory `path` (relative to dirfd, made with mode 0700 when it is missing) and what is
 * in it: records that were not acked are received first.
 * Errors: -EBUSY another channel has it open, -EOPNOTSUPP of a newer version (nothing is changed),
 *         -EBADMSG numbers out of all bounds, -EINVAL max_mem_bytes too small or too large, -EPERM
 *         not ours alone to write to, -ENODEV or -ELOOP files that are none of ours, -ENOMEM,
 *         -errno of the files. Neither damage nor a segment that cannot be read is an error: the
 *         receiver is told (SPILL-FORMAT.md 4).
 */
int spill_open(int dirfd, const char *path, const struct spill_opts *opts, struct spill **ret,
	struct err *err);

/** Save everything that is not acked as spill_flush() does, and let go. The result is that of the
 *  saving: after an error what was in memory only is lost. NULL is legal. */
int spill_destroy(struct spill *c);

/** Never waits for the receiver. */
int spill_send(struct spill *c, const void *record, size_t len);

/**
 * Everything sent before is in files (with SPILL_DURABLE: synced), or acked. Costs an fsync, during
 * which senders and the receiver go on.
 * Errors: as of a send; -errno of the fsync, and then -EIO from each flush until the receiver has
 *         acked what that fsync was for: a failed fsync is never asked again.
 */
int spill_flush(struct spill *c);

/** Senders are done: sends fail with -EPIPE, the receiver gets what is left, then -EPIPE.
 *  Idempotent. Any thread. */
void spill_close(struct spill *c);

/**
 * The next record, in the order sent.
 * Errors: -EPIPE closed and drained, -ECANCELED the token fired, -ETIMEDOUT, -EAGAIN (try) nothing
 *         there; -EBADMSG, once for each place: here records were lost to damage on disk, and
 *         -EIO (or another error of read(2) or open(2)): the rest of a segment could not be read
 *         and is given up. After these two the next call goes on behind the gap. -EMFILE, -ENFILE,
 *         -ENOMEM: no file can be opened now; nothing is lost, the next call tries again.
 */
int spill_recv(struct spill *c, struct span *ret, struct stop *stop);
int spill_try_recv(struct spill *c, struct span *ret);
int spill_recv_until(struct spill *c, struct span *ret, struct stop *stop, usec_t deadline);
/** Waits for one, then takes up to `max` that are there: their number (at least 1), or as above. */
int spill_recv_many(
	struct spill *c, struct span *ret, size_t max, struct stop *stop, usec_t deadline);

/** Everything received so far is dealt with. An error (of writing the position) says only that
 * after a crash some of it may come again. Costs a short lock, and a write(2) while a file holds
 *  records on both sides of the position. */
int spill_ack(struct spill *c);

/** The bridge to an event loop, as in chan.h: `fd` (an eventfd of the receiver, or -1 to unhook) is
 *  written once when there is something to receive (-EPIPE too), while it is armed. spill_arm()
 *  returns true when something is there already: go on receiving. */
void spill_set_event_fd(struct spill *c, int fd);
bool spill_arm(struct spill *c);
void spill_disarm(struct spill *c);

/** Moments' values; counts are of this process, but what was found at open counts as sent. */
struct spill_stats {
	uint64_t n_sent, n_received; /* waiting: n_sent - n_received - n_lost */
	uint64_t acked;              /* a number, over all processes: SPILL-FORMAT.md */
	uint64_t n_refused;          /* sends that failed, but for -EPIPE */
	uint64_t n_spilled;          /* of n_sent: did not go through the ring */
	uint64_t n_found;            /* at open; at most: what is missing in files counts too */
	uint64_t mem_bytes;          /* of the ring, in use */
	uint64_t disk_bytes;         /* of the segments */
	uint64_t n_segments;
	uint64_t n_flips;       /* how often memory overflowed to disk */
	uint64_t torn_bytes;    /* cut off at open */
	uint64_t damaged_bytes; /* skipped while receiving, or at open */
	uint64_t n_lost;        /* records that were in damaged_bytes, as far as numbers tell */
	uint64_t n_sync_errors;
};
void spill_get_stats(struct spill *c, struct spill_stats *ret);
