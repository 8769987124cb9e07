#include "sync/chan_impl.h"

#include <errno.h>

#include "sync/select.h"
#include "sync/spin.h"

/* A blocking call, both ways: n items to send, or where to put what is received. */
struct call {
	struct chan_side *side;
	void *const *items; /* NULL: it receives */
	void **ret;
	size_t n;
};

static ssize_t
call_try(struct chan *c, const struct call *call)
{
	return call->items ? chan_put(c, call->items, call->n) : chan_take(c, call->ret, call->n);
}

/* Would a try succeed at this moment? Cheaper than trying. */
static bool
call_looks_ready(struct chan *c, const struct call *call)
{
	return call->items ? chan_can_put(c, call->items[0]) : chan_can_take(c);
}

/* Has more than one item gone through since this side last had to wait? Then they come in a stream,
 * not in answer to one another, and who gives the peer time finds, or makes room for, a batch. */
static bool
streams(const struct chan *c, struct chan_side *side)
{
	uint64_t sent = chan_sent(c), before = load_rlx(&side->sent);

	store_rlx(&side->sent, sent);
	return sent - before > 1;
}

static ssize_t
call_spin(struct chan *c, const struct call *call)
{
	uint32_t vain = load_rlx(&call->side->vain);
	unsigned n = spin_looks(vain);
	ssize_t r = call_try(c, call);

	if (r != -EAGAIN)
		return r;
	if (streams(c, call->side) && n > 0)
		spin_rest_long();
	for (unsigned i = 0; i < n && r == -EAGAIN; i++) {
		spin_rest(i);
		if (call_looks_ready(c, call))
			r = call_try(c, call);
	}
	if (r == -EAGAIN)
		store_rlx(&call->side->vain, vain + 1);
	else if (vain != 0)
		store_rlx(&call->side->vain, 0);
	return r;
}

bool
chan_look(struct chan *c)
{
	_Atomic uint32_t *vain = &c->receivers.vain;
	uint32_t seen = load_rlx(vain);
	unsigned n = spin_looks(seen);

	for (unsigned i = 0; i < n; i++) {
		if (chan_can_take(c)) {
			store_rlx(vain, 0);
			return true;
		}
		spin_rest(i);
	}
	store_rlx(vain, seen + 1);
	return chan_can_take(c);
}

static ssize_t
call_sleep(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	uint32_t key;
	ssize_t r;

	eventcount_prepare(&call->side->ec, &key);
	chan_fence(c);
	r = call_try(c, call);
	if (r == -EAGAIN && stop_requested(stop))
		r = -ECANCELED;
	if (r != -EAGAIN) {
		eventcount_cancel(&call->side->ec);
		chan_pass_on(c, call->side);
		return r;
	}
	counter_add(&call->side->n_waits, 1);
	if (eventcount_wait(&call->side->ec, key, deadline) < 0) {
		r = call_try(c, call);
		return r == -EAGAIN ? -ETIMEDOUT : r;
	}
	return call_spin(c, call);
}

struct call_side {
	struct chan *chan;
	struct chan_side *side;
};

static void
wake_side(void *arg)
{
	struct call_side *s = arg;

	side_wake_all(s->chan, s->side);
}

/* The token wakes every sleeper of the side; those with another token go back to sleep. */
static ssize_t
call_wait(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	struct call_side side = {.chan = c, .side = call->side};
	struct stop_waiter waiter = {.wake = wake_side, .arg = &side};
	ssize_t r;

	stop_add(stop, &waiter);
	do
		r = call_sleep(c, call, stop, deadline);
	while (r == -EAGAIN);
	stop_remove(stop, &waiter);
	if (r == -ETIMEDOUT)
		chan_pass_on(c, call->side);
	return r;
}

/* Rendezvous: a select with one arm, for an offer can be claimed while its owner sleeps. */
static ssize_t
call_meet(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	struct select_arm arm = call->items ? select_send(c, call->items[0]) : select_recv(c);
	int r = select_until(&arm, 1, SELECT_BIASED, stop, deadline);

	if (r < 0 || arm.result < 0)
		return r < 0 ? r : arm.result;
	if (!call->items)
		call->ret[0] = arm.item;
	return 1;
}

/* After a try in vain. */
static ssize_t
call_run(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	ssize_t r;

	if (c->flavor == FLAVOR_ZERO)
		return call_meet(c, call, stop, deadline);
	r = call_spin(c, call);
	return r == -EAGAIN ? call_wait(c, call, stop, deadline) : r;
}

/* The fast path of a blocking call. */
static inline bool
send_at_once(struct chan *c, void *const *items, size_t n, struct stop *stop, ssize_t *ret)
{
	lock_assert_none();
	*ret = stop_requested(stop) ? -ECANCELED : chan_put(c, items, n);
	return LIKELY(*ret != -EAGAIN);
}

static inline bool
recv_at_once(struct chan *c, void **items, size_t n, struct stop *stop, ssize_t *ret)
{
	lock_assert_none();
	*ret = stop_requested(stop) ? -ECANCELED : chan_take(c, items, n);
	return LIKELY(*ret != -EAGAIN);
}

ssize_t
chan_send_many(struct chan *c, void *const *items, size_t n, struct stop *stop, usec_t deadline)
{
	struct call call = {.side = &c->senders, .items = items, .n = n};
	ssize_t r;

	assert(n > 0);
	return send_at_once(c, items, n, stop, &r) ? r : call_run(c, &call, stop, deadline);
}

ssize_t
chan_try_send_many(struct chan *c, void *const *items, size_t n)
{
	assert(n > 0);
	return chan_put(c, items, n);
}

ssize_t
chan_recv_many(struct chan *c, void **ret, size_t n, struct stop *stop, usec_t deadline)
{
	struct call call = {.side = &c->receivers, .ret = ret, .n = n};
	ssize_t r;

	assert(n > 0);
	return recv_at_once(c, ret, n, stop, &r) ? r : call_run(c, &call, stop, deadline);
}

ssize_t
chan_try_recv_many(struct chan *c, void **ret, size_t n)
{
	assert(n > 0);
	return chan_take(c, ret, n);
}

/* Of one item, the count says nothing. */
static int
one(ssize_t r)
{
	return r < 0 ? (int)r : 0;
}

int
chan_send_until(struct chan *c, void *item, struct stop *stop, usec_t deadline)
{
	return one(chan_send_many(c, &item, 1, stop, deadline));
}

int
chan_send(struct chan *c, void *item, struct stop *stop)
{
	return one(chan_send_many(c, &item, 1, stop, USEC_NEVER));
}

int
chan_try_send(struct chan *c, void *item)
{
	return one(chan_put(c, &item, 1));
}

int
chan_recv_until(struct chan *c, void **ret, struct stop *stop, usec_t deadline)
{
	return one(chan_recv_many(c, ret, 1, stop, deadline));
}

int
chan_recv(struct chan *c, void **ret, struct stop *stop)
{
	return one(chan_recv_many(c, ret, 1, stop, USEC_NEVER));
}

int
chan_try_recv(struct chan *c, void **ret)
{
	return one(chan_take(c, ret, 1));
}
