#include "sync/chan.h"

#include <errno.h>
#include <unistd.h>

#include "sync/thread.h"

#define CHAN_CLOSED (1ull << 63) /* in tail: no position is reserved any more */
#define CHAN_MAX_CAP (1ull << 32)
#define SPIN_MAX 64u /* pauses: about a microsecond */

/*
 * A slot serves positions i, i + cap, i + 2 cap, ... For position p its seq is
 *   p            free, a sender may reserve p
 *   p + 1        published, a receiver may reserve p
 *   p + cap      free for the next lap
 * Who moved tail (head) past p owns the slot until it stores the next seq.
 */
struct slot {
	/* seq_cst store: it publishes `item` (the other side's load pairs with it) and is the
	 * notifier's half of note: wakeup (park.c). As the sleeper re-checks the slot and not only
	 * the indices, it may sleep even while a reserved slot is still being filled: nobody ever
	 * spins on a peer that was preempted between its reservation and its publication. */
	_Atomic uint64_t seq;
	void *item; /* owned as above */
};

/* One direction: what its sleepers wait on. */
struct chan_side {
	struct eventcount ec;
	_Atomic uint32_t spin; /* budget in pauses; relaxed, a guess */
	struct counter n_waits;
};

struct chan {
	/* Fixed at create. */
	size_t cap;
	uint32_t spin_max; /* 0 on one CPU */
	void (*drop)(void *item);

	/* Written once, by close, after CHAN_CLOSED; seq_cst, see note: last item. */
	_Atomic uint32_t closed;
	/* Is the event fd to be written? seq_cst: the waiter count of the bridge in note: wakeup.
	 */
	_Atomic uint32_t armed;
	struct lock lock; /* RANK_CHAN; guards event_fd, held for the write to it */
	int event_fd;

	ON_OWN_LINE _Atomic uint64_t tail; /* next to send, with CHAN_CLOSED; seq_cst */
	ON_OWN_LINE _Atomic uint64_t head; /* next to receive; seq_cst */
	ON_OWN_LINE struct chan_side senders;
	ON_OWN_LINE struct chan_side receivers;
	ON_OWN_LINE struct slot slots[];
};

static struct slot *
slot_at(struct chan *c, uint64_t pos)
{
	return &c->slots[pos & (c->cap - 1)];
}

static uint32_t
spin_budget(void)
{
	static _Atomic uint32_t cpus; /* relaxed: two threads would find the same number */

	if (load_rlx(&cpus) == 0)
		store_rlx(&cpus, thread_cpus());
	return load_rlx(&cpus) > 1 ? SPIN_MAX
	                           : 0; /* alone on a CPU the peer cannot run meanwhile */
}

struct chan *
chan_create(size_t cap, void (*drop)(void *item))
{
	size_t n = 2;
	struct chan *c;

	if (cap > CHAN_MAX_CAP)
		return NULL;
	while (n < cap)
		n *= 2;
	c = aligned_alloc(
		CACHELINE, ALIGN_UP(sizeof(*c) + n * sizeof(c->slots[0]), (size_t)CACHELINE));
	if (!c)
		return NULL;
	*c = (struct chan){.cap = n, .spin_max = spin_budget(), .drop = drop, .event_fd = -1};
	c->senders.spin = c->receivers.spin = c->spin_max;
	lock_init(&c->lock, RANK_CHAN, "chan");
	for (size_t i = 0; i < n; i++)
		c->slots[i] = (struct slot){.seq = i};
	return c;
}

void
chan_destroy(struct chan *c)
{
	void *item;

	if (!c)
		return;
	while (chan_try_recv(c, &item) == 0) {
		if (c->drop)
			c->drop(item);
	}
	lock_fini(&c->lock);
	free(c);
}

/* The event fd is written under the lock, so that it is not closed, and its number reused, between
 * a sender's look and its write. An eventfd does not block here: its count is at most one. */
static void
bridge_signal(struct chan *c)
{
	uint64_t one = 1;

	if (LIKELY(load_sc(&c->armed) == 0))
		return;
	LOCK_SCOPE(&c->lock);
	if (swap_sc(&c->armed, 0) && c->event_fd >= 0)
		(void)!write(c->event_fd, &one, sizeof(one));
}

/* note: baton. A wake-up is spent on one sleeper. It must not be lost when that one could not use
 * it: it was woken for position p + 1 while p was still in the hands of a slow peer. So whoever
 * passes position p wakes another sleeper when p + 1 is ready too (`ready` is its seq then), and a
 * sleeper that gives up (stop, deadline) hands its wake-up on. */
static void
pass_baton(struct chan *c, struct chan_side *side, uint64_t next, uint64_t ready)
{
	if (UNLIKELY(load_sc(&side->ec.waiters) > 0) && load_sc(&slot_at(c, next)->seq) == ready)
		eventcount_notify_one(&side->ec);
}

/* Is position `pos` reserved by a peer that has not come to its end yet? Then it is worth a few
 * pauses; never more, for the peer may be preempted (note: bounded). */
static bool
seq_arrives(struct chan *c, struct slot *s, uint64_t want)
{
	for (uint32_t i = 0; i < c->spin_max; i++) {
		if (load_sc(&s->seq) == want)
			return true;
		cpu_pause();
	}
	return false;
}

int
chan_try_send(struct chan *c, void *item)
{
	uint64_t pos = load_sc(&c->tail);
	struct slot *s;

	for (;;) {
		int64_t ahead;

		if (pos & CHAN_CLOSED)
			return -EPIPE;
		s = slot_at(c, pos);
		ahead = (int64_t)(load_sc(&s->seq) - pos);
		if (ahead == 0) {
			if (cas_weak_sc(&c->tail, &pos, pos + 1))
				break;
		} else if (ahead > 0) { /* others were quicker */
			pos = load_sc(&c->tail);
		} else if (load_sc(&c->head) + c->cap <= pos || !seq_arrives(c, s, pos)) {
			return -EAGAIN; /* full, or its receiver is not done */
		}
	}
	s->item = item;
	store_sc(&s->seq, pos + 1);
	eventcount_notify_one(&c->receivers.ec);
	bridge_signal(c);
	pass_baton(c, &c->senders, pos + 1, pos + 1);
	return 0;
}

/* note: last item. After close the receiver of the last item must wake those who sleep because it
 * was still being sent: nobody else will. `closed` is a word of its own that is only read here,
 * because the tail's line belongs to the senders. If this load misses it, close() comes later and
 * its own wake-up reaches them. */
static void
pass_end(struct chan *c)
{
	if (UNLIKELY(load_sc(&c->closed)))
		eventcount_notify(&c->receivers.ec, UINT32_MAX);
}

/* Nothing is published at `pos`: is nothing going to be, ever? */
static int
recv_nothing(struct chan *c, struct slot *s, uint64_t pos)
{
	uint64_t tail = load_sc(&c->tail);

	if (tail == (pos | CHAN_CLOSED))
		return -EPIPE;
	if ((tail & ~CHAN_CLOSED) > pos && seq_arrives(c, s, pos + 1))
		return 0; /* look again */
	return -EAGAIN;
}

int
chan_try_recv(struct chan *c, void **ret)
{
	uint64_t pos = load_sc(&c->head);
	struct slot *s;

	for (;;) {
		int64_t ahead;
		int r;

		s = slot_at(c, pos);
		ahead = (int64_t)(load_sc(&s->seq) - (pos + 1));
		if (ahead == 0) {
			if (cas_weak_sc(&c->head, &pos, pos + 1))
				break;
		} else if (ahead > 0) { /* others were quicker */
			pos = load_sc(&c->head);
		} else {
			r = recv_nothing(c, s, pos);
			if (r < 0)
				return r;
		}
	}
	*ret = s->item;
	store_sc(&s->seq, pos + c->cap);
	eventcount_notify_one(&c->senders.ec);
	pass_baton(c, &c->receivers, pos + 1, pos + 2);
	pass_end(c);
	return 0;
}

/* A blocking call, both ways: `item` to send, or where to put what is received. */
struct call {
	struct chan_side *side;
	void *item, **ret;
};

static int
call_try(struct chan *c, const struct call *call)
{
	return call->ret ? chan_try_recv(c, call->ret) : chan_try_send(c, call->item);
}

/* Would a try succeed at this moment? Cheaper than trying. */
static bool
call_looks_ready(struct chan *c, const struct call *call)
{
	uint64_t pos = call->ret ? load_sc(&c->head) : load_sc(&c->tail) & ~CHAN_CLOSED;

	return load_sc(&slot_at(c, pos)->seq) == (call->ret ? pos + 1 : pos);
}

/* Spinning pays when the peer is at work on another CPU, and costs when it is not: the budget
 * halves with each round in vain and doubles with each that paid. */
static int
call_spin(struct chan *c, const struct call *call)
{
	uint32_t budget = load_rlx(&call->side->spin);
	int r = call_try(c, call);

	if (r != -EAGAIN || c->spin_max == 0)
		return r;
	for (uint32_t i = 0; i < budget; i++) {
		cpu_pause();
		if (call_looks_ready(c, call) && (r = call_try(c, call)) != -EAGAIN)
			break;
	}
	budget = r == -EAGAIN ? MAX(budget / 2, 1u) : MIN(budget * 2, c->spin_max);
	store_rlx(&call->side->spin, budget);
	return r;
}

/* note: baton, for those who leave without passing through a slot afterwards. seq_cst loads, after
 * the leaving: note: leave (park.c). */
static void
call_pass_on(struct chan *c, const struct call *call)
{
	if (call_looks_ready(c, call))
		eventcount_notify_one(&call->side->ec);
}

static int
call_sleep(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	uint32_t key;
	int r;

	eventcount_prepare(&call->side->ec, &key);
	r = call_try(c, call);
	if (r == -EAGAIN && stop_requested(stop))
		r = -ECANCELED;
	if (r != -EAGAIN) {
		eventcount_cancel(&call->side->ec);
		call_pass_on(c, call);
		return r;
	}
	counter_add(&call->side->n_waits, 1);
	if (eventcount_wait(&call->side->ec, key, deadline) < 0) {
		r = call_try(c, call);
		return r == -EAGAIN ? -ETIMEDOUT : r;
	}
	return call_spin(c, call);
}

static void
wake_side(void *arg)
{
	struct chan_side *side = arg;

	eventcount_notify(&side->ec, UINT32_MAX);
}

/* The token wakes every sleeper of the side; those with another token go back to sleep. */
static int
call_wait(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	struct stop_waiter waiter = {.wake = wake_side, .arg = call->side};
	int r;

	stop_add(stop, &waiter);
	do
		r = call_sleep(c, call, stop, deadline);
	while (r == -EAGAIN);
	stop_remove(stop, &waiter);
	if (r == -ETIMEDOUT)
		call_pass_on(c, call);
	return r;
}

static int
call_run(struct chan *c, const struct call *call, struct stop *stop, usec_t deadline)
{
	int r;

	lock_assert_none();
	if (stop_requested(stop))
		return -ECANCELED;
	r = call_spin(c, call);
	return r == -EAGAIN ? call_wait(c, call, stop, deadline) : r;
}

int
chan_send_until(struct chan *c, void *item, struct stop *stop, usec_t deadline)
{
	return call_run(c, &(struct call){.side = &c->senders, .item = item}, stop, deadline);
}

int
chan_send(struct chan *c, void *item, struct stop *stop)
{
	return chan_send_until(c, item, stop, USEC_NEVER);
}

int
chan_recv_until(struct chan *c, void **ret, struct stop *stop, usec_t deadline)
{
	return call_run(c, &(struct call){.side = &c->receivers, .ret = ret}, stop, deadline);
}

int
chan_recv(struct chan *c, void **ret, struct stop *stop)
{
	return chan_recv_until(c, ret, stop, USEC_NEVER);
}

void
chan_close(struct chan *c)
{
	if (or_sc(&c->tail, CHAN_CLOSED) & CHAN_CLOSED)
		return;
	store_sc(&c->closed, 1);
	eventcount_notify(&c->senders.ec, UINT32_MAX);
	eventcount_notify(&c->receivers.ec, UINT32_MAX);
	bridge_signal(c);
}

size_t
chan_len(const struct chan *c)
{
	uint64_t head = load_sc(&c->head), tail = load_sc(&c->tail) & ~CHAN_CLOSED;

	return tail > head ? MIN(tail - head, c->cap) : 0;
}

void
chan_get_stats(const struct chan *c, struct chan_stats *ret)
{
	*ret = (struct chan_stats){
		.n_sent = load_sc(&c->tail) & ~CHAN_CLOSED,
		.n_send_waits = counter_get(&c->senders.n_waits),
		.n_recv_waits = counter_get(&c->receivers.n_waits),
	};
}

void
chan_set_event_fd(struct chan *c, int fd)
{
	LOCK_SCOPE(&c->lock);

	store_sc(&c->armed, 0);
	c->event_fd = fd;
}

/* The receiver's half of note: wakeup: announce, then look. */
bool
chan_arm(struct chan *c)
{
	uint64_t head = load_sc(&c->head);

	(void)swap_sc(&c->armed, 1);
	if (load_sc(&slot_at(c, head)->seq) != head + 1 &&
		load_sc(&c->tail) != (head | CHAN_CLOSED))
		return false;
	chan_disarm(c);
	return true;
}

void
chan_disarm(struct chan *c)
{
	(void)swap_sc(&c->armed, 0);
}
