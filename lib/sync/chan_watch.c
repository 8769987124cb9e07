#include "sync/chan_watch.h"

#include <errno.h>

#include "sync/spin.h"

int
party_wait(struct chan_party *p, uint32_t key, unsigned n_looks, usec_t deadline)
{
	uint32_t asleep = key | PARTY_ASLEEP;

	for (unsigned i = 0; i < n_looks; i++) {
		if (load_sc(&p->word) != key)
			return 0;
		spin_rest(i);
	}
	if (!cas_sc(&p->word, &key, asleep))
		return 0;
	while (load_sc(&p->word) == asleep) {
		if (park_wait(&p->word, asleep, deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
	}
	return 1;
}

bool
party_touch(struct chan_party *p)
{
	return add_sc(&p->word, 2) & PARTY_ASLEEP;
}

/* The word may be gone: park_wake() only passes its address on. */
void
party_rouse(struct chan_party *p)
{
	park_wake(&p->word, 1);
}

void
party_wake(struct chan_party *p)
{
	if (party_touch(p))
		party_rouse(p);
}

bool
party_claim(struct chan_watcher *w)
{
	uint32_t open = 0;

	return cas_ar(&w->party->claimed, &open, w->arm + 1);
}
