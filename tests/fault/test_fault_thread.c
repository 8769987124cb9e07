/* Threads: the nth start fails, its siblings are stopped and joined, the first failure is told. */
#include "fault.h"

#include <errno.h>
#include <string.h>

#include "sync/chan.h"
#include "sync/registry.h"
#include "sync/scope.h"
#include "sync/waitgroup.h"

#define N_THREADS 8u

static _Atomic unsigned n_began, n_ended; /* relaxed: read when all are joined */

static int
wait_for_stop(void *arg, struct stop *stop)
{
	void *item;
	int r;

	(void)add_rlx(&n_began, 1);
	r = chan_recv(arg, &item, stop);
	(void)add_rlx(&n_ended, 1);
	return r == -EPIPE ? 0 : r;
}

/* The channel is closed only when all could be started: else the token must end the waits. */
static int
scope(void *arg)
{
	struct chan *never = chan_create(1, NULL);
	struct err err = {0};
	unsigned n = 0;
	int r = 0, first = 0;

	(void)arg;
	if (!never)
		return -ENOMEM;
	{
		SCOPE(s, NULL);

		for (unsigned i = 0; i < N_THREADS; i++) {
			r = scope_spawn(&s, "worker", wait_for_stop, never);
			first = first ? first : r;
			n += r == 0;
		}
		if (first == 0)
			chan_close(never);
		r = scope_join(&s, &err);
	}
	chan_destroy(never);
	FAULT_CHECK(r == first && n == load_rlx(&n_began) && n == load_rlx(&n_ended));
	FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	FAULT_CHECK(registry_list(NULL, 0) == 0);
	return r;
}

/* An early return: nothing is left behind although nobody joins. */
static int
scope_left(void *arg)
{
	struct chan *never = chan_create(1, NULL);
	int r = 0;

	(void)arg;
	if (!never)
		return -ENOMEM;
	{
		SCOPE(s, NULL);

		for (unsigned i = 0; i < N_THREADS && r == 0; i++)
			r = scope_spawn(&s, "worker", wait_for_stop, never);
	}
	FAULT_CHECK(load_rlx(&n_began) == load_rlx(&n_ended));
	chan_destroy(never);
	return r;
}

/* Threads that start further ones. */
struct tree {
	struct scope *scope;
	unsigned depth;
};
static const struct tree *trees;

static int
grow(void *arg, struct stop *stop)
{
	const struct tree *t = arg;
	int r = 0;

	(void)stop;
	(void)add_rlx(&n_began, 1);
	for (int i = 0; i < 2 && t->depth > 0 && r == 0; i++)
		r = scope_spawn(t->scope, "branch", grow, (void *)(uintptr_t)&trees[t->depth - 1]);
	return r;
}

static int
scope_tree(void *arg)
{
	struct err err = {0};
	struct scope s;
	struct tree levels[3];
	int r;

	(void)arg;
	scope_init(&s, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(levels); i++)
		levels[i] = (struct tree){&s, i};
	trees = levels;
	(void)scope_spawn(&s, "root", grow, &levels[2]);
	r = scope_join(&s, &err);
	FAULT_CHECK(r < 0 || load_rlx(&n_began) == 7);
	scope_fini(&s);
	return r;
}

static int
square(size_t i, void *ctx, struct stop *stop)
{
	(void)stop;
	((size_t *)ctx)[i] = i * i;
	return 0;
}

static int
map(void *arg)
{
	size_t squares[1000];
	struct err err = {0};
	int r = scope_map(N_THREADS, ARRAY_LEN(squares), square, squares, NULL, &err);

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(squares) && r == 0; i++)
		FAULT_CHECK(squares[i] == i * i);
	FAULT_CHECK(r == 0 || err.code == r);
	return r;
}

static int
say_done(void *arg)
{
	waitgroup_done(arg);
	return 0;
}

static int
registry(void *arg)
{
	struct waitgroup left = {0};
	int r = 0;

	(void)arg;
	for (unsigned i = 0; i < N_THREADS && r == 0; i++) {
		waitgroup_add(&left, 1);
		r = registry_start("owned", say_done, &left);
		if (r < 0)
			waitgroup_done(&left);
	}
	waitgroup_wait(&left);
	FAULT_CHECK(registry_join_all(USEC_NEVER) == 0);
	FAULT_CHECK(registry_list(NULL, 0) == 0);
	return r;
}

static int
start(void *arg)
{
	struct waitgroup left = {0};
	struct thread t;
	int r;

	(void)arg;
	waitgroup_add(&left, 1);
	r = thread_start(&t, "plain", say_done, &left);
	FAULT_CHECK(thread_join(&t) == 0); /* legal for one that was not started */
	FAULT_CHECK(registry_list(NULL, 0) == 0);
	return r;
}

static const struct fault_case cases[] = {
	{.name = "start", .run = start, .flags = FAULT_STRICT, .min_calls = 1},
	{.name = "scope",
		.run = scope,
		.kinds = FAULT_THREAD,
		.flags = FAULT_STRICT,
		.min_calls = 8},
	{.name = "scope, memory too", .run = scope, .min_calls = 18},
	{.name = "scope, left early", .run = scope_left, .min_calls = 18},
	{.name = "scope, a tree", .run = scope_tree, .flags = FAULT_STRICT, .min_calls = 14},
	{.name = "scope_map", .run = map, .flags = FAULT_STRICT, .min_calls = 17},
	{.name = "registry", .run = registry, .flags = FAULT_STRICT, .min_calls = 16},
};

FAULT_MAIN(cases)
