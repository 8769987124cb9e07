#include "sync/future.h"

#include <errno.h>

enum future_state {
	FUTURE_SET = 1u << 0,
	FUTURE_CANCELLED = 1u << 1,
	FUTURE_WAITED = 1u << 2, /* somebody sleeps, or is about to */
	FUTURE_THEN = 1u << 3,   /* there is a continuation */
	FUTURE_KICK = 1u << 4,   /* added by a token that fires; the bits above count, and wrap */
};

void
future_init(struct future *f)
{
	*f = (struct future){0};
}

bool
future_is_set(const struct future *f)
{
	return load_acq(&f->state) & FUTURE_SET;
}

/* Acquire: what was written before the wish is seen by the producer that heeds it. */
bool
future_cancelled(const struct future *f)
{
	return load_acq(&f->state) & FUTURE_CANCELLED;
}

void
future_cancel(struct future *f)
{
	(void)or_ar(&f->state, FUTURE_CANCELLED);
}

void
future_run(struct future *f)
{
	assert(future_is_set(f));
	f->fn(f, f->arg);
}

/* -EPIPE: the loop is gone, and with it who would have been told. */
static void
deliver(struct future *f)
{
	if (f->loop)
		(void)chan_send(f->loop, f, NULL);
	else
		future_run(f);
}

/*
 * note: last touch. All bits live in one word, so its changes have one order. Of set and then
 * exactly one comes second, sees the other's bit, and delivers; the storage waits for that call.
 * Without a continuation the setting `or` is the last access to the storage: a waiter may see it
 * and give the storage up before park_wake(), which uses the address only as a name (park.c). A
 * sleeper marks the word before it sleeps on the marked value, so either `before` shows the mark or
 * the kernel finds the word changed.
 */
void
future_set(struct future *f, int value, void *ptr)
{
	uint32_t before;

	f->value = value;
	f->ptr = ptr;
	before = or_ar(&f->state, FUTURE_SET);
	assert(!(before & FUTURE_SET));
	if (before & FUTURE_WAITED)
		park_wake(&f->state, UINT32_MAX);
	if (before & FUTURE_THEN)
		deliver(f);
}

void
future_then(struct future *f, struct chan *loop, void (*fn)(struct future *f, void *arg), void *arg)
{
	uint32_t before;

	f->fn = fn;
	f->arg = arg;
	f->loop = loop;
	before = or_ar(&f->state, FUTURE_THEN);
	assert(!(before & FUTURE_THEN));
	if (before & FUTURE_SET)
		deliver(f);
}

/* The word changes, so that a waiter between its look at the token and its sleep does not sleep. */
static void
kick(void *arg)
{
	struct future *f = arg;

	(void)add_ar(&f->state, FUTURE_KICK);
	park_wake(&f->state, UINT32_MAX);
}

static int
sleep_until_set(struct future *f, const struct stop *stop, usec_t deadline)
{
	uint32_t seen = load_acq(&f->state);
	int r = 0;

	for (; !(seen & FUTURE_SET); seen = load_acq(&f->state)) {
		if (stop_requested(stop))
			return -ECANCELED;
		if (r == -ETIMEDOUT)
			return r;
		if (!(seen & FUTURE_WAITED) && !cas_weak_ar(&f->state, &seen, seen | FUTURE_WAITED))
			continue;
		r = park_wait(&f->state, seen | FUTURE_WAITED, deadline);
	}
	return 0;
}

int
future_wait_until(
	struct future *f, struct stop *stop, usec_t deadline, int *ret_value, void **ret_ptr)
{
	struct stop_waiter waiter = {.wake = kick, .arg = f};
	int r = 0;

	lock_assert_none();
	if (!future_is_set(f)) {
		stop_add(stop, &waiter);
		r = sleep_until_set(f, stop, deadline);
		stop_remove(stop, &waiter);
	}
	if (r == 0 && ret_value)
		*ret_value = f->value;
	if (r == 0 && ret_ptr)
		*ret_ptr = f->ptr;
	return r;
}

int
future_wait(struct future *f, struct stop *stop, int *ret_value, void **ret_ptr)
{
	return future_wait_until(f, stop, USEC_NEVER, ret_value, ret_ptr);
}
