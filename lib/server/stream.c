#include "server/stream.h"

#include <errno.h>

/* The slot is the worker's again as soon as its credit is given back, which job_received() may do:
 * hence the copy. */
static void
chunk_deliver(struct mail *m)
{
	struct chunk k = *CONTAINER_OF(m, struct chunk, mail);

	counter_add(&k.job->server->counters.n_rows, k.n_rows);
	job_received(k.job, &k);
	strbuf_fini(&k.bytes);
}

int
job_fail(struct job *j, enum answer_code code, const struct err *err)
{
	j->failure = (struct failure){code, *err};
	return err->code < 0 ? err->code : -EINVAL;
}

int
job_fail_code(struct job *j, int error)
{
	struct err err = {.code = error};

	if (error == -EOVERFLOW)
		(void)err_set(&err, error, "a pattern reached its match limit");
	return job_fail(j, answer_code_of(error), &err);
}

/* What a stop is called depends on who asked for it. */
static void
explain_stop(struct job *j)
{
	struct err *err = &j->failure.err;

	switch ((enum job_stop)load_rlx(&j->stop_reason)) {
	case JOB_STOP_TIMEOUT:
		j->failure.code = CODE_TIMEOUT;
		(void)err_set(err, -ETIMEDOUT, "the time limit was reached");
		(void)err_hint(err, "narrow the query or give a longer timeout_ms");
		return;
	case JOB_STOP_SERVER:
		j->failure.code = CODE_STOPPING;
		(void)err_set(err, -ECANCELED, "the daemon is stopping");
		return;
	case JOB_GOES_ON:
	case JOB_STOP_CANCELED:
	case JOB_STOP_GONE:
		j->failure.code = CODE_CANCELED;
		(void)err_set(err, -ECANCELED, "the request was canceled");
		return;
	}
}

static void
write_failure(struct job *j, int error, struct strbuf *out)
{
	if (error == -ECANCELED || error == -ETIMEDOUT || stop_requested(&j->stop))
		explain_stop(j);
	counter_add(&j->server->counters.n_errors, 1);
	answer_error(out, strbuf_view(&j->id), j->failure.code, &j->failure.err);
}

static int
take_step(struct job *j, struct strbuf *out)
{
	int r = stop_requested(&j->stop) ? -ECANCELED : 0;

	if (r == 0 && j->work.syncs)
		r = job_await_sync(j);
	return r == 0 ? j->work.step(j, out) : r;
}

/* Fill one buffer. A request that ran out of memory in the middle of a line takes its bytes back,
 * so that the error stands on a line of its own. */
static void
fill_chunk(struct job *j, struct chunk *k)
{
	int r = take_step(j, &k->bytes);

	if (k->bytes.failed) {
		strbuf_reset(&k->bytes);
		r = job_fail_code(j, -ENOMEM);
	}
	if (r < 0)
		write_failure(j, r, &k->bytes);
	if (r <= 0 && j->state)
		j->work.fini(TAKE_PTR(j->state));
	k->n_rows = j->n_rows;
	k->last = r <= 0;
	k->sleeps = r == JOB_SLEEPS;
	k->sleep_until = j->sleep_until;
	k->renews = j->renews;
}

static struct chunk *
next_chunk(struct job *j)
{
	struct chunk *k = &j->chunks[j->n_made++ % JOB_CREDIT];

	*k = (struct chunk){.mail.deliver = chunk_deliver, .job = j, .credit = 1};
	return k;
}

/* Nobody else wants the worker, so the next step is taken here: queuing it would wake another one,
 * on a processor that the loop or the client has use for. Not for ever: there are broadcasts. */
static bool
has_the_floor(const struct job *j, unsigned n_steps)
{
	return n_steps < JOB_CREDIT && pool_n_waiting(j->work.pool, TASK_QUERY) == 0 &&
	       pool_n_waiting(j->work.pool, TASK_INDEX) == 0;
}

/* Worker: one step. After the last chunk, one that sleeps, or after giving the last credit away,
 * the job is not ours any more (notes: credit, sleep in job.h). When the pool is closing the steps
 * go on here: they end soon, and the loop waits for the last. */
void
job_run(struct task *t)
{
	struct job *j = CONTAINER_OF(t, struct job, task);
	struct server *s = j->server;
	unsigned n_steps = 0;
	bool over;

	do {
		struct chunk *k = next_chunk(j);

		j->n_rows = 0;
		j->renews = false;
		fill_chunk(j, k);
		over = k->last || k->sleeps;
		if (k->sleeps)
			k->credit = swap_ar(&j->credit, 0);
		(void)server_send(s, &k->mail);
	} while (!over && sub_ar(&j->credit, 1) > 1 &&
		 (has_the_floor(j, ++n_steps) ||
			 pool_submit(j->work.pool, &j->task, TASK_QUERY) < 0));
}

/* Loop: there is no step now, so the worker's part of the job is ours. */
void
stream_refused(struct job *j)
{
	struct chunk *k = next_chunk(j);
	struct err err = {0};

	(void)err_set(&err, -ECANCELED, "the daemon is stopping");
	(void)job_fail(j, CODE_STOPPING, &err);
	if (j->state)
		j->work.fini(TAKE_PTR(j->state));
	answer_error(&k->bytes, strbuf_view(&j->id), j->failure.code, &j->failure.err);
	k->last = true;
	(void)server_send(j->server, &k->mail);
}
