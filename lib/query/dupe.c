#include "query/dupe.h"
#include <errno.h>
int
dupe_set_create(const struct snapshot *s, const struct cursor_opts *opts, struct dupe_set **ret)
{
	(void)s;
	(void)opts;
	(void)ret;
	return -EOPNOTSUPP;
}
void
dupe_set_destroy(struct dupe_set *d)
{
	(void)d;
}
