#include "test.h"

#include <sched.h>

#include "sync/park.h"
#include "sync/pool.h"

struct shared {
	struct pool_share share;
	_Atomic unsigned n_running, n_most, n_run;
	unsigned order[1000]; /* written one at a time when the share is 1 */
	unsigned n_order;
};

struct member {
	struct task task;
	struct shared *of;
	unsigned number;
};

static void
note_most(struct shared *s, unsigned n)
{
	unsigned seen = load_rlx(&s->n_most);

	while (n > seen && !cas_weak_rlx(&s->n_most, &seen, n))
		;
}

static void
member_run(struct task *t)
{
	struct member *m = CONTAINER_OF(t, struct member, task);
	struct shared *s = m->of;

	note_most(s, add_rlx(&s->n_running, 1) + 1);
	if (m->number % 7 == 0)
		sched_yield();
	if (s->share.max == 1)
		s->order[s->n_order++] = m->number; /* no race: ordered by the share */
	(void)sub_rlx(&s->n_running, 1);
	(void)add_rlx(&s->n_run, 1);
}

static void
run_members(unsigned max)
{
	struct member *members = calloc(1000, sizeof(*members));
	struct shared s = {0};
	struct pool *p;

	CHECK_INT(pool_create("test", 6, &p), 0);
	pool_share_init(&s.share, max);
	for (unsigned i = 0; i < 1000; i++) {
		members[i] = (struct member){.task.run = member_run, .of = &s, .number = i};
		CHECK_INT(pool_submit_share(p, &members[i].task, TASK_INDEX, &s.share), 0);
	}
	pool_destroy(p);
	CHECK_INT(s.n_run, 1000);
	CHECK(s.n_most <= max);
	for (unsigned i = 0; i < s.n_order; i++)
		CHECK_INT(s.order[i], i);
	pool_share_fini(&s.share);
	free(members);
}

TEST(pool_share, no_more_run_at_once_than_it_allows)
{
	for (unsigned long i = test_scale(1000) + 1; i > 0; i--) {
		run_members(1);
		run_members(3);
	}
}

struct blocked {
	struct task task;
	_Atomic uint32_t *open;
};

static void
blocked_run(struct task *t)
{
	struct blocked *b = CONTAINER_OF(t, struct blocked, task);

	while (!load_acq(b->open))
		(void)park_wait(b->open, 0, USEC_NEVER);
}

static int
return_one(void *arg)
{
	(void)arg;
	return 1;
}

/* A mount that hangs. */
TEST(pool_share, tasks_that_wait_for_a_slot_hold_no_worker)
{
	struct blocked tasks[10];
	_Atomic uint32_t open = 0;
	struct pool_share share;
	struct pool_stats s;
	struct pool *p;

	CHECK_INT(pool_create("test", 3, &p), 0);
	pool_share_init(&share, 2);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		tasks[i] = (struct blocked){.task.run = blocked_run, .open = &open};
		CHECK_INT(pool_submit_share(p, &tasks[i].task, TASK_QUERY, &share), 0);
	}
	for (int i = 0; i < 100; i++)
		CHECK_INT(pool_run(p, TASK_INDEX, return_one, NULL), 1);
	pool_get_stats(p, &s);
	CHECK_INT(s.n_run[TASK_QUERY], 2);
	CHECK_INT(s.n_waiting, 0);
	store_rel(&open, 1);
	park_wake(&open, UINT32_MAX);
	pool_destroy(p);
	pool_share_fini(&share);
}

struct last {
	struct task task;
	_Atomic uint32_t *ran;
};

static void
last_run(struct task *t)
{
	(void)add_ar(CONTAINER_OF(t, struct last, task)->ran, 1);
}

/* Its owner sees the last task run and takes the share away, while the slot is being given back. */
TEST(pool_share, may_go_when_its_last_task_was_run)
{
	struct pool *p;

	CHECK_INT(pool_create("test", 2, &p), 0);
	for (unsigned long i = test_scale(300000); i > 0; i--) {
		struct pool_share *share = malloc(sizeof(*share));
		_Atomic uint32_t ran = 0;
		struct last tasks[2] = {
			{.task.run = last_run, .ran = &ran}, {.task.run = last_run, .ran = &ran}};

		pool_share_init(share, 1);
		for (size_t k = 0; k < 2; k++)
			CHECK_INT(
				pool_submit_share(p, &tasks[k].task, k % N_TASK_CLASSES, share), 0);
		while (load_acq(&ran) < 2)
			sched_yield();
		pool_share_fini(share);
		free(share);
	}
	pool_destroy(p);
}
