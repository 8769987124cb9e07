#include "server/job.h"

#include <errno.h>

#include "server/conn.h"
#include "server/stream.h"

struct principal *
principal_acquire(struct server *s, uid_t uid)
{
	struct principal *p;

	LIST_EACH (&s->principals, it) {
		p = LIST_ITEM(it, struct principal, link);
		if (p->uid == uid) {
			p->refs++;
			return p;
		}
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->uid = uid;
	p->refs = 1;
	list_init(&p->waiting);
	list_push_back(&s->principals, &p->link);
	return p;
}

void
principal_release(struct server *s, struct principal *p)
{
	(void)s;
	if (--p->refs > 0)
		return;
	assert(p->n_running == 0 && list_empty(&p->waiting));
	list_remove(&p->link);
	free(p);
}

static void
pause_timer(struct job *j)
{
	usec_t now = clock_mono();

	if (j->timer_deadline == USEC_NEVER)
		return;
	(void)event_del(&j->timer);
	j->time_left_usec = j->timer_deadline > now ? j->timer_deadline - now : 0;
	j->timer_deadline = USEC_NEVER;
}

static void
run_timer(struct job *j)
{
	struct timeval tv = timeval_of(j->time_left_usec);

	if (j->timer_deadline != USEC_NEVER)
		return;
	j->timer_deadline = clock_deadline(j->time_left_usec);
	(void)event_add(&j->timer, &tv);
}

static void
renew_time(struct job *j)
{
	bool runs = j->timer_deadline != USEC_NEVER;

	pause_timer(j);
	j->time_left_usec = j->limit_usec;
	if (runs)
		run_timer(j);
}

/* All of the credit that is here goes to the worker (note: credit). */
static void
give_credit(struct job *j)
{
	uint32_t n = j->n_owed;

	j->n_owed = 0;
	if (n == 0)
		return;
	if (add_ar(&j->credit, n) == 0 && pool_submit(j->work.pool, &j->task, TASK_QUERY) < 0)
		stream_refused(j);
}

/* Into WAITING, from PARKED or ASLEEP or the beginning. */
static void
begin_waiting(struct job *j)
{
	j->state_now = JOB_WAITING;
	list_push_back(&j->principal->waiting, &j->turn);
	(void)add_rlx(&j->server->counters.n_waiting, 1);
}

static void
end_waiting(struct job *j)
{
	list_remove(&j->turn);
	(void)sub_rlx(&j->server->counters.n_waiting, 1);
}

static void
end_sleep(struct job *j)
{
	(void)event_del(&j->timer);
	j->time_left_usec = j->limit_usec;
}

/* Any state but RUNNING into RUNNING. */
static void
begin_running(struct job *j)
{
	struct server *s = j->server;

	if (j->state_now == JOB_WAITING)
		end_waiting(j);
	else if (j->state_now == JOB_ASLEEP)
		end_sleep(j);
	j->state_now = JOB_RUNNING;
	j->principal->n_running++;
	(void)add_rlx(&s->counters.n_running, 1);
	run_timer(j);
}

/* Start those whose turn it is. */
static void
fill_slots(struct server *s, struct principal *p)
{
	while (p->n_running < s->limits.max_queries_principal && !list_empty(&p->waiting)) {
		struct job *j = LIST_ITEM(p->waiting.next, struct job, turn);

		begin_running(j);
		give_credit(j);
	}
}

static void
end_running(struct job *j)
{
	j->principal->n_running--;
	(void)sub_rlx(&j->server->counters.n_running, 1);
	pause_timer(j);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;

	(void)fd;
	(void)what;
	if (j->state_now == JOB_ASLEEP)
		job_wake(j);
	else
		job_stop(j, JOB_STOP_TIMEOUT);
}

static int
init_job(struct job *j, struct conn *c, struct span id)
{
	struct server *s = c->server;

	if (strbuf_span(&j->id, id) < 0 ||
		event_assign(&j->timer, s->base, -1, 0, on_timeout, j) < 0)
		return -ENOMEM;
	list_init(&j->turn);
	list_init(&j->of_conn);
	list_init(&j->subscriber);
	j->server = s;
	j->arrived_usec = clock_mono();
	j->rows_default = s->limits.rows_default;
	j->timer_deadline = j->sleep_until = USEC_NEVER;
	j->n_owed = JOB_CREDIT;
	j->task.run = job_run;
	return 0;
}

static void
begin_subscription(struct job *j)
{
	list_push_back(&j->server->subscribers, &j->subscriber);
	(void)add_rlx(&j->server->counters.n_subscriptions, 1);
	j->principal->n_subscribers++;
	j->conn->n_subscribers++;
}

static void
end_subscription(struct job *j)
{
	if (list_empty(&j->subscriber))
		return;
	list_remove(&j->subscriber);
	(void)sub_rlx(&j->server->counters.n_subscriptions, 1);
	j->principal->n_subscribers--;
}

int
job_start(struct conn *c, struct msg *m, struct span id, const struct job_work *work,
	usec_t timeout_usec, bool timeout_asked)
{
	struct server *s = c->server;
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	if (init_job(j, c, id) < 0) {
		strbuf_fini(&j->id);
		free(j);
		return -ENOMEM;
	}
	stop_init(&j->stop, &s->stop);
	j->msg = m;
	j->work = *work;
	j->time_left_usec = j->limit_usec = timeout_usec;
	j->conn = c;
	list_push_back(&c->jobs, &j->of_conn);
	c->n_jobs++;
	s->n_jobs++;
	j->principal = c->principal;
	j->principal->refs++;
	if (work->subscribes)
		begin_subscription(j);
	if (timeout_asked)
		run_timer(j);
	begin_waiting(j);
	fill_slots(s, j->principal);
	return 0;
}

struct job *
job_find(struct conn *c, struct span id)
{
	LIST_EACH (&c->jobs, it) {
		struct job *j = LIST_ITEM(it, struct job, of_conn);

		if (span_eq(strbuf_view(&j->id), id))
			return j;
	}
	return NULL;
}

/* A job that is to stop gets its last step at once. */
static void
hurry(struct job *j)
{
	if (j->state_now != JOB_RUNNING)
		begin_running(j);
	give_credit(j);
}

void
job_stop(struct job *j, enum job_stop reason)
{
	if (load_rlx(&j->stop_reason) != JOB_GOES_ON)
		return;
	store_rlx(&j->stop_reason, (int)reason);
	stop_request(&j->stop);
	hurry(j);
}

void
jobs_stop(struct conn *c, enum job_stop reason)
{
	LIST_EACH (&c->jobs, it)
		job_stop(LIST_ITEM(it, struct job, of_conn), reason);
}

/* All credit is here: nobody works for it. One that has not begun is not to make its first buffers
 * for a client that does not read either. */
static void
park(struct job *j)
{
	if (j->state_now == JOB_WAITING) {
		end_waiting(j);
		pause_timer(j);
	} else {
		end_running(j);
	}
	j->state_now = JOB_PARKED;
	fill_slots(j->server, j->principal);
}

static bool
is_stopping(const struct job *j)
{
	return load_rlx(&j->stop_reason) != JOB_GOES_ON;
}

static bool
is_choked(const struct job *j)
{
	return j->conn && j->conn->choked;
}

static void
resume(struct job *j)
{
	bool choked = is_choked(j);

	if (j->n_owed == 0 || (j->state_now == JOB_WAITING && !choked))
		return;
	if (is_stopping(j)) {
		hurry(j);
	} else if (j->sleeps) {
		return; /* job_wake() goes on with it */
	} else if (choked) {
		if (j->n_owed == JOB_CREDIT && j->state_now != JOB_PARKED)
			park(j);
	} else if (j->state_now == JOB_PARKED) {
		begin_waiting(j);
		fill_slots(j->server, j->principal);
	} else {
		give_credit(j);
	}
}

void
jobs_resume(struct conn *c)
{
	LIST_EACH (&c->jobs, it)
		resume(LIST_ITEM(it, struct job, of_conn));
}

/* Some of the credit may still be on its way with a step that was queued meanwhile; that one's
 * buffer brings it (note: sleep). */
static void
fall_asleep(struct job *j, usec_t until)
{
	usec_t now = clock_mono();
	struct timeval tv = timeval_of(until > now ? until - now : 0);

	j->sleeps = true;
	if (j->n_owed < JOB_CREDIT)
		return;
	end_running(j);
	j->state_now = JOB_ASLEEP;
	if (until != USEC_NEVER)
		(void)event_add(&j->timer, &tv);
	fill_slots(j->server, j->principal);
}

void
job_wake(struct job *j)
{
	if (!j->sleeps) {
		j->woken = true;
		return;
	}
	j->sleeps = false;
	if (j->state_now != JOB_ASLEEP) {
		give_credit(j);
		return;
	}
	end_sleep(j);
	if (is_choked(j)) {
		j->state_now = JOB_PARKED;
		return;
	}
	begin_waiting(j);
	fill_slots(j->server, j->principal);
}

/* A buffer came that ends in sleep. */
static void
take_sleep(struct job *j, usec_t until)
{
	if (is_stopping(j)) {
		hurry(j);
	} else if (j->woken) {
		j->woken = false;
		give_credit(j);
	} else {
		fall_asleep(j, until);
	}
}

static void
detach(struct job *j)
{
	if (!j->conn)
		return;
	list_remove(&j->of_conn);
	j->conn->n_jobs--;
	j->conn->n_subscribers -= !list_empty(&j->subscriber);
	j->conn = NULL;
}

void
jobs_abandon(struct conn *c)
{
	LIST_EACH (&c->jobs, it) {
		struct job *j = LIST_ITEM(it, struct job, of_conn);

		detach(j);
		job_stop(j, JOB_STOP_GONE);
	}
}

static void
free_job(struct job *j)
{
	struct server *s = j->server;

	end_running(j);
	detach(j);
	end_subscription(j);
	if (j->waker) {
		j->waker->job = NULL;
		waker_unref(j->waker);
	}
	(void)event_del(&j->timer);
	stop_fini(&j->stop);
	fill_slots(s, j->principal);
	principal_release(s, j->principal);
	msg_free(j->msg);
	strbuf_fini(&j->id);
	free(j);
	s->n_jobs--;
}

/* A buffer came from a worker. */
void
job_received(struct job *j, struct chunk *k)
{
	struct conn *c = j->conn;
	bool empty = k->bytes.len == 0 && !k->bytes.failed;

	j->n_owed += k->credit;
	if (k->last) /* writing may kill the connection, which gives all of its jobs one more step
	              */
		detach(j);
	if (c && !empty) {
		conn_write_buffer(c, &k->bytes);
		conn_mark_dirty(c);
	}
	j->sleeps = false;
	if (k->renews)
		renew_time(j);
	if (k->last)
		free_job(j);
	else if (k->sleeps)
		take_sleep(j, k->sleep_until);
	else if (!c)
		hurry(j);
}
