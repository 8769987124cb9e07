/* Taking what is held already. */
#include "sync/lock.h"

void enter_twice(struct lock *l);
void enter_again(struct lock *l);

void
enter_twice(struct lock *l)
{
	(void)lock_take(l);
	(void)lock_take(l); /* expect: acquiring lock 'l' that is already held */
	lock_give(l);
}

void
enter_again(struct lock *l)
{
	(void)lock_take(l);
	lock_give(l);
	(void)lock_take(l);
	lock_give(l);
}
