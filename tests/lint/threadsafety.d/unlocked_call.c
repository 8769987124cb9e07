/* Calling what requires the lock without it. */
#include "sync/lock.h"

struct shop {
	struct lock lock;
	int n;
};

int sell_locked(struct shop *s) REQUIRES(s->lock);
int sell(struct shop *s);
int sell_well(struct shop *s);

int
sell_locked(struct shop *s)
{
	return s->n--;
}

int
sell(struct shop *s)
{
	return sell_locked(s); /* expect: calling function 'sell_locked' requires holding */
}

int
sell_well(struct shop *s)
{
	LOCK_SCOPE(&s->lock);

	return sell_locked(s);
}
