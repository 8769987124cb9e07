/*
 * "sync_ms": an answer that has everything in it that happened before the request came.
 *
 * The daemon is asked to look at all that was changed up to now; until it has, at most so long, the
 * request sleeps. Then it goes on in any case, and its end says whether it was in time.
 */
#include <errno.h>

#include "server/ops.h"

#define SYNC_MAX_MSEC 60000u

static int
begin_sync(struct job *j, usec_t deadline)
{
	const struct server_ops *ops = &j->server->ops;
	struct waker *w = job_waker(j);
	int r;

	if (!w)
		return -ENOMEM;
	r = ops->sync(ops->ctx, deadline, waker_post, waker_ref(w));
	if (r < 0)
		waker_unref(w); /* nobody will post */
	return r;
}

static int
read_sync(struct job *j)
{
	uint64_t msec = 0;
	int r = param_u64(j, "sync_ms", SYNC_MAX_MSEC, &msec);

	j->sync = SYNC_UNASKED;
	if (r < 0 || msec == 0)
		return r;
	j->sync = SYNC_LATE;
	j->sleep_until = clock_deadline(msec * USEC_PER_MSEC);
	if (!j->server->ops.sync || begin_sync(j, j->sleep_until) < 0)
		return 0; /* it could not be had: the end says so */
	j->sync = SYNC_WAITS;
	return 0;
}

int
job_await_sync(struct job *j)
{
	int r = j->sync == SYNC_UNREAD ? read_sync(j) : 0;

	if (r < 0 || j->sync != SYNC_WAITS)
		return r;
	if (!waker_posted(j->waker) && clock_mono() < j->sleep_until)
		return JOB_SLEEPS;
	j->sync = waker_posted(j->waker) && j->waker->result == 0 ? SYNC_DONE : SYNC_LATE;
	j->sleep_until = USEC_NEVER;
	return 0;
}
