/**
 * chan_watch: a thread that waits for several things at once, and how a channel wakes it.
 *
 * The thread's `party` is one word to sleep on. Each channel that it waits for holds a watcher
 * that names the party: on a ring it only asks to be woken; on a rendezvous channel it is an offer
 * that the other side may claim.
 *
 * Ownership: on the waiting thread's stack, from watch to the end of unwatch.
 * Threads:   a party sleeps on its own thread; any thread wakes it under the lock of a channel that
 *            it watches (which keeps it alive).
 */
#pragma once

#include "base/list.h"
#include "sync/park.h"

struct chan_party {
	/* Advanced by 2 by each wake-up; PARTY_ASLEEP in bit 0. seq_cst: note: select. */
	_Atomic uint32_t word;
	/* 0: offers may be claimed; PARTY_SHUT: they may not; else the claimed watcher's arm + 1.
	 * CAS, acquire and release: who wins owns the outcome of the wait. */
	_Atomic uint32_t claimed;
};

#define PARTY_ASLEEP 1u
#define PARTY_SHUT UINT32_MAX

struct chan_watcher {
	struct list link; /* in chan_side.watchers, guarded by the channel's lock; or unlinked */
	struct chan_party *party;
	uint32_t arm;
	void *item; /* an offer's: to send, or received by the claim; guarded likewise */
};

/** Look up to `n_looks` times (spin.h), then sleep, until the word is no longer `key`: 0 it did not
 *  come to a sleep, 1 woken, -ETIMEDOUT. */
int party_wait(struct chan_party *p, uint32_t key, unsigned n_looks, usec_t deadline);
/** Advance the word. Whether the sleeper needs a party_rouse(), which may come when the party is
 *  gone. */
bool party_touch(struct chan_party *p);
void party_rouse(struct chan_party *p);
/** Both, on a party that stays alive. */
void party_wake(struct chan_party *p);
/** Claim an offer. */
bool party_claim(struct chan_watcher *w);
