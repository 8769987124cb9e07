/**
 * ring_spsc: a bounded queue of pointers from one thread to one other, which never waits.
 *
 * Each side knows its own index without asking, and keeps a copy of the other's that it renews only
 * when the ring looks full (empty) by it: the two threads meet on a line once a lap, not once an
 * item.
 *
 * Orders: the store of an index publishes the slots before it (release; the peer's renewal
 * acquires). It is one seq_cst read-modify-write, because it is also what note: wakeup (park.c)
 * asks of a notifier; the sender's is a CAS, which fails when the ring was closed meanwhile, so a
 * send either comes before the close, and is received, or fails.
 *
 * Threads: one sender, one receiver; close, can_*, sent and len from any.
 * Errors:  -EAGAIN full or empty; -EPIPE closed (the receiver: and drained).
 */
#pragma once

#include "sync/atomic.h"

struct ring_spsc {
	/* Fixed at init. */
	size_t cap;
	void **slots;

	/* The sender's: next to send, with the closed bit; and what it knows of head. */
	ON_OWN_LINE _Atomic uint64_t tail;
	uint64_t head_seen;

	/* The receiver's: next to receive; and what it knows of tail. */
	ON_OWN_LINE _Atomic uint64_t head;
	uint64_t tail_seen;
};

/** `cap` is a power of two. -ENOMEM. */
int ring_spsc_init(struct ring_spsc *r, size_t cap);
void ring_spsc_fini(struct ring_spsc *r);

/** How many of the n (>= 1) were moved, at least 1, from the front. */
ssize_t ring_spsc_send(struct ring_spsc *r, void *const *items, size_t n);
ssize_t ring_spsc_recv(struct ring_spsc *r, void **ret, size_t n);
/** No send succeeds any more. false: it was closed before. */
bool ring_spsc_close(struct ring_spsc *r);

/** Would a call at this moment end otherwise than with -EAGAIN? */
bool ring_spsc_can_send(struct ring_spsc *r);
bool ring_spsc_can_recv(struct ring_spsc *r);
uint64_t ring_spsc_sent(const struct ring_spsc *r);
size_t ring_spsc_len(const struct ring_spsc *r);
