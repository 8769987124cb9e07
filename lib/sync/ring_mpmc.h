/**
 * ring_mpmc: a bounded queue of pointers for many threads on both sides, which never waits.
 *
 * D. Vyukov's ring: each slot has its own sequence number, so a slow thread holds up its own slot
 * only, and never the order of commits (a ring that commits in ticket order falls to a thirtieth of
 * its speed when one producer is preempted). Positions are 64 bits and run free.
 *
 * For position p the slot p mod cap says in `seq`
 *   2p            free, a sender may reserve p
 *   2p + 1        published, a receiver may reserve p
 *   2(p + cap)    free for the next lap
 * Who moved tail (head) past p owns the slot until it stores the next seq. The doubling is for
 * cap 1, where "published" and "free for the next lap" would be one number.
 *
 * A batch is reserved by one CAS, over slots that were seen ready; they stay so until the index
 * moves. It is published from its last slot to its first: who sees the first sees them all.
 *
 * Orders: the index CAS and the last store of seq are seq_cst, as note: wakeup (park.c) asks of
 * what sleepers re-check. The acquire and release that the items need are part of that.
 *
 * Threads: any. Errors: -EAGAIN full or empty, or its peer is preempted half way (it is given some
 *          pauses, never more); -EPIPE closed (receivers: and drained).
 */
#pragma once

#include <errno.h>

#include "sync/atomic.h"

#define RING_MPMC_CLOSED (1ull << 63) /* in tail */

struct ring_slot {
	/* seq_cst store: it publishes `item` (the other side's load pairs with it) and is the
	 * notifier's half of note: wakeup. As a sleeper re-checks the slot and not only the
	 * indices, it may sleep even while a reserved slot is still being filled: nobody ever spins
	 * on a peer that was preempted between its reservation and its publication. */
	_Atomic uint64_t seq;
	void *item; /* owned as above */
};

struct ring_mpmc {
	/* Fixed at init. */
	size_t cap;
	struct ring_slot *slots;
	uint32_t spin_max; /* pauses for a peer half way; 0 on one CPU */

	ON_OWN_LINE _Atomic uint64_t tail; /* next to send, with the closed bit; seq_cst */
	ON_OWN_LINE _Atomic uint64_t head; /* next to receive; seq_cst */
	struct counter max_len; /* looked at when full and every RING_MPMC_LOOK-th receive */
};

/* Whoever looks at the length takes the senders' line away from them, so it is not done often. */
#define RING_MPMC_LOOK 256u

/** `cap` is a power of two. -ENOMEM. */
int ring_mpmc_init(struct ring_mpmc *r, size_t cap, uint32_t spin_max);
void ring_mpmc_fini(struct ring_mpmc *r);

/** No position is reserved any more. false: it was closed before. */
bool ring_mpmc_close(struct ring_mpmc *r);

uint64_t ring_mpmc_sent(const struct ring_mpmc *r);
size_t ring_mpmc_len(const struct ring_mpmc *r);

/* What is below is inline because a move is two locked instructions, and calls were a third of its
 * cost. These are its ways off the fast path: */
size_t ring_mpmc_count_ready(struct ring_mpmc *r, uint64_t pos, size_t n, unsigned phase);
void ring_mpmc_note_len(struct ring_mpmc *r, uint64_t pos);
int ring_mpmc_why_not_free(struct ring_mpmc *r, uint64_t pos);
int ring_mpmc_why_not_published(struct ring_mpmc *r, uint64_t pos);

static inline struct ring_slot *
ring_mpmc_slot_at(const struct ring_mpmc *r, uint64_t pos)
{
	return &r->slots[pos & (r->cap - 1)];
}

/** How many of the n (>= 1) were moved, at least 1, from the front. */
static inline ssize_t
ring_mpmc_send(struct ring_mpmc *r, void *const *items, size_t n)
{
	uint64_t pos = load_sc(&r->tail);
	size_t k;

	for (;;) {
		int64_t ahead;

		if (UNLIKELY(pos & RING_MPMC_CLOSED))
			return -EPIPE;
		ahead = (int64_t)(load_sc(&ring_mpmc_slot_at(r, pos)->seq) - 2 * pos);
		if (LIKELY(ahead == 0)) {
			k = n == 1 ? 1 : ring_mpmc_count_ready(r, pos, n, 0);
			if (cas_weak_sc(&r->tail, &pos, pos + k))
				break;
			continue;
		}
		if (ahead < 0 && ring_mpmc_why_not_free(r, pos) < 0)
			return -EAGAIN;
		pos = load_sc(&r->tail); /* others were quicker */
	}
	for (size_t i = k - 1; i > 0; i--) {
		ring_mpmc_slot_at(r, pos + i)->item = items[i];
		store_rel(&ring_mpmc_slot_at(r, pos + i)->seq, 2 * (pos + i) + 1);
	}
	ring_mpmc_slot_at(r, pos)->item = items[0];
	store_sc(&ring_mpmc_slot_at(r, pos)->seq, 2 * pos + 1);
	return (ssize_t)k;
}

static inline ssize_t
ring_mpmc_recv(struct ring_mpmc *r, void **ret, size_t n)
{
	uint64_t pos = load_sc(&r->head);
	size_t k;

	for (;;) {
		int64_t ahead = (int64_t)(load_sc(&ring_mpmc_slot_at(r, pos)->seq) - (2 * pos + 1));

		if (LIKELY(ahead == 0)) {
			k = n == 1 ? 1 : ring_mpmc_count_ready(r, pos, n, 1);
			if (cas_weak_sc(&r->head, &pos, pos + k))
				break;
			continue;
		}
		if (ahead < 0) {
			int e = ring_mpmc_why_not_published(r, pos);

			if (e < 0)
				return e;
		}
		pos = load_sc(&r->head); /* others were quicker */
	}
	if (UNLIKELY(-pos % RING_MPMC_LOOK < k)) /* the batch passes a multiple */
		ring_mpmc_note_len(r, pos);
	for (size_t i = k - 1; i > 0; i--) {
		ret[i] = ring_mpmc_slot_at(r, pos + i)->item;
		store_rel(&ring_mpmc_slot_at(r, pos + i)->seq, 2 * (pos + i + r->cap));
	}
	ret[0] = ring_mpmc_slot_at(r, pos)->item;
	store_sc(&ring_mpmc_slot_at(r, pos)->seq, 2 * (pos + r->cap));
	return (ssize_t)k;
}

/** Would a call at this moment end otherwise than with -EAGAIN? Cheaper than calling. A slot that
 * is taken says so of its position only: the next one may be free when the tail has moved. */
static inline bool
ring_mpmc_can_send(struct ring_mpmc *r)
{
	uint64_t tail = load_sc(&r->tail), seen;

	do {
		seen = tail;
		if ((tail & RING_MPMC_CLOSED) ||
			load_sc(&ring_mpmc_slot_at(r, tail)->seq) == 2 * tail)
			return true;
		tail = load_sc(&r->tail);
	} while (UNLIKELY(tail != seen));
	return false;
}

static inline bool
ring_mpmc_can_recv(struct ring_mpmc *r)
{
	uint64_t head = load_sc(&r->head);

	return load_sc(&ring_mpmc_slot_at(r, head)->seq) == 2 * head + 1 ||
	       load_sc(&r->tail) == (head | RING_MPMC_CLOSED);
}
