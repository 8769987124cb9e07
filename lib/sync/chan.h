/**
 * chan: channels of pointers, many senders and many receivers, with close.
 *
 * One blocking layer over four ways to keep what is under way:
 *   bounded     a ring of slots, each with its own sequence number (ring_mpmc.h): the default
 *   SPSC        a ring with one writer of each index (ring_spsc.h): one sender, one receiver
 *   rendezvous  nothing is kept (cap 0): a send ends when its item was received
 *   unbounded   a list of segments (chan_list.h): for what must never wait; watch its alarm
 * A full channel slows its sender; it never drops. Items of one sender are received in the order
 * they were sent. Not a broadcast: each item goes to one receiver.
 *
 * Close: after chan_close() every send fails with -EPIPE and keeps its item; receivers still get
 * all that was sent before, then -EPIPE. Ends may be counted: the last sender dropped closes; the
 * last receiver dropped closes too and hands what nobody received to `drop`.
 *
 * Bytes: with `weigh` and `max_bytes` a send also waits while the items under way weigh too much;
 * an item heavier than the whole bound passes when it is alone. The items' weights may not change
 * on the way. Light items may overtake a sender whose heavy one does not fit yet.
 *
 * Ownership: an item belongs to the channel from a successful send to the receive.
 *            chan_destroy() hands what is left to `drop` (may be NULL); senders and receivers must
 *            be gone by then.
 * Threads:   any number on both sides; an SPSC channel belongs to one sending and one receiving
 *            thread (debug builds abort on another), save that any thread may close.
 * Errors:    -EPIPE closed (receivers: closed and drained), -ECANCELED the token fired, -EAGAIN a
 *            try found it full or empty, -ETIMEDOUT; -ENOMEM only from sends to an unbounded one.
 * Blocking:  chan_try_*(), chan_close() and chan_arm() never wait for another's progress: where a
 *            peer was preempted half way they say -EAGAIN. (Unbounded and rendezvous channels have
 *            short locks, which they take.) The others sleep; no lock may be held.
 */
#pragma once

#include "sync/park.h"
#include "sync/stop.h"

struct chan;

#define CHAN_UNBOUNDED SIZE_MAX

enum chan_kind { CHAN_MPMC, CHAN_SPSC };

struct chan_opts {
	/* Items: rounded up to a power of two (1 is exact); 0 rendezvous; CHAN_UNBOUNDED. */
	size_t cap;
	enum chan_kind kind;      /* CHAN_SPSC: a ring, cap >= 1 */
	void (*drop)(void *item); /* may be NULL */
	size_t max_bytes;         /* 0: not bounded in bytes; asks for `weigh` and for cap > 0 */
	size_t (*weigh)(const void *item);
	size_t alarm_items; /* unbounded: n_alarms counts how often so much was reached */
	unsigned n_senders, n_receivers; /* counted ends that exist from the start */
};

/** -ENOMEM, -EINVAL (options that do not go together). */
int chan_create_with(const struct chan_opts *opts, struct chan **ret);
/** The default kind with `cap` items. NULL: out of memory. */
struct chan *chan_create(size_t cap, void (*drop)(void *item));
void chan_destroy(struct chan *c); /* NULL is legal */

int chan_send(struct chan *c, void *item, struct stop *stop);
int chan_try_send(struct chan *c, void *item);
int chan_send_until(struct chan *c, void *item, struct stop *stop, usec_t deadline);

int chan_recv(struct chan *c, void **ret, struct stop *stop);
int chan_try_recv(struct chan *c, void **ret);
int chan_recv_until(struct chan *c, void **ret, struct stop *stop, usec_t deadline);

/**
 * Batches: wait until one item can go, then move as many of the n (>= 1) as go at once, for the
 * price of one reservation and one wake-up. Returns how many, from the front; or -errno with none
 * moved.
 */
ssize_t chan_try_send_many(struct chan *c, void *const *items, size_t n);
ssize_t chan_send_many(
	struct chan *c, void *const *items, size_t n, struct stop *stop, usec_t deadline);
ssize_t chan_try_recv_many(struct chan *c, void **ret, size_t n);
ssize_t chan_recv_many(struct chan *c, void **ret, size_t n, struct stop *stop, usec_t deadline);

/** Idempotent; wakes everybody. */
void chan_close(struct chan *c);

/** Counted ends. Add while an end of that side, or the creator, still holds the channel open. */
void chan_add_sender(struct chan *c);
void chan_add_receiver(struct chan *c);
/** The last one closes. */
void chan_drop_sender(struct chan *c);
/** The last one closes and drops what is left; it sleeps while a send is in its last step. */
void chan_drop_receiver(struct chan *c);

/** A moment's value, for statistics. */
size_t chan_len(const struct chan *c);
struct chan_stats {
	uint64_t n_sent, n_send_waits, n_recv_waits; /* waits: how often somebody went to sleep */
	/* Most ever queued. Exact where a send ever found it full and for unbounded channels; else
	 * looked at now and then (bounded: every 256th receive). */
	uint64_t max_len;
	uint64_t n_alarms;          /* how often alarm_items was reached from below half of it */
	uint64_t bytes, most_bytes; /* under way now, most ever; 0 without max_bytes */
};
void chan_get_stats(const struct chan *c, struct chan_stats *ret);

/**
 * The bridge to an event loop: `fd` (an eventfd of the receiver, or -1 to unhook) is written once
 * when an item arrives, or the channel closes, while the receiver has armed it.
 *
 * The loop: on readable, chan_disarm(), chan_try_recv() until -EAGAIN, then chan_arm(); when
 * chan_arm() returns true something arrived in between: go on receiving instead of sleeping. So no
 * wake-up is lost, and a busy loop costs no write at all. One receiver only.
 */
void chan_set_event_fd(struct chan *c, int fd);
bool chan_arm(struct chan *c);
void chan_disarm(struct chan *c);
/** Waits awake for an item, disarmed, about as long as to sleep and to be woken would take, or less
 *  where that was in vain (spin.h): is there one? */
bool chan_look(struct chan *c);
