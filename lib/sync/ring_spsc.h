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

#include <errno.h>

#include "sync/atomic.h"

#define RING_SPSC_CLOSED (1ull << 63) /* in tail */

struct ring_spsc {
	/* Fixed at init. */
	size_t cap;
	void **slots;

	/* The sender's: next to send, with the closed bit; the same in plain, for a load from a
	 * word that was just locked costs as much as locking it; and what it knows of head. */
	ON_OWN_LINE _Atomic uint64_t tail;
	uint64_t sent, head_seen;

	/* The receiver's: next to receive; likewise. */
	ON_OWN_LINE _Atomic uint64_t head;
	uint64_t received, tail_seen;
	struct counter max_len; /* looked at when either side renews its copy */
};

/** `cap` is a power of two. -ENOMEM. */
int ring_spsc_init(struct ring_spsc *r, size_t cap);
void ring_spsc_fini(struct ring_spsc *r);

/** No send succeeds any more. false: it was closed before. */
bool ring_spsc_close(struct ring_spsc *r);

uint64_t ring_spsc_sent(const struct ring_spsc *r);
size_t ring_spsc_len(const struct ring_spsc *r);

/* What is below is inline because a move is one locked instruction, and calls cost as much. */

/** How many of the n (>= 1) were moved, at least 1, from the front. */
static inline ssize_t
ring_spsc_send(struct ring_spsc *r, void *const *items, size_t n)
{
	uint64_t pos = r->sent, room = r->head_seen + r->cap - pos;

	if (UNLIKELY(room < n)) {
		r->head_seen = load_sc(&r->head);
		room = r->head_seen + r->cap - pos;
		counter_max(&r->max_len, r->cap - room);
		if (room == 0)
			return load_sc(&r->tail) & RING_SPSC_CLOSED ? -EPIPE : -EAGAIN;
	}
	n = MIN(n, room);
	for (size_t i = 0; i < n; i++)
		r->slots[(pos + i) & (r->cap - 1)] = items[i];
	if (UNLIKELY(!cas_sc(&r->tail, &pos, pos + n)))
		return -EPIPE; /* the closed bit is all that can differ */
	r->sent = pos + n;
	return (ssize_t)n;
}

static inline ssize_t
ring_spsc_recv(struct ring_spsc *r, void **ret, size_t n)
{
	uint64_t pos = r->received, there = r->tail_seen - pos;

	if (UNLIKELY(there < n)) {
		uint64_t tail = load_sc(&r->tail);

		r->tail_seen = tail & ~RING_SPSC_CLOSED;
		there = r->tail_seen - pos;
		counter_max(&r->max_len, there);
		if (there == 0)
			return tail & RING_SPSC_CLOSED ? -EPIPE : -EAGAIN;
	}
	n = MIN(n, there);
	for (size_t i = 0; i < n; i++)
		ret[i] = r->slots[(pos + i) & (r->cap - 1)];
	r->received = pos + n;
	(void)swap_sc(&r->head, pos + n);
	return (ssize_t)n;
}

/** Would a call at this moment end otherwise than with -EAGAIN? */
static inline bool
ring_spsc_can_send(struct ring_spsc *r)
{
	uint64_t tail = load_sc(&r->tail);

	return (tail & RING_SPSC_CLOSED) || load_sc(&r->head) + r->cap != tail;
}

static inline bool
ring_spsc_can_recv(struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head);

	return load_sc(&r->tail) != head;
}
