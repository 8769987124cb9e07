#include "sync/par_verdict.h"

#include <errno.h>

#include "sync/lock.h"

static struct lock verdict_lock = LOCK_INITIALIZER(RANK_LEAF, "verdict");

void
verdict_stop(struct verdict *v, size_t at, int value)
{
	LOCK_SCOPE(&verdict_lock);

	if (verdict_beyond(v, at))
		return;
	store_rlx(&v->at, at);
	v->value = value;
}

int
verdict_value(const struct verdict *v)
{
	if (load_rlx(&v->at) != SIZE_MAX)
		return v->value;
	return load_rlx(&v->canceled) ? -ECANCELED : 0;
}
