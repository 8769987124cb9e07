/**
 * ring_spsc: a bounded queue of pointers from one thread to one other, which never waits.
 *
 * Each side knows its own index without asking, and keeps a copy of the other's that it renews only
 * when the ring looks full (empty) by it: the two threads meet on a line once a lap, not once an
 * item.
 *
 * Orders: the store of an index publishes the slots before it (release; the peer's renewal
 * acquires), and it is what a notifier does before it looks for sleepers (N1 of note: wakeup,
 * park.c). Where the kernel has membarrier it is a plain store, and who is about to sleep calls
 * ring_spsc_fence() between its announcement and its last look (note: asymmetric); elsewhere it is
 * a seq_cst exchange, and the fence is nothing.
 *
 * Threads: one sender, one receiver; close, can_*, sent, len and fence from any.
 * Errors:  -EAGAIN full or empty; -EPIPE closed (the receiver: and drained).
 */
#pragma once

#include <errno.h>

#include "sync/membarrier.h"

/* In end. Positions never come so far. */
#define RING_SPSC_OPEN UINT64_MAX
#define RING_SPSC_CLOSING (UINT64_MAX - 1)

struct ring_spsc {
	/* Fixed at init. */
	size_t cap;
	void **slots;
	bool asymmetric;
	/* How many were sent in the end; seq_cst, see note: end. */
	_Atomic uint64_t end;

	/* The sender's: next to send (past `end`: of a send that failed); the same in plain, for a
	 * load from a word that was just written costs more; and what it knows of head. */
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

/** Between the announcement of who is about to sleep and its last look. */
void ring_spsc_fence(const struct ring_spsc *r);

uint64_t ring_spsc_sent(const struct ring_spsc *r);
size_t ring_spsc_len(const struct ring_spsc *r);

/* What is below is inline because a move is a few plain instructions, and calls cost as much. These
 * are its ways off the fast path: */
uint64_t ring_spsc_renew_tail(struct ring_spsc *r);
bool ring_spsc_came_before_end(struct ring_spsc *r, uint64_t tail);

static inline void
ring_spsc_publish(struct ring_spsc *r, _Atomic uint64_t *index, uint64_t v)
{
	if (LIKELY(r->asymmetric))
		membarrier_store(index, v);
	else
		(void)swap_sc(index, v);
}

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
			return load_sc(&r->end) == RING_SPSC_OPEN ? -EAGAIN : -EPIPE;
	}
	n = MIN(n, room);
	for (size_t i = 0; i < n; i++)
		r->slots[(pos + i) & (r->cap - 1)] = items[i];
	ring_spsc_publish(r, &r->tail, pos + n);            /* E1 */
	if (UNLIKELY(load_sc(&r->end) != RING_SPSC_OPEN) && /* E2 */
		!ring_spsc_came_before_end(r, pos + n))
		return -EPIPE;
	r->sent = pos + n;
	return (ssize_t)n;
}

static inline ssize_t
ring_spsc_recv(struct ring_spsc *r, void **ret, size_t n)
{
	uint64_t pos = r->received, there = r->tail_seen - pos;

	if (UNLIKELY(there < n)) {
		r->tail_seen = ring_spsc_renew_tail(r);
		there = r->tail_seen - pos;
		counter_max(&r->max_len, there);
		if (there == 0)
			return load_sc(&r->end) == pos ? -EPIPE : -EAGAIN;
	}
	n = MIN(n, there);
	for (size_t i = 0; i < n; i++)
		ret[i] = r->slots[(pos + i) & (r->cap - 1)];
	r->received = pos + n;
	ring_spsc_publish(r, &r->head, pos + n);
	return (ssize_t)n;
}

/** Would a call at this moment end otherwise than with -EAGAIN? */
static inline bool
ring_spsc_can_send(struct ring_spsc *r)
{
	uint64_t tail = load_sc(&r->tail);

	return load_sc(&r->head) + r->cap != tail || load_sc(&r->end) != RING_SPSC_OPEN;
}

static inline bool
ring_spsc_can_recv(struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head);

	return load_sc(&r->tail) != head || load_sc(&r->end) != RING_SPSC_OPEN;
}
