#include "server/pace.h"

#include <time.h>

/* The kernel makes up to 50 us more of it. Some five short queries of two workers; longer rests let
 * them run dry, for a user runs eight at a time. */
#define REST_NSEC 80000L

bool
pace_rest(const struct pool *compute)
{
	struct timespec rest = {.tv_nsec = REST_NSEC};

	if (pool_n_waiting(compute, TASK_QUERY) < pool_threads(compute))
		return false;
	(void)nanosleep(&rest, NULL);
	return true;
}
