#include "engine/internal.h"

#include <errno.h>

int
engine_changes(struct engine *e, const struct engine_clock *since, uint64_t upto,
	engine_batch_fn fn, void *ctx, struct err *err)
{
	(void)e;
	(void)since;
	(void)upto;
	(void)fn;
	(void)ctx;
	return err_set(err, -ESTALE, "what has changed since then is not known");
}

void
engine_on_publish(struct engine *e, engine_publish_fn fn, void *ctx)
{
	e->on_publish = fn;
	e->publish_ctx = ctx;
}
