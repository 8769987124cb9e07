#include "sync/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sync/park.h"
#include "sync/worker.h"

#define POOL_MAX_THREADS 1024u
#define SPINS 10u /* about 5 us */

/* Half made at any point; the pool is zeroed and the workers are. */
static void
free_pool(struct pool *p)
{
	for (unsigned i = 0; i < p->n_threads; i++)
		worker_fini(&p->workers[i]);
	free(p->workers);
	cond_fini(&p->broadcast_ended);
	injector_fini(&p->injector);
	pool_sleep_fini(&p->sleep);
	free(p);
}

static struct pool *
alloc_pool(const struct pool_opts *opts, unsigned n_cpus)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->n_spins = n_cpus > 1 ? SPINS : 0;
	p->on_start = opts->on_start;
	p->on_exit = opts->on_exit;
	p->ctx = opts->ctx;
	pool_sleep_init(&p->sleep);
	injector_init(&p->injector);
	cond_init(&p->broadcast_ended);
	return p;
}

static int
alloc_workers(struct pool *p, unsigned n)
{
	p->workers = aligned_alloc(CACHELINE, n * sizeof(p->workers[0]));
	if (!p->workers)
		return -ENOMEM;
	memset(p->workers, 0, n * sizeof(p->workers[0]));
	p->n_threads = n;
	store_rlx(&p->n_live, n);
	for (unsigned i = 0; i < n; i++) {
		int r = worker_init(&p->workers[i], p, i);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
start_worker(struct worker *w, const struct pool_opts *opts)
{
	struct thread_options o = {.stack_bytes = opts->stack_bytes, .doing = "tasks"};
	char name[sizeof(w->thread.name)];

	(void)snprintf(name, sizeof(name), "%s/%u", opts->name, w->index);
	return thread_start_with(&w->thread, name, &o, worker_main, w);
}

static void
close_and_join(struct pool *p)
{
	pool_close(p);
	for (unsigned i = 0; i < p->n_threads; i++)
		(void)thread_join(&p->workers[i].thread);
	free_pool(p);
}

int
pool_create_with(const struct pool_opts *opts, struct pool **ret)
{
	unsigned n_cpus = thread_cpus();
	unsigned n = MIN(opts->n_threads ? opts->n_threads : n_cpus, POOL_MAX_THREADS);
	struct pool *p = alloc_pool(opts, n_cpus);
	int r;

	if (!p)
		return -ENOMEM;
	r = alloc_workers(p, n);
	if (r < 0) {
		free_pool(p);
		return r;
	}
	for (unsigned i = 0; i < n; i++) {
		r = start_worker(&p->workers[i], opts);
		if (r < 0) {
			close_and_join(p);
			return r;
		}
	}
	*ret = p;
	return 0;
}

int
pool_create(const char *name, unsigned n_threads, struct pool **ret)
{
	struct pool_opts opts = {.name = name, .n_threads = n_threads};

	return pool_create_with(&opts, ret);
}

void
pool_destroy(struct pool *p)
{
	if (!p)
		return;
	assert(pool_current() != p);
	close_and_join(p);
}

void
pool_close(struct pool *p)
{
	injector_close(&p->injector);
	pool_sleep_wake_all(&p->sleep);
}

int
pool_wait_until(struct pool *p, usec_t deadline)
{
	uint32_t n;

	lock_assert_none();
	while ((n = load_acq(&p->n_live)) > 0) {
		if (park_wait(&p->n_live, n, deadline) == -ETIMEDOUT)
			return load_acq(&p->n_live) > 0 ? -ETIMEDOUT : 0;
	}
	return 0;
}

void
pool_drop(struct task *t, void (*drop)(struct task *t))
{
	if (!pool_run_discarded(t))
		drop(t);
}

static void
drop_nothing(struct task *t)
{
	(void)t;
}

/* A task that nobody has begun, from wherever it waits. */
static struct task *
take_back(struct pool *p)
{
	struct task *t = injector_take_waiting(&p->injector);

	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++) {
		if (!t)
			t = injector_take(&p->injector, cls);
		for (unsigned i = 0; i < p->n_threads && !t; i++) {
			t = deque_steal(&p->workers[i].spawned[cls]);
			if (t)
				(void)sub_rlx(&p->injector.n_ready[cls], 1);
		}
	}
	return t;
}

/* Workers drop what they take from now on; what they do not come to, because their tasks go on, is
 * dropped here. */
void
pool_cancel(struct pool *p, void (*drop)(struct task *t))
{
	struct pool_share *share;
	struct task *t;

	store_rel(&p->drop, drop ? drop : drop_nothing);
	pool_close(p);
	while ((t = take_back(p))) {
		share = t->share;
		pool_drop(t, load_acq(&p->drop));
		if (share)
			(void)injector_leave_share(&p->injector, share);
	}
}

int
pool_submit_share(struct pool *p, struct task *t, enum task_class cls, struct pool_share *share)
{
	int r;

	assert(cls < N_TASK_CLASSES);
	r = injector_put(&p->injector, t, cls, share);
	if (r > 0)
		pool_sleep_notify(&p->sleep);
	return MIN(r, 0);
}

int
pool_submit(struct pool *p, struct task *t, enum task_class cls)
{
	return pool_submit_share(p, t, cls, NULL);
}

int
pool_spawn(struct pool *p, struct task *t, enum task_class cls)
{
	struct worker *w = worker_self;

	if (!w || w->pool != p)
		return pool_submit(p, t, cls);
	assert(cls < N_TASK_CLASSES);
	if (load_acq(&p->injector.closed))
		return -EPIPE;
	t->cls = cls;
	t->share = NULL;
	(void)add_sc(&p->injector.n_ready[cls], 1); /* N1 of note: pool sleep */
	if (deque_push(&w->spawned[cls], t) < 0)
		injector_put_back(&p->injector, t);
	pool_sleep_notify(&p->sleep);
	return 0;
}

struct pool *
pool_current(void)
{
	return worker_self ? worker_self->pool : NULL;
}

unsigned
pool_worker(void)
{
	return worker_self ? worker_self->index : 0;
}

unsigned
pool_threads(const struct pool *p)
{
	return p->n_threads;
}

uint64_t
pool_n_waiting(const struct pool *p, enum task_class cls)
{
	return load_rlx(&p->injector.n_ready[cls]);
}

bool
pool_should_yield(const struct pool *p, enum task_class cls)
{
	for (unsigned upper = 0; upper < cls; upper++) {
		if (load_rlx(&p->injector.n_ready[upper]) > 0)
			return true;
	}
	return false;
}

void
pool_get_stats(const struct pool *p, struct pool_stats *ret)
{
	*ret = (struct pool_stats){
		.n_threads = p->n_threads, .n_asleep = load_rlx(&p->sleep.n_idle)};
	for (unsigned i = 0; i < p->n_threads; i++) {
		const struct worker *w = &p->workers[i];

		for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++)
			ret->n_run[cls] += load_rlx(&w->n_run[cls]);
		ret->n_stolen += load_rlx(&w->n_stolen);
		ret->n_sleeps += load_rlx(&w->n_sleeps);
		ret->n_busy += load_rlx(&w->busy);
	}
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++)
		ret->n_waiting += load_rlx(&p->injector.n_ready[cls]);
}
