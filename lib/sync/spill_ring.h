/**
 * spill_ring: the memory of a spill channel: records in a ring of bytes, each in one piece.
 *
 * Threads: one sender at a time (the channel's send lock) and one receiver, without a lock between
 *          them. What the receiver has read stays until it is released.
 */
#pragma once

#include "base/str.h"
#include "sync/atomic.h"

struct spill_ring {
	/* Fixed at init. */
	size_t bytes; /* a power of two */
	unsigned char *data;

	/* The sender's. Positions count bytes for ever; the place is the position modulo bytes.
	 * tail: seq_cst store, which publishes what stands before it (the receiver's load pairs
	 * with it) and is the notifier's half of note: wakeup (park.c). */
	ON_OWN_LINE _Atomic uint64_t tail;
	uint64_t head_seen;

	/* The receiver's. head: everything before it may be overwritten; release, after the last
	 * look at what is given up; pairs with the sender's acquire. */
	ON_OWN_LINE _Atomic uint64_t head;
	uint64_t read; /* head <= read <= tail: the next to receive */
	uint64_t tail_seen;
};

/** 0 or -ENOMEM. `bytes` is a power of two, at least 16. */
int spill_ring_init(struct spill_ring *r, size_t bytes);
void spill_ring_fini(struct spill_ring *r);

/** Sender: 0, or -EAGAIN no room, ever for what takes over half of the ring. The low half of the
 * number is kept with the record. */
int spill_ring_put(struct spill_ring *r, uint64_t number, const void *record, size_t len);
/** Sender: the record at *at, which moves on; false at the end. Begin at spill_ring_first(). */
bool spill_ring_walk(const struct spill_ring *r, uint64_t *at, struct span *ret, uint32_t *ret_low);
uint64_t spill_ring_first(const struct spill_ring *r);

/** Receiver: is there something to read? */
bool spill_ring_ready(struct spill_ring *r);
/** Receiver: the next record, until released; call when ready. */
struct span spill_ring_get(struct spill_ring *r, uint32_t *ret_low);
/** Receiver: give up everything read. */
void spill_ring_release(struct spill_ring *r);

/** Any thread: bytes in use, a moment's value. */
size_t spill_ring_used(const struct spill_ring *r);
