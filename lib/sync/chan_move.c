#include "sync/chan_impl.h"

#include <errno.h>
#include <unistd.h>

/* The event fd is written under the lock, so that it is not closed, and its number reused, between
 * a sender's look and its write. An eventfd does not block here: its count is at most one. */
static void
write_event(struct chan *c)
{
	uint64_t one = 1;

	LOCK_SCOPE(&c->lock);
	if (swap_sc(&c->armed, 0) && c->event_fd >= 0)
		(void)!write(c->event_fd, &one, sizeof(one));
}

void
chan_signal_event(struct chan *c)
{
	if (UNLIKELY(load_sc(&c->armed) != 0))
		write_event(c);
}

/* note: baton. A wake-up is spent on one sleeper. It must not be lost when that one could not use
 * it: it was woken for position p + 1 while p was still in the hands of a slow peer, or it chose
 * another arm of its select. So whoever puts or takes, and whoever leaves a wait without, wakes
 * another when the next position is ready too. By induction over the positions the ready one next
 * in line has a wake-up on its way, or somebody who is not asleep and will look at it. seq_cst
 * loads, after what the caller did (W2 for the one that slept: note: leave, park.c).
 *
 * Senders of a channel with weights need none: whether one can go depends on its own item, so every
 * receive wakes them all. */
void
chan_pass_on(struct chan *c, struct chan_side *side)
{
	if (!side_needs_one(side))
		return;
	if (side == &c->receivers ? chan_can_take(c) : !c->weigh && chan_can_put(c, NULL))
		side_wake_one(c, side);
}

void
chan_fence(struct chan *c)
{
	if (c->flavor == FLAVOR_SPSC)
		ring_spsc_fence(&c->spsc);
}

/* Nobody but one thread may be at an end of an SPSC channel. */
static void
check_owner(struct chan *c, int end)
{
#if TRAWL_DEBUG
	static _Thread_local char self;
	uintptr_t none = 0;

	assert(c->flavor != FLAVOR_SPSC || cas_ar(&c->owners[end], &none, (uintptr_t)&self) ||
		none == (uintptr_t)&self);
#else
	(void)c;
	(void)end;
#endif
}

static inline ssize_t
put_any(struct chan *c, void *const *items, size_t n)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_send(&c->mpmc, items, n);
	case FLAVOR_SPSC:
		return ring_spsc_send(&c->spsc, items, n);
	case FLAVOR_LIST:
		return chan_list_send(&c->list, items, n);
	case FLAVOR_ZERO:
		return zero_put(c, items, n);
	}
	return -EINVAL;
}

static inline ssize_t
take_any(struct chan *c, void **ret, size_t n)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_recv(&c->mpmc, ret, n);
	case FLAVOR_SPSC:
		return ring_spsc_recv(&c->spsc, ret, n);
	case FLAVOR_LIST:
		return chan_list_recv(&c->list, ret, n);
	case FLAVOR_ZERO:
		return zero_take(c, ret, n);
	}
	return -EINVAL;
}

static size_t
weigh_all(struct chan *c, void *const *items, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += c->weigh(items[i]);
	return sum;
}

static bool
bytes_fit(struct chan *c, size_t bytes, size_t more)
{
	return bytes == 0 || (bytes <= c->max_bytes && more <= c->max_bytes - bytes);
}

/* Reserve the weight of as many of the items as fit, at least one: how many. An item heavier than
 * the bound fits when nothing else is there. */
static ssize_t
bytes_reserve(struct chan *c, void *const *items, size_t n)
{
	size_t seen = load_sc(&c->bytes), sum, k;

	do {
		sum = 0;
		for (k = 0; k < n; k++) {
			size_t more = c->weigh(items[k]);

			if (!bytes_fit(c, seen + sum, more))
				break;
			sum += more;
		}
		if (k == 0)
			return -EAGAIN;
	} while (!cas_weak_sc(&c->bytes, &seen, seen + sum));
	counter_max(&c->most_bytes, seen + sum);
	return (ssize_t)k;
}

/* Whoever slept because of these bytes is told, also when they were only reserved in vain. */
static void
bytes_return(struct chan *c, size_t n)
{
	(void)sub_sc(&c->bytes, n);
	if (UNLIKELY(load_sc(&c->senders.ec.waiters) != 0))
		side_wake_all(c, &c->senders);
}

static bool
has_slot(struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_can_send(&c->mpmc);
	case FLAVOR_SPSC:
		return ring_spsc_can_send(&c->spsc);
	case FLAVOR_LIST:
		return true;
	case FLAVOR_ZERO:
		return zero_can(c, &c->receivers);
	}
	return true;
}

/* Bytes that are reserved while there is no slot for them would wake every sender when they are
 * returned, and first of all the one that is about to sleep: it would never come to it. */
static ssize_t
put_weighed(struct chan *c, void *const *items, size_t n)
{
	ssize_t k, r;

	if (!has_slot(c))
		return -EAGAIN;
	k = bytes_reserve(c, items, n);
	if (k < 0)
		return load_sc(&c->closed) ? -EPIPE : k;
	r = put_any(c, items, (size_t)k);
	if (r < k) {
		size_t sent = r < 0 ? 0 : (size_t)r;

		bytes_return(c, weigh_all(c, items + sent, (size_t)k - sent));
	}
	return r;
}

static void
raise_alarm(struct chan *c)
{
	if (chan_len(c) >= c->alarm_items && !load_rlx(&c->alarmed) && !swap_rlx(&c->alarmed, 1))
		counter_add(&c->n_alarms, 1);
}

static void
lower_alarm(struct chan *c)
{
	if (load_rlx(&c->alarmed) && chan_len(c) < c->alarm_items / 2)
		store_rlx(&c->alarmed, 0);
}

static inline ssize_t
put(struct chan *c, void *const *items, size_t n)
{
	ssize_t r;

	check_owner(c, 0);
	r = c->weigh ? put_weighed(c, items, n) : put_any(c, items, n);
	if (UNLIKELY(r < 0))
		return r;
	side_notify_one(c, &c->receivers);
	chan_signal_event(c);
	if (c->flavor == FLAVOR_SPSC)
		return r; /* nobody else waits on this side */
	chan_pass_on(c, &c->senders);
	if (c->alarm_items > 0)
		raise_alarm(c);
	return r;
}

/* note: last item. After close the receiver of the last item must wake those who sleep because it
 * was still being sent: nobody else will. `closed` is a word of its own that is only read here,
 * because the tail's line belongs to the senders. If this load misses it, close() comes later and
 * its own wake-up reaches them. */
static void
pass_end(struct chan *c)
{
	if (UNLIKELY(load_sc(&c->closed)))
		side_wake_all(c, &c->receivers);
}

static inline ssize_t
take(struct chan *c, void **ret, size_t n)
{
	ssize_t r;

	check_owner(c, 1);
	r = take_any(c, ret, n);
	if (UNLIKELY(r < 0))
		return r;
	if (c->weigh)
		bytes_return(c, weigh_all(c, ret, (size_t)r));
	else
		side_notify_one(c, &c->senders);
	if (c->flavor == FLAVOR_SPSC)
		return r;
	chan_pass_on(c, &c->receivers);
	pass_end(c);
	if (c->alarm_items > 0)
		lower_alarm(c);
	return r;
}

/* One item is the common case, for which the compiler leaves the loops out. */
ssize_t
chan_put(struct chan *c, void *const *items, size_t n)
{
	return n == 1 ? put(c, items, 1) : put(c, items, n);
}

ssize_t
chan_take(struct chan *c, void **ret, size_t n)
{
	return n == 1 ? take(c, ret, 1) : take(c, ret, n);
}

bool
chan_can_put(struct chan *c, const void *item)
{
	if (c->weigh && !bytes_fit(c, load_sc(&c->bytes), c->weigh(item)) && !load_sc(&c->closed))
		return false;
	return has_slot(c);
}

bool
chan_can_take(struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_can_recv(&c->mpmc);
	case FLAVOR_SPSC:
		return ring_spsc_can_recv(&c->spsc);
	case FLAVOR_LIST:
		return chan_list_can_recv(&c->list);
	case FLAVOR_ZERO:
		return zero_can(c, &c->senders);
	}
	return true;
}
