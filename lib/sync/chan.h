/**
 * chan: a bounded channel of pointers, many senders and many receivers, with close.
 *
 * A ring of slots, each with its own sequence number (D. Vyukov's bounded MPMC queue), and two
 * eventcounts on which the slow paths sleep. A full channel slows its sender; it never drops and
 * never grows. Items of one sender are received in the order they were sent.
 *
 * Close: after chan_close() every send fails with -EPIPE and keeps its item; receivers still get
 * all that was sent before, then -EPIPE.
 *
 * Ownership: an item belongs to the channel from a successful send to the receive. chan_destroy()
 * hands what is left to `drop` (may be NULL). Senders and receivers must be gone by then. Threads:
 * any number on both sides. Errors:    -EPIPE closed (receivers: closed and drained), -ECANCELED
 * the token fired, -EAGAIN try found it full or empty, -ETIMEDOUT. Never -ENOMEM after create.
 */
#pragma once

#include "sync/park.h"
#include "sync/stop.h"

struct chan;

/** `cap` is rounded up to a power of two, at least 2. NULL: out of memory. */
struct chan *chan_create(size_t cap, void (*drop)(void *item));
void chan_destroy(struct chan *c); /* NULL is legal */

int chan_send(struct chan *c, void *item, struct stop *stop);
int chan_try_send(struct chan *c, void *item);
int chan_send_until(struct chan *c, void *item, struct stop *stop, usec_t deadline);

int chan_recv(struct chan *c, void **ret, struct stop *stop);
int chan_try_recv(struct chan *c, void **ret);
int chan_recv_until(struct chan *c, void **ret, struct stop *stop, usec_t deadline);

/** Idempotent; wakes everybody. */
void chan_close(struct chan *c);

/** A moment's value, for statistics. */
size_t chan_len(const struct chan *c);
struct chan_stats {
	uint64_t n_sent, n_send_waits, n_recv_waits; /* waits: how often somebody went to sleep */
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
