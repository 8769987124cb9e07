/* Calling, with the lock, what takes it itself. */
#include "sync/lock.h"

static struct lock queue = LOCK_INITIALIZER(RANK_LEAF, "queue");

void flush(void) EXCLUDES(queue);
void push(void);
void push_well(void);

void
flush(void)
{
	LOCK_SCOPE(&queue);
}

void
push(void)
{
	(void)lock_take(&queue);
	flush(); /* expect: cannot call function 'flush' while lock 'queue' is held */
	lock_give(&queue);
}

void
push_well(void)
{
	(void)lock_take(&queue);
	lock_give(&queue);
	flush();
}
