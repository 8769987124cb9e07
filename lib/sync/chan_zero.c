#include "sync/chan_impl.h"

#include <errno.h>

/* note: offer. A rendezvous channel keeps no items, only offers: watchers of threads that wait. All
 * is done under the channel's lock. An operation claims the oldest offer of the other side: the
 * CAS on the party's `claimed` decides between all who would serve that thread, on whatever
 * channel, and the thread itself, which shuts its party before it does anything else. The item
 * changes hands under the lock, and the claimed thread takes its offers back under the same lock
 * before it looks: so it sees the item, and its party outlives the claimer's touch. */
static struct chan_watcher *
claim_locked(struct chan_side *side)
{
	LIST_EACH (&side->watchers, link) {
		struct chan_watcher *w = LIST_ITEM(link, struct chan_watcher, link);

		if (party_claim(w)) {
			list_remove(link);
			return w;
		}
	}
	return NULL;
}

/* One item: from `*item` to an offer of a receiver, or from one of a sender to `*item`. */
static int
exchange(struct chan *c, struct chan_side *other, void **item)
{
	struct chan_party *p = NULL;

	{
		LOCK_SCOPE(&c->lock);
		struct chan_watcher *w;

		if (load_sc(&c->zero.closed))
			return -EPIPE;
		w = claim_locked(other);
		if (!w)
			return -EAGAIN;
		if (other == &c->receivers)
			w->item = *item;
		else
			*item = w->item;
		counter_add(&c->zero.n_sent, 1);
		if (party_touch(w->party))
			p = w->party;
	}
	if (p)
		party_rouse(p);
	return 0;
}

ssize_t
zero_put(struct chan *c, void *const *items, size_t n)
{
	size_t k = 0;
	int r = 0;

	for (; k < n; k++) {
		void *item = items[k];

		r = exchange(c, &c->receivers, &item);
		if (r < 0)
			break;
	}
	return k > 0 ? (ssize_t)k : r;
}

ssize_t
zero_take(struct chan *c, void **ret, size_t n)
{
	size_t k = 0;
	int r = 0;

	while (k < n && (r = exchange(c, &c->senders, &ret[k])) == 0)
		k++;
	return k > 0 ? (ssize_t)k : r;
}

static void
wake_all_locked(struct chan_side *side)
{
	LIST_EACH (&side->watchers, link)
		party_wake(LIST_ITEM(link, struct chan_watcher, link)->party);
}

bool
zero_close(struct chan *c)
{
	LOCK_SCOPE(&c->lock);

	if (swap_sc(&c->zero.closed, 1))
		return false;
	wake_all_locked(&c->senders);
	wake_all_locked(&c->receivers);
	return true;
}

static bool
can_locked(struct chan *c, struct chan_side *other, const struct chan_party *self)
{
	if (load_sc(&c->zero.closed))
		return true;
	LIST_EACH (&other->watchers, link) {
		const struct chan_party *p = LIST_ITEM(link, struct chan_watcher, link)->party;

		if (p != self && load_acq(&p->claimed) == 0)
			return true;
	}
	return false;
}

bool
zero_can(struct chan *c, struct chan_side *other)
{
	LOCK_SCOPE(&c->lock);

	return can_locked(c, other, NULL);
}

/* Looked at in the same critical section: of two that offer to each other the second sees the
 * first, and the first does not look again, so they do not shut their parties on each other for
 * ever. */
bool
zero_offer(struct chan *c, struct chan_side *side, struct chan_watcher *w)
{
	struct chan_side *other = side == &c->senders ? &c->receivers : &c->senders;
	bool ready;

	{
		LOCK_SCOPE(&c->lock);
		list_push_back(&side->watchers, &w->link);
		ready = can_locked(c, other, w->party);
	}
	if (side == &c->senders)
		chan_signal_event(c);
	return ready;
}

void
zero_retract(struct chan *c, struct chan_watcher *w)
{
	LOCK_SCOPE(&c->lock);

	list_remove(&w->link);
}
