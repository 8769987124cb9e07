/* A path that leaves without giving the lock, and its right twin. */
#include "sync/lock.h"

static struct lock door = LOCK_INITIALIZER(RANK_LEAF, "door");

int pass(int fee);
int pass_well(int fee);

int
pass(int fee)
{
	(void)lock_take(&door);
	if (fee == 0)
		return -1;
	lock_give(&door);
	return 0;
} /* expect: mutex 'door' is not held on every path through here */

int
pass_well(int fee)
{
	LOCK_SCOPE(&door);

	return fee == 0 ? -1 : 0;
}
