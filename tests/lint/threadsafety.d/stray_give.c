/* Giving what is not held. */
#include "sync/rwlock.h"

static struct rwlock door = RWLOCK_INITIALIZER(RANK_LEAF, "door");

void leave(void);
void leave_well(void);

void
leave(void)
{
	rwlock_give_write(&door); /* expect: releasing rwlock 'door' that was not held */
}

void
leave_well(void)
{
	(void)rwlock_take_write(&door);
	rwlock_give_write(&door);
}
