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

#include "sync/atomic.h"

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
};

/** `cap` is a power of two. -ENOMEM. */
int ring_mpmc_init(struct ring_mpmc *r, size_t cap, uint32_t spin_max);
void ring_mpmc_fini(struct ring_mpmc *r);

/** How many of the n (>= 1) were moved, at least 1, from the front. */
ssize_t ring_mpmc_send(struct ring_mpmc *r, void *const *items, size_t n);
ssize_t ring_mpmc_recv(struct ring_mpmc *r, void **ret, size_t n);
/** No position is reserved any more. false: it was closed before. */
bool ring_mpmc_close(struct ring_mpmc *r);

/** Would a call at this moment end otherwise than with -EAGAIN? Cheaper than calling. */
bool ring_mpmc_can_send(struct ring_mpmc *r);
bool ring_mpmc_can_recv(struct ring_mpmc *r);
uint64_t ring_mpmc_sent(const struct ring_mpmc *r);
size_t ring_mpmc_len(const struct ring_mpmc *r);
