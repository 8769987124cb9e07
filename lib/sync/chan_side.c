#include "sync/chan_impl.h"

/* note: watcher. A watcher is a waiter of the eventcount that sleeps on its party's word instead of
 * the epoch. It is put into the list before it is counted, and taken out before it is uncounted.
 * So who finds it counted either finds it in the list, and touches its word, which it then cannot
 * sleep through; or it is on its way out, and lifts EVENTCOUNT_WAKING when it is uncounted. Both
 * ways it leaves, and looks at the condition once more after leaving: note: leave (park.c) holds
 * with "epoch" read as "word".
 *
 * The first watcher goes to the end of the list when it is woken, so they take turns. */
static void
wake_watcher(struct chan *c, struct chan_side *side)
{
	struct chan_party *p = NULL;

	{
		LOCK_SCOPE(&c->lock);
		struct list *link = list_pop_front(&side->watchers);

		if (link) {
			struct chan_watcher *w = LIST_ITEM(link, struct chan_watcher, link);

			list_push_back(&side->watchers, link);
			if (party_touch(w->party))
				p = w->party;
		}
	}
	if (p)
		party_rouse(p);
}

void
side_wake_one(struct chan *c, struct chan_side *side)
{
	if (eventcount_notify_one(&side->ec))
		wake_watcher(c, side);
}

/* Under the lock all the time: no watcher of the list goes away meanwhile. */
void
side_wake_all(struct chan *c, struct chan_side *side)
{
	if (!eventcount_notify(&side->ec, UINT32_MAX))
		return;
	LOCK_SCOPE(&c->lock);
	LIST_EACH (&side->watchers, link)
		party_wake(LIST_ITEM(link, struct chan_watcher, link)->party);
}

void
side_watch(struct chan *c, struct chan_side *side, struct chan_watcher *w)
{
	{
		LOCK_SCOPE(&c->lock);
		list_push_back(&side->watchers, &w->link);
	}
	eventcount_watch(&side->ec);
}

void
side_unwatch(struct chan *c, struct chan_side *side, struct chan_watcher *w)
{
	{
		LOCK_SCOPE(&c->lock);
		list_remove(&w->link);
	}
	eventcount_unwatch(&side->ec);
}
