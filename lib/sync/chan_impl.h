/**
 * chan_impl: what the sources of chan.h and select.h share. Nobody else includes it.
 */
#pragma once

#include "sync/chan.h"
#include "sync/chan_list.h"
#include "sync/chan_watch.h"
#include "sync/ring_mpmc.h"
#include "sync/ring_spsc.h"

enum chan_flavor { FLAVOR_MPMC, FLAVOR_SPSC, FLAVOR_LIST, FLAVOR_ZERO };

/* One direction: what its sleepers wait on. */
struct chan_side {
	struct eventcount ec;
	/* For a guess whether spinning pays, relaxed: spins in vain, one after the other, and
	 * what was sent until the last wait. */
	_Atomic uint32_t vain;
	_Atomic uint64_t sent;
	_Atomic uint32_t
		n_ends; /* counted ends; acquire and release: the last sees the others' work */
	struct counter n_waits;
	struct list watchers; /* guarded by the channel's lock */
};

/* Rendezvous. */
struct chan_zero {
	_Atomic uint32_t
		closed; /* written under the channel's lock; seq_cst, read without it too */
	struct counter n_sent;
};

struct chan {
	/* Fixed at create. */
	enum chan_flavor flavor;
	size_t max_bytes; /* SIZE_MAX: weighed, not bounded */
	size_t (*weigh)(const void *item);
	void (*drop)(void *item);
	size_t alarm_items;

	/* Set by each close, after the ring was closed; seq_cst, see note: last item. */
	_Atomic uint32_t closed;
	/* Is the event fd to be written? seq_cst: the waiter count of the bridge in note: wakeup.
	 */
	_Atomic uint32_t armed;
	struct lock lock; /* RANK_CHAN; guards event_fd (held for the write to it) and watchers */
	int event_fd;
	struct counter n_alarms, most_bytes;
	_Atomic uint32_t alarmed; /* relaxed: who flips it counts */
	/* Debug builds: an SPSC channel's two threads, by the address of a thread-local. Relaxed: a
	 * stranger is found when it finds somebody else's. */
	_Atomic uintptr_t owners[2];

	/* Under way, with `weigh`. seq_cst: a condition of sleeping senders. */
	ON_OWN_LINE _Atomic size_t bytes;
	ON_OWN_LINE struct chan_side senders;
	ON_OWN_LINE struct chan_side receivers;
	union {
		struct ring_mpmc mpmc;
		struct ring_spsc spsc;
		struct chan_list list;
		struct chan_zero zero;
	};
};

/* chan_move.c: the operations without waiting; what they announce is announced at return. */
ssize_t chan_put(struct chan *c, void *const *items, size_t n);
ssize_t chan_take(struct chan *c, void **ret, size_t n);
/* Would it end otherwise than with -EAGAIN? */
bool chan_can_put(struct chan *c, const void *item);
bool chan_can_take(struct chan *c);
/* Between the announcement of who is about to sleep and its last look (note: asymmetric,
 * ring_spsc.c). */
void chan_fence(struct chan *c);
/* chan.c: items sent ever. */
uint64_t chan_sent(const struct chan *c);
/* note: baton, for those who leave a wait without having put or taken. */
void chan_pass_on(struct chan *c, struct chan_side *side);
void chan_signal_event(struct chan *c);

/* chan_side.c: waking. */
void side_wake_one(struct chan *c, struct chan_side *side);
void side_wake_all(struct chan *c, struct chan_side *side);
void side_watch(struct chan *c, struct chan_side *side, struct chan_watcher *w);
void side_unwatch(struct chan *c, struct chan_side *side, struct chan_watcher *w);

/** Is there a waiter, and no wake-up on its way? eventcount_notify_one() does nothing otherwise. */
static inline bool
side_needs_one(const struct chan_side *side)
{
	uint32_t waiters = load_sc(&side->ec.waiters); /* N2 of note: wakeup (park.c) */

	return UNLIKELY(waiters != 0) && !(waiters & EVENTCOUNT_WAKING);
}

/** Wake one waiter that can pass it on. */
static inline void
side_notify_one(struct chan *c, struct chan_side *side)
{
	if (side_needs_one(side))
		side_wake_one(c, side);
}

/* chan_zero.c: rendezvous. */
ssize_t zero_put(struct chan *c, void *const *items, size_t n);
ssize_t zero_take(struct chan *c, void **ret, size_t n);
bool zero_close(struct chan *c);
bool zero_can(struct chan *c, struct chan_side *other);
/* true: it could be served, or the channel is closed, as it seems. */
bool zero_offer(struct chan *c, struct chan_side *side, struct chan_watcher *w);
void zero_retract(struct chan *c, struct chan_watcher *w);
