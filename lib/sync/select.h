/**
 * select: wait for several channels and clocks at once; exactly one arm fires.
 *
 *     struct select_arm arms[] = {select_recv(control), select_recv(work), select_tick(&second)};
 *     int i = select_until(arms, 3, SELECT_FAIR, stop, USEC_NEVER);
 *
 * An arm is ready when its operation would not wait. A closed channel makes its arm fire with
 * result -EPIPE: take the arm out (select_never()) or it fires again and again.
 *
 * SELECT_FAIR begins to look at a random arm. SELECT_BIASED fires the first ready one: an arm that
 * is always ready starves those after it, for there is no ageing; give a starved arm a turn of its
 * own (select_try() on it, or a fair call every so often) where that matters.
 *
 * A thread in select sleeps on one word of its own; each channel knows it as a watcher (note:
 * select in select.c). A select and plain calls may wait on the same channel.
 *
 * Ownership: the arms are the caller's; an item to send is the caller's until its arm fires with 0.
 * Threads:   as the channels'. May hold no lock.
 * Errors:    -ECANCELED the token fired, -ETIMEDOUT; select_try(): -EAGAIN no arm is ready.
 */
#pragma once

#include "sync/chan.h"

#define SELECT_MAX 64u

enum select_kind { SELECT_RECV, SELECT_SEND, SELECT_AFTER, SELECT_TICK, SELECT_NEVER };
enum select_order { SELECT_FAIR, SELECT_BIASED };

/** A clock with an absolute schedule: ticks are due at start + k * period, however late one is
 *  taken. One thread at a time. */
struct ticker {
	usec_t next, period;
	uint64_t n_due; /* ticks that the last firing stood for: more than 1 after a delay */
};

struct select_arm {
	enum select_kind kind;
	struct chan *chan;
	void *item; /* SELECT_SEND: to send; SELECT_RECV: received */
	usec_t at;  /* SELECT_AFTER */
	struct ticker *ticker;
	int result; /* of the arm that fired: 0 or -EPIPE (unbounded channels: -ENOMEM) */
};

static inline struct select_arm
select_recv(struct chan *c)
{
	return (struct select_arm){.kind = SELECT_RECV, .chan = c};
}

static inline struct select_arm
select_send(struct chan *c, void *item)
{
	return (struct select_arm){.kind = SELECT_SEND, .chan = c, .item = item};
}

/** Ready from `at` (monotonic clock) on, at every call. */
static inline struct select_arm
select_after(usec_t at)
{
	return (struct select_arm){.kind = SELECT_AFTER, .at = at};
}

static inline struct select_arm
select_tick(struct ticker *t)
{
	return (struct select_arm){.kind = SELECT_TICK, .ticker = t};
}

static inline struct select_arm
select_never(void)
{
	return (struct select_arm){.kind = SELECT_NEVER};
}

/** The first tick is due one period (> 0) from now. */
void ticker_init(struct ticker *t, usec_t period);

/** The index of the arm that fired; n <= SELECT_MAX, 0 is legal (sleeps until told). */
int select_until(struct select_arm *arms, unsigned n, enum select_order order, struct stop *stop,
	usec_t deadline);
int select_try(struct select_arm *arms, unsigned n, enum select_order order);
