#include "sync/pool.h"

/* Two threads that find none both make one; the slower one's is destroyed again. Release and
 * acquire: publishes the pool's content. */
static _Atomic(struct pool *) default_pool;

struct pool *
pool_default(void)
{
	struct pool *p = load_acq(&default_pool), *made = NULL;

	if (p)
		return p;
	if (pool_create("default", 0, &made) < 0)
		return load_acq(&default_pool);
	if (cas_ar(&default_pool, &p, made))
		return made;
	pool_destroy(made);
	return p;
}

void
pool_default_destroy(void)
{
	pool_destroy(swap_ar(&default_pool, NULL));
}
