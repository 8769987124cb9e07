/**
 * future: a result that is set once, and waited for.
 *
 * The producer calls future_set() exactly once; consumers wait, look, or register one continuation.
 * Cancelling is a wish: the producer asks future_cancelled() and still sets, perhaps -ECANCELED.
 *
 * A continuation runs exactly once, after the set: without a channel on the thread that sets (or
 * registers, when that came later); with one, the future itself is sent through it and whoever
 * receives it calls future_run(). So on an event loop that receives from the channel (chan_arm())
 * it always runs on the loop's thread.
 *
 * Ownership: caller's storage, nothing is allocated and there is no fini. It stays until the future
 *            is set and every wait has returned; with a continuation, until that was called.
 *            future_set() touches it no more then. A wait that failed ends nothing: the producer
 *            still has it. The result's pointer is the producer's gift to whoever takes the result.
 * Threads:   one producer; any number wait or cancel; one registers.
 * Errors:    waits: -ECANCELED the token fired, -ETIMEDOUT; a result that is there wins over both.
 *            No ranked lock may be held in a wait.
 */
#pragma once

#include "sync/chan.h"

struct future {
	/* enum future_state in future.c. Every write is an acquire-release read-modify-write: it
	 * publishes `value`, `ptr` or the continuation to whoever reads the bit with acquire. */
	_Atomic uint32_t state;

	/* The producer's before FUTURE_SET, constant after. */
	int value;
	void *ptr;

	/* The registering thread's before FUTURE_THEN, constant after. */
	void (*fn)(struct future *f, void *arg);
	void *arg;
	struct chan *loop;
};

void future_init(struct future *f);

/** Once. Wakes everybody; with a continuation that has a channel, waits while that is full. */
void future_set(struct future *f, int value, void *ptr);
bool future_cancelled(const struct future *f);

bool future_is_set(const struct future *f);
/** 0 and the result (either may be NULL), or -ECANCELED; `stop` may be NULL. */
int future_wait(struct future *f, struct stop *stop, int *ret_value, void **ret_ptr);
int future_wait_until(
	struct future *f, struct stop *stop, usec_t deadline, int *ret_value, void **ret_ptr);
void future_cancel(struct future *f);

/** Register the continuation. `loop` may be NULL; it is bounded, for sends to it must not fail.
 * When it is closed the continuation is not called: who closes a loop's channel waits for the
 * futures that were bound to it. */
void future_then(
	struct future *f, struct chan *loop, void (*fn)(struct future *f, void *arg), void *arg);
/** What the loop calls with a future that it received. */
void future_run(struct future *f);
