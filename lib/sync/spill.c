#include "sync/spill_impl.h"

#include <errno.h>
#include <unistd.h>

#include "sync/spin.h"

/* As in chan.c: written under the lock, so that the descriptor is not closed and its number reused
 * between a look and the write. */
static void
bridge_signal(struct spill *c)
{
	uint64_t one = 1;

	if (LIKELY(load_sc(&c->armed) == 0))
		return;
	LOCK_SCOPE(&c->log);
	if (swap_sc(&c->armed, 0) && c->event_fd >= 0)
		(void)!write(c->event_fd, &one, sizeof(one));
}

static void
announce(struct spill *c)
{
	eventcount_notify_one(&c->receivers);
	bridge_signal(c);
}

/* In memory while it has room and nothing is waiting on disk (note: sides). */
static int
place(struct spill *c, const void *record, size_t len)
{
	uint64_t number = load_rlx(&c->next);
	int r = -EAGAIN;

	if (!load_sc(&c->spilling))
		r = spill_ring_put(&c->ring, number, record, len);
	if (r == -EAGAIN)
		r = spill_log_send(c, number, record, len);
	if (r == 0)
		store_rlx(&c->next, number + 1);
	else
		counter_add(&c->n_refused, 1);
	return r;
}

static int
send_in_turn(struct spill *c, const void *record, size_t len)
{
	LOCK_SCOPE(&c->send);

	return load_rlx(&c->closed) ? -EPIPE : place(c, record, len);
}

int
spill_send(struct spill *c, const void *record, size_t len)
{
	int r;

	if (len > SPILL_RECORD_MAX_BYTES) {
		counter_add(&c->n_refused, 1);
		return -EMSGSIZE;
	}
	r = send_in_turn(c, record, len);
	if (r == 0)
		announce(c);
	return r;
}

static void
set_closed(struct spill *c)
{
	LOCK_SCOPE(&c->send);

	store_sc(&c->closed, 1);
}

void
spill_close(struct spill *c)
{
	set_closed(c);
	eventcount_notify(&c->receivers, UINT32_MAX);
	bridge_signal(c);
}

static struct span
next_of_payload(struct spill_cursor *cur)
{
	struct span s = spill_record_at(cur->at);

	cur->at = (const unsigned char *)s.data + s.len;
	cur->number++;
	return s;
}

/* Numbers in the ring go on from what was received last, but for records lost on disk before it. */
static struct span
next_of_ring(struct spill *c)
{
	struct spill_cursor *cur = &c->cursor;
	uint32_t low;
	struct span s = spill_ring_get(&c->ring, &low);

	cur->number += (uint32_t)(low - (uint32_t)cur->number) + 1ull;
	return s;
}

/* The next record that costs nothing and leaves those lent out alone. */
static bool
take_ready(struct spill *c, struct span *ret)
{
	if (c->cursor.at != c->cursor.end)
		*ret = next_of_payload(&c->cursor);
	else if (spill_ring_ready(&c->ring))
		*ret = next_of_ring(c);
	else
		return false;
	counter_add(&c->n_received, 1);
	return true;
}

/* A look that is wrong only for a moment: what is announced is announced after it is there. */
static bool
looks_ready(struct spill *c)
{
	return c->cursor.at != c->cursor.end || spill_ring_ready(&c->ring) || load_sc(&c->spilling);
}

/* `closed` before the last look at the rest: senders set it after all else. The ring after
 * `spilling`: note: sides. */
static int
take(struct spill *c, struct span *ret)
{
	while (!take_ready(c, ret)) {
		bool closed = load_sc(&c->closed), spilling = load_sc(&c->spilling);
		int r;

		if (spill_ring_ready(&c->ring))
			continue;
		if (!spilling)
			return closed ? -EPIPE : -EAGAIN;
		r = spill_read_next(c);
		if (r < 0)
			return r;
	}
	return 0;
}

static void
begin_receive(struct spill *c)
{
	if ((c->opts.flags & SPILL_AUTO_ACK) && load_rlx(&c->acked) != c->cursor.number)
		(void)spill_read_ack(c, false);
}

int
spill_try_recv(struct spill *c, struct span *ret)
{
	begin_receive(c);
	return take(c, ret);
}

static int
take_spinning(struct spill *c, struct span *ret)
{
	unsigned n = spin_looks(c->vain);
	int r = take(c, ret);

	if (r != -EAGAIN || n == 0)
		return r;
	for (unsigned i = 0; i < n && r == -EAGAIN; i++) {
		spin_rest(i);
		if (looks_ready(c))
			r = take(c, ret);
	}
	c->vain = r == -EAGAIN ? c->vain + 1 : 0;
	return r;
}

static int
take_sleeping(struct spill *c, struct span *ret, struct stop *stop, usec_t deadline)
{
	uint32_t key;
	int r;

	eventcount_prepare(&c->receivers, &key);
	r = take(c, ret);
	if (r == -EAGAIN && stop_requested(stop))
		r = -ECANCELED;
	if (r != -EAGAIN) {
		eventcount_cancel(&c->receivers);
		return r;
	}
	if (eventcount_wait(&c->receivers, key, deadline) < 0) {
		r = take(c, ret);
		return r == -EAGAIN ? -ETIMEDOUT : r;
	}
	return take_spinning(c, ret);
}

static void
wake_receiver(void *arg)
{
	struct spill *c = arg;

	eventcount_notify(&c->receivers, UINT32_MAX);
}

int
spill_recv_until(struct spill *c, struct span *ret, struct stop *stop, usec_t deadline)
{
	struct stop_waiter waiter = {.wake = wake_receiver, .arg = c};
	int r;

	lock_assert_none();
	if (stop_requested(stop))
		return -ECANCELED;
	begin_receive(c);
	r = take_spinning(c, ret);
	if (r != -EAGAIN)
		return r;
	stop_add(stop, &waiter);
	do
		r = take_sleeping(c, ret, stop, deadline);
	while (r == -EAGAIN);
	stop_remove(stop, &waiter);
	return r;
}

int
spill_recv(struct spill *c, struct span *ret, struct stop *stop)
{
	return spill_recv_until(c, ret, stop, USEC_NEVER);
}

int
spill_recv_many(struct spill *c, struct span *ret, size_t max, struct stop *stop, usec_t deadline)
{
	size_t n = 1;
	int r = max > 0 ? spill_recv_until(c, ret, stop, deadline) : -EINVAL;

	if (r < 0)
		return r;
	while (n < MIN(max, (size_t)INT32_MAX) && take_ready(c, &ret[n]))
		n++;
	return (int)n;
}

int
spill_ack(struct spill *c)
{
	if (load_rlx(&c->acked) == c->cursor.number)
		return 0;
	return spill_read_ack(c, true);
}

void
spill_set_event_fd(struct spill *c, int fd)
{
	LOCK_SCOPE(&c->log);

	store_sc(&c->armed, 0);
	c->event_fd = fd;
}

/* The receiver's half of note: wakeup: announce, then look. */
bool
spill_arm(struct spill *c)
{
	(void)swap_sc(&c->armed, 1);
	if (!looks_ready(c) && !load_sc(&c->closed))
		return false;
	spill_disarm(c);
	return true;
}

void
spill_disarm(struct spill *c)
{
	(void)swap_sc(&c->armed, 0);
}

static void
get_log_stats(struct spill *c, struct spill_stats *ret)
{
	LOCK_SCOPE(&c->log);

	ret->disk_bytes = c->disk_bytes;
	ret->n_segments = c->n_segments;
	ret->n_sync_errors = c->n_sync_errors;
}

void
spill_get_stats(struct spill *c, struct spill_stats *ret)
{
	*ret = (struct spill_stats){
		.n_received = counter_get(&c->n_received),
		.acked = load_acq(&c->acked),
		.n_sent = load_rlx(&c->next) - c->first_next + c->n_found,
		.n_refused = counter_get(&c->n_refused),
		.n_spilled = counter_get(&c->n_spilled),
		.n_found = c->n_found,
		.mem_bytes = spill_ring_used(&c->ring),
		.n_flips = counter_get(&c->n_flips),
		.torn_bytes = c->torn_bytes,
		.damaged_bytes = counter_get(&c->damaged_bytes),
		.n_lost = counter_get(&c->n_lost),
	};
	get_log_stats(c, ret);
}
