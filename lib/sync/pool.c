#include "sync/pool.h"

#include <errno.h>
#include <stdio.h>

#include "sync/thread.h"

#define POOL_MAX_THREADS 1024u
#define UPPER_BEFORE_LOWER 64u /* tasks of the upper class in a row while the lower one waits */

struct pool {
	/* Fixed at create. */
	unsigned n_threads;

	/* Figures, read without the lock by pool_should_yield() and for statistics. Relaxed:
	 * nothing is published through them. */
	_Atomic uint64_t n_waiting[N_TASK_CLASSES];
	_Atomic unsigned n_busy;
	struct counter n_run[N_TASK_CLASSES];

	/* Guarded by lock (RANK_POOL). */
	struct lock lock;
	struct cond work; /* a task was queued, or closed */
	struct list queues[N_TASK_CLASSES];
	unsigned n_idle; /* asleep on `work` */
	bool closed;

	/* Owner of the pool. */
	struct thread threads[];
};

/* `in_row`: how many of the upper class this worker took while the lower one waited. */
static struct task *
take_locked(struct pool *p, unsigned *in_row)
{
	bool lower_waits = !list_empty(&p->queues[TASK_INDEX]);
	enum task_class cls = TASK_QUERY;
	struct list *link;

	if (lower_waits && (list_empty(&p->queues[TASK_QUERY]) || *in_row >= UPPER_BEFORE_LOWER))
		cls = TASK_INDEX;
	link = list_pop_front(&p->queues[cls]);
	if (!link)
		return NULL;
	*in_row = cls == TASK_QUERY && lower_waits ? *in_row + 1 : 0;
	(void)sub_rlx(&p->n_waiting[cls], 1);
	counter_add(&p->n_run[cls], 1);
	return LIST_ITEM(link, struct task, link);
}

/* NULL: closed and drained. */
static struct task *
next_task(struct pool *p, bool was_busy, unsigned *in_row)
{
	LOCK_SCOPE(&p->lock);
	struct task *t;

	if (was_busy)
		(void)sub_rlx(&p->n_busy, 1);
	while (!(t = take_locked(p, in_row))) {
		if (p->closed)
			return NULL;
		p->n_idle++;
		cond_wait(&p->work, &p->lock);
		p->n_idle--;
	}
	(void)add_rlx(&p->n_busy, 1);
	return t;
}

static int
worker_main(void *arg)
{
	struct pool *p = arg;
	unsigned in_row = 0;
	struct task *t = next_task(p, false, &in_row);

	while (t) {
		t->run(t); /* t may be gone now */
		lock_assert_none();
		t = next_task(p, true, &in_row);
	}
	return 0;
}

static struct pool *
pool_alloc(unsigned n_threads)
{
	struct pool *p = calloc(1, sizeof(*p) + n_threads * sizeof(p->threads[0]));

	if (!p)
		return NULL;
	p->n_threads = n_threads;
	lock_init(&p->lock, RANK_POOL, "pool");
	cond_init(&p->work);
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++)
		list_init(&p->queues[cls]);
	return p;
}

int
pool_create(const char *name, unsigned n_threads, struct pool **ret)
{
	struct pool *p;

	if (n_threads == 0)
		n_threads = thread_cpus();
	p = pool_alloc(MIN(n_threads, POOL_MAX_THREADS));
	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < p->n_threads; i++) {
		char full[sizeof(p->threads[i].name)];
		int r;

		(void)snprintf(full, sizeof(full), "%s/%u", name, i);
		r = thread_start(&p->threads[i], full, worker_main, p);
		if (r < 0) {
			pool_destroy(p);
			return r;
		}
	}
	*ret = p;
	return 0;
}

void
pool_close(struct pool *p)
{
	LOCK_SCOPE(&p->lock);

	p->closed = true;
	cond_broadcast(&p->work);
}

void
pool_destroy(struct pool *p)
{
	if (!p)
		return;
	pool_close(p);
	for (unsigned i = 0; i < p->n_threads; i++)
		(void)thread_join(&p->threads[i]);
	cond_fini(&p->work);
	lock_fini(&p->lock);
	free(p);
}

/* A sleeper is woken for each task while there are sleepers: a worker that is busy takes the next
 * task without a wake-up anyway. */
int
pool_submit(struct pool *p, struct task *t, enum task_class cls)
{
	LOCK_SCOPE(&p->lock);

	if (p->closed)
		return -EPIPE;
	list_push_back(&p->queues[cls], &t->link);
	(void)add_rlx(&p->n_waiting[cls], 1);
	if (p->n_idle > 0)
		cond_signal(&p->work);
	return 0;
}

unsigned
pool_threads(const struct pool *p)
{
	return p->n_threads;
}

bool
pool_should_yield(const struct pool *p, enum task_class cls)
{
	for (unsigned upper = 0; upper < cls; upper++) {
		if (load_rlx(&p->n_waiting[upper]) > 0)
			return true;
	}
	return false;
}

void
pool_get_stats(const struct pool *p, struct pool_stats *ret)
{
	*ret = (struct pool_stats){.n_threads = p->n_threads, .n_busy = load_rlx(&p->n_busy)};
	for (unsigned cls = 0; cls < N_TASK_CLASSES; cls++) {
		ret->n_run[cls] = counter_get(&p->n_run[cls]);
		ret->n_waiting += load_rlx(&p->n_waiting[cls]);
	}
}
