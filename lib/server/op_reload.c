#include <errno.h>

#include "server/ops.h"

/* In the loop; who asked for it may have gone meanwhile. With `done` it is the reload that posts.
 */
static void
start_reload(struct waker *w, server_done done)
{
	const struct server_ops *ops;
	struct err err = {0};
	int r;

	if (!w->job) {
		waker_unref(w);
		return;
	}
	ops = &w->job->server->ops;
	r = ops->reload(ops->ctx, done, w, &err);
	if (r < 0 || !done)
		waker_post(w, r, &err);
}

static void
reload_and_wait(void *arg)
{
	start_reload(arg, waker_post);
}

static void
reload_alone(void *arg)
{
	start_reload(arg, NULL);
}

static int
begin_reload(struct job *j)
{
	bool wait = false;
	struct waker *w;
	int r = param_bool(j, "wait", &wait);

	if (r < 0)
		return r;
	w = job_waker(j);
	if (!w)
		return job_fail_code(j, -ENOMEM);
	r = server_post(j->server, wait ? reload_and_wait : reload_alone, waker_ref(w));
	if (r == 0)
		return JOB_SLEEPS;
	waker_unref(w);
	return job_fail_code(j, r);
}

int
op_reload(struct job *j, struct strbuf *out)
{
	struct waker *w = j->waker;

	if (!w)
		return begin_reload(j);
	if (!waker_posted(w))
		return JOB_SLEEPS;
	if (w->result < 0) {
		w->err.code = w->result;
		return job_fail(j, CODE_BAD_CONFIG, &w->err);
	}
	answer_end(out, strbuf_view(&j->id), clock_mono() - j->arrived_usec);
	return 0;
}
