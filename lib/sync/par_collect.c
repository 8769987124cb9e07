#include "sync/par_collect.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"
#include "sync/par_reduce.h"

void *
par_out_add(struct par_out *out, size_t n)
{
	void *first;

	assert(n > 0);
	if (vec_reserve((void **)&out->data, out->len, &out->cap, n, out->item_bytes) < 0)
		return NULL;
	first = out->data + out->len * out->item_bytes;
	out->len += n;
	return first;
}

static void
out_init(void *acc, void *ctx)
{
	const struct par_collection *c = ctx;

	*(struct par_out *)acc = (struct par_out){.item_bytes = c->item_bytes};
}

static void
out_fini(void *acc, void *ctx)
{
	struct par_out *out = acc;

	(void)ctx;
	free(out->data);
}

static int
out_fold(void *acc, size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct par_collection *c = ctx;

	return c->fn(lo, hi, worker, acc, c->ctx);
}

static int
out_merge(void *acc, void *later, void *ctx)
{
	struct par_out *out = acc, *more = later;
	void *to;
	int r = 0;

	if (out->len == 0) { /* nothing to copy to */
		struct par_out empty = *out;

		*out = *more;
		*more = empty;
	} else if (more->len > 0) {
		to = par_out_add(out, more->len);
		if (to)
			memcpy(to, more->data, more->len * more->item_bytes);
		else
			r = -ENOMEM;
	}
	out_fini(more, ctx);
	return r;
}

int
par_collect(struct pool *p, enum task_class cls, size_t n, size_t grain,
	const struct par_collection *c, struct stop *stop, void **ret, size_t *ret_n)
{
	const struct par_reduction collect = {
		sizeof(struct par_out), out_init, out_fold, out_merge, out_fini, (uintptr_t)c->fn};
	struct par_collection mine = *c;
	struct par_out out;
	int r = par_reduce(p, cls, n, grain, &collect, &mine, stop, &out);

	if (r != 0)
		return r;
	*ret = out.data;
	*ret_n = out.len;
	return 0;
}
