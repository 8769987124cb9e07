#include "query/halt.h"

#include <errno.h>

#define CLOCK_PERIOD 1024u /* comparisons for one look at the clock */

struct timed_sort {
	struct stop stop; /* fires with the question's, or when a comparison finds it too late */
	usec_t deadline;
	par_cmp_fn cmp;
	void *ctx;
};

int
query_poll(const struct cursor_opts *opts)
{
	if (stop_requested(opts->stop))
		return -ECANCELED;
	if (opts->deadline != USEC_NEVER && clock_mono() >= opts->deadline)
		return -ETIMEDOUT;
	return 0;
}

static int
compare_in_time(const void *a, const void *b, void *ctx)
{
	static _Thread_local uint32_t n; /* of all sorts: only how often matters */
	struct timed_sort *t = ctx;

	if (++n % CLOCK_PERIOD == 0 && clock_mono() >= t->deadline)
		stop_request(&t->stop);
	return t->cmp(a, b, t->ctx);
}

int
query_sort_array(const struct cursor_opts *opts, void *base, size_t n, size_t size, par_cmp_fn cmp,
	void *ctx)
{
	struct timed_sort t = {.deadline = opts->deadline, .cmp = cmp, .ctx = ctx};
	int r;

	if (opts->deadline == USEC_NEVER)
		return par_sort(opts->compute, TASK_QUERY, base, n, size, cmp, ctx, opts->stop);
	stop_init(&t.stop, opts->stop);
	r = par_sort(opts->compute, TASK_QUERY, base, n, size, compare_in_time, &t, &t.stop);
	stop_fini(&t.stop);
	return r == -ECANCELED ? query_poll(opts) : r;
}
