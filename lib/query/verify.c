#include "query/verify.h"
#include <errno.h>
int
verify_create(struct eval *e, const struct cursor_opts *opts, candidate_fn next, void *ctx,
	struct verify **ret)
{
	(void)e;
	(void)opts;
	(void)next;
	(void)ctx;
	(void)ret;
	return -EOPNOTSUPP;
}
void
verify_destroy(struct verify *v)
{
	(void)v;
}
int
verify_next(struct verify *v, struct hit *ret)
{
	(void)v;
	(void)ret;
	return 0;
}
void
verify_get_stats(const struct verify *v, struct cursor_stats *ret)
{
	(void)v;
	(void)ret;
}
