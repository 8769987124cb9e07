#include "sync/select.h"

#include <errno.h>

#include "sync/chan_impl.h"
#include "sync/spin.h"

/* note: select. The thread announces itself to the channel of every arm (W1 of note: wakeup,
 * park.c, once per channel), then looks at every arm (W2), then sleeps on its party's word, whose
 * value it took before (W0). A channel that becomes ready after it was looked at sees the watcher
 * and touches the word, or has a wake-up on its way to another waiter, which passes it on (note:
 * baton) when it cannot use it: so the sleep ends, or somebody else takes the item. At the end the
 * thread leaves all channels, tries all arms once more, and passes on the wake-ups of those that it
 * did not take: it may be the waiter that was chosen.
 *
 * Exactly one arm fires: rings are only ever tried by the thread itself, one after the other, until
 * one succeeds. Offers on rendezvous channels are claimed by others (note: offer); before the
 * thread tries anything it shuts its party, and if that fails the claimed arm is the one. */
struct selection {
	struct select_arm *arms;
	unsigned n, first; /* first: where to begin to look */
	usec_t due;        /* the earliest clock among the arms */
	bool has_offers;
	struct stop *stop;
	struct chan_party party;
	struct chan_watcher *watchers; /* one an arm; written when it is announced */
};

void
ticker_init(struct ticker *t, usec_t period)
{
	assert(period > 0);
	*t = (struct ticker){.next = clock_mono() + period, .period = period};
}

/* xorshift64*: the order need not be unforeseeable, only even. */
static unsigned
random_below(unsigned n)
{
	static _Thread_local uint64_t state;

	if (state == 0)
		state = (uintptr_t)&state | 1;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)((state * 0x2545f4914f6cdd1dull >> 32) * n >> 32);
}

static bool
is_chan(const struct select_arm *a)
{
	return a->kind == SELECT_RECV || a->kind == SELECT_SEND;
}

static struct chan_side *
arm_side(const struct select_arm *a)
{
	return a->kind == SELECT_SEND ? &a->chan->senders : &a->chan->receivers;
}

static bool
fire_ticker(struct ticker *t)
{
	usec_t now = clock_mono();

	if (now < t->next)
		return false;
	t->n_due = (now - t->next) / t->period + 1;
	t->next += t->n_due * t->period;
	return true;
}

/* 1 it fired, 0 it is not ready. */
static int
arm_try(struct select_arm *a)
{
	ssize_t r = -EAGAIN;

	switch (a->kind) {
	case SELECT_RECV:
		r = chan_take(a->chan, &a->item, 1);
		break;
	case SELECT_SEND:
		r = chan_put(a->chan, &a->item, 1);
		break;
	case SELECT_AFTER:
		r = clock_mono() >= a->at ? 0 : -EAGAIN;
		break;
	case SELECT_TICK:
		r = fire_ticker(a->ticker) ? 0 : -EAGAIN;
		break;
	case SELECT_NEVER:
		break;
	}
	a->result = r < 0 ? (int)r : 0;
	return r != -EAGAIN;
}

static unsigned
nth_arm(const struct selection *s, unsigned i)
{
	return i + s->first < s->n ? i + s->first : i + s->first - s->n;
}

static int
try_all(struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		unsigned k = nth_arm(s, i);

		if (arm_try(&s->arms[k]))
			return (int)k;
	}
	return -EAGAIN;
}

static bool
arm_looks_ready(const struct select_arm *a)
{
	return a->kind == SELECT_RECV ? chan_can_take(a->chan) : chan_can_put(a->chan, a->item);
}

/* Does any ring look ready? Offers were looked at when they were made. */
static bool
rings_look_ready(const struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct select_arm *a = &s->arms[i];

		if (is_chan(a) && a->chan->flavor != FLAVOR_ZERO && arm_looks_ready(a))
			return true;
	}
	return false;
}

/* Everything about arm k's watcher but its link. */
static bool
announce_arm(struct selection *s, unsigned k)
{
	struct select_arm *a = &s->arms[k];
	struct chan_watcher *w = &s->watchers[k];

	*w = (struct chan_watcher){.party = &s->party, .arm = k, .item = a->item};
	list_init(&w->link);
	if (a->chan->flavor == FLAVOR_ZERO)
		return zero_offer(a->chan, arm_side(a), w);
	side_watch(a->chan, arm_side(a), w);
	return false;
}

/* true: something looks ready already. */
static bool
announce(struct selection *s, uint32_t *ret_key)
{
	bool ready = false;

	store_rlx(&s->party.claimed, 0); /* nobody knows the party yet; published by the lock */
	(void)and_sc(&s->party.word, ~PARTY_ASLEEP);
	*ret_key = load_sc(&s->party.word); /* W0 */
	for (unsigned i = 0; i < s->n; i++) {
		if (is_chan(&s->arms[i]))
			ready |= announce_arm(s, i); /* W1 */
	}
	for (unsigned i = 0; i < s->n && !ready; i++) {
		if (is_chan(&s->arms[i]))
			chan_fence(s->arms[i].chan);
	}
	return ready || rings_look_ready(s) || stop_requested(s->stop); /* W2 */
}

/* The arm that was claimed, or -EAGAIN: then no offer can be claimed any more. */
static int
shut(struct selection *s)
{
	uint32_t claimed = 0;

	if (!s->has_offers || cas_ar(&s->party.claimed, &claimed, PARTY_SHUT))
		return -EAGAIN;
	return (int)claimed - 1;
}

static void
leave_all(struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct select_arm *a = &s->arms[i];

		if (!is_chan(a))
			continue;
		if (a->chan->flavor == FLAVOR_ZERO)
			zero_retract(a->chan, &s->watchers[i]);
		else
			side_unwatch(a->chan, arm_side(a), &s->watchers[i]);
	}
}

static void
pass_on_all(struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct select_arm *a = &s->arms[i];

		if (is_chan(a) && a->chan->flavor != FLAVOR_ZERO)
			chan_pass_on(a->chan, arm_side(a));
	}
}

static void
count_waits(struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (is_chan(&s->arms[i]))
			counter_add(&arm_side(&s->arms[i])->n_waits, 1);
	}
}

/* What earlier spins in vain are counted in: of the first channel. NULL: there are only timers. */
static _Atomic uint32_t *
vain_of(const struct selection *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (is_chan(&s->arms[i]))
			return &arm_side(&s->arms[i])->vain;
	}
	return NULL;
}

/* Who has made offers looks around first, as select_spin() does who has none. */
static int
wait_announced(struct selection *s, uint32_t key, usec_t until)
{
	_Atomic uint32_t *vain = s->has_offers ? vain_of(s) : NULL;
	uint32_t seen = vain ? load_rlx(vain) : 0;
	unsigned n = vain ? spin_looks(seen) : 0;
	int r = party_wait(&s->party, key, n, until);

	if (n > 0)
		store_rlx(vain, r == 0 ? 0 : seen + 1);
	return MIN(r, 0);
}

/* One round of announcing, sleeping and leaving: the arm that fired, -EAGAIN, -ETIMEDOUT. */
static int
select_sleep(struct selection *s, usec_t deadline)
{
	usec_t until = MIN(deadline, s->due);
	uint32_t key;
	int r = 0, k;

	if (!announce(s, &key)) {
		count_waits(s);
		r = wait_announced(s, key, until);
	}
	k = shut(s);
	leave_all(s);
	if (k >= 0) {
		s->arms[k].item = s->watchers[k].item;
		s->arms[k].result = 0;
	} else {
		k = try_all(s);
	}
	pass_on_all(s);
	if (k == -EAGAIN && r == -ETIMEDOUT && until == deadline)
		return -ETIMEDOUT;
	return k;
}

/* Who has offers to make looks better while they stand. */
static int
select_spin(struct selection *s)
{
	int r = try_all(s);
	_Atomic uint32_t *vain = vain_of(s);
	unsigned n;

	if (r != -EAGAIN || s->has_offers || !vain)
		return r;
	n = spin_looks(load_rlx(vain));
	for (unsigned i = 0; i < n && r == -EAGAIN; i++) {
		spin_rest(i);
		if (rings_look_ready(s))
			r = try_all(s);
	}
	if (n > 0)
		store_rlx(vain, r == -EAGAIN ? load_rlx(vain) + 1 : 0);
	return r;
}

static void
wake_party(void *arg)
{
	party_wake(arg);
}

static int
select_wait(struct selection *s, usec_t deadline)
{
	struct stop_waiter waiter = {.wake = wake_party, .arg = &s->party};
	int r;

	stop_add(s->stop, &waiter);
	do
		r = stop_requested(s->stop) ? -ECANCELED : select_sleep(s, deadline);
	while (r == -EAGAIN);
	stop_remove(s->stop, &waiter);
	return r;
}

static void
select_init(struct selection *s, enum select_order order)
{
	assert(s->n <= SELECT_MAX);
	if (order == SELECT_FAIR && s->n > 1)
		s->first = random_below(s->n);
	for (unsigned i = 0; i < s->n; i++) {
		const struct select_arm *a = &s->arms[i];

		if (a->kind == SELECT_AFTER)
			s->due = MIN(s->due, a->at);
		else if (a->kind == SELECT_TICK)
			s->due = MIN(s->due, a->ticker->next);
		else if (is_chan(a) && a->chan->flavor == FLAVOR_ZERO)
			s->has_offers = true;
	}
}

int
select_until(struct select_arm *arms, unsigned n, enum select_order order, struct stop *stop,
	usec_t deadline)
{
	struct chan_watcher watchers[SELECT_MAX];
	struct selection s = {.arms = arms,
		.n = n,
		.due = USEC_NEVER,
		.stop = stop,
		.party = {.claimed = PARTY_SHUT},
		.watchers = watchers};
	int r;

	lock_assert_none();
	if (stop_requested(stop))
		return -ECANCELED;
	select_init(&s, order);
	r = select_spin(&s);
	return r == -EAGAIN ? select_wait(&s, deadline) : r;
}

int
select_try(struct select_arm *arms, unsigned n, enum select_order order)
{
	struct selection s = {.arms = arms, .n = n, .due = USEC_NEVER};

	select_init(&s, order);
	return try_all(&s);
}
