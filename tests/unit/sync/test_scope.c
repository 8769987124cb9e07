#include "test.h"

#include <errno.h>
#include <pthread.h>

#include "sync/chan.h"
#include "sync/registry.h"
#include "sync/scope.h"

static int
square(void *arg, struct stop *stop)
{
	int *value = arg;

	(void)stop;
	*value *= *value;
	return 0;
}

TEST(scope, threads_write_into_the_stack_of_who_started_them)
{
	for (unsigned long i = 0; i < test_scale(20000); i++) {
		int values[4] = {1, 2, 3, 4};

		SCOPE(s, NULL);
		for (size_t k = 0; k < ARRAY_LEN(values); k++)
			CHECK_INT(scope_spawn(&s, "square", square, &values[k]), 0);
		CHECK_INT(scope_join(&s, NULL), 0);
		CHECK(values[0] == 1 && values[1] == 4 && values[2] == 9 && values[3] == 16);
	}
	CHECK_INT(registry_list(NULL, 0), 0);
}

/* One of several: the one whose turn it is fails, the others wait until they are stopped. */
struct member {
	struct chan *never;
	int code;
	bool finished;
};

static int
fail_or_wait(void *arg, struct stop *stop)
{
	struct member *m = arg;
	void *item;
	int r;

	if (m->code < 0)
		return err_set(thread_err(), m->code, "could not do the third");
	r = chan_recv(m->never, &item, stop);
	m->finished = true;
	return r;
}

TEST(scope, the_first_failure_stops_the_others_and_is_what_the_join_returns)
{
	struct member m[8] = {0};
	struct chan *never = chan_create(2, NULL);
	struct err err = {0};

	SCOPE(s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = (struct member){.never = never, .code = i == 3 ? -ENOSPC : 0};
		CHECK_INT(scope_spawn(&s, "member", fail_or_wait, &m[i]), 0);
	}
	CHECK_INT(scope_join(&s, &err), -ENOSPC);
	CHECK_STR(err.what, "could not do the third");
	CHECK_INT(err.code, -ENOSPC);
	CHECK_INT(s.n_failures, ARRAY_LEN(m));
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		CHECK(m[i].finished == (i != 3));
	chan_destroy(never);
}

static int
fail_silently(void *arg, struct stop *stop)
{
	(void)stop;
	return *(int *)arg;
}

TEST(scope, a_failure_without_words_names_its_thread)
{
	int code = -EACCES;
	struct err err = {0};

	SCOPE(s, NULL);
	CHECK_INT(scope_spawn(&s, "reader", fail_silently, &code), 0);
	CHECK_INT(scope_join(&s, &err), -EACCES);
	CHECK_STR(err.what, "thread \"reader\" failed: permission denied");
	code = 5;
	CHECK_INT(scope_spawn(&s, "reader", fail_silently, &code), 0);
	CHECK_INT(scope_join(&s, &err), -EACCES);
}

static int
wait_for_stop(void *arg, struct stop *stop)
{
	void *item;
	_Atomic uint32_t *ended = arg;
	struct chan *never = chan_create(2, NULL);
	int r = chan_recv(never, &item, stop);

	chan_destroy(never);
	(void)add_ar(ended, 1);
	return r;
}

static int
leave_early(_Atomic uint32_t *ended)
{
	SCOPE(s, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_INT(scope_spawn(&s, "waits", wait_for_stop, ended), 0);
	return -EIO; /* what a return in the middle looks like */
}

TEST(scope, leaving_without_a_join_stops_and_joins)
{
	_Atomic uint32_t ended = 0;

	CHECK_INT(leave_early(&ended), -EIO);
	CHECK_INT(load_acq(&ended), 3);
	CHECK_INT(registry_list(NULL, 0), 0);
}

TEST(scope, a_scope_without_threads_ends_at_once)
{
	struct err err = {0};

	SCOPE(s, NULL);
	CHECK_INT(scope_join(&s, &err), 0);
	CHECK_INT(scope_join_until(&s, 0, &err), 0);
	CHECK_INT(err.code, 0);
}

TEST(scope, fires_with_its_parent)
{
	_Atomic uint32_t ended = 0;
	struct stop parent;

	stop_init(&parent, NULL);
	{
		SCOPE(s, &parent);
		CHECK_INT(scope_spawn(&s, "waits", wait_for_stop, &ended), 0);
		stop_request(&parent);
		CHECK_INT(scope_join(&s, NULL), -ECANCELED);
	}
	stop_fini(&parent);
}

TEST(scope, a_failure_does_not_reach_the_parent)
{
	struct stop parent;
	int code = -EIO;

	stop_init(&parent, NULL);
	{
		SCOPE(s, &parent);
		CHECK_INT(scope_spawn(&s, "fails", fail_silently, &code), 0);
		CHECK_INT(scope_join(&s, NULL), -EIO);
	}
	CHECK(!stop_requested(&parent));
	stop_fini(&parent);
}

TEST(scope, a_deadline_names_who_still_runs)
{
	_Atomic uint32_t ended = 0;
	struct err err = {0};
	int code = 0;

	SCOPE(s, NULL);
	CHECK_INT(scope_spawn(&s, "quick", fail_silently, &code), 0);
	CHECK_INT(scope_join(&s, NULL), 0);
	CHECK_INT(scope_spawn(&s, "slow/1", wait_for_stop, &ended), 0);
	CHECK_INT(scope_spawn(&s, "slow/2", wait_for_stop, &ended), 0);
	CHECK_INT(scope_join_until(&s, clock_deadline(1000), &err), -EINPROGRESS);
	CHECK(strncmp(err.what, "not ended in time: \"slow/", 25) == 0);
	CHECK(strstr(err.what, "slow/1") && strstr(err.what, "slow/2") &&
		!strstr(err.what, "quick"));
	stop_request(&s.stop);
	CHECK_INT(scope_join_until(&s, USEC_NEVER, &err), -ECANCELED);
	CHECK_INT(load_acq(&ended), 2);
}

struct tree {
	struct scope *scope;
	int depth;
	_Atomic uint32_t *n;
};

static int
grow(void *arg, struct stop *stop)
{
	struct tree *t = arg, child = {t->scope, t->depth - 1, t->n};
	int r = 0;

	(void)stop;
	(void)add_ar(t->n, 1);
	free(t);
	for (int i = 0; i < 2 && child.depth > 0 && r == 0; i++) {
		struct tree *c = malloc(sizeof(*c));

		*c = child;
		r = scope_spawn(child.scope, "grow", grow, c);
		if (r < 0)
			free(c);
	}
	return r;
}

TEST(scope, a_thread_of_the_scope_may_start_others)
{
	for (unsigned long i = 0; i < test_scale(2000); i++) {
		_Atomic uint32_t n = 0;
		struct tree *root = malloc(sizeof(*root));

		SCOPE(s, NULL);
		*root = (struct tree){&s, 4, &n};
		CHECK_INT(scope_spawn(&s, "grow", grow, root), 0);
		CHECK_INT(scope_join(&s, NULL), 0);
		CHECK_INT(load_acq(&n), 15);
	}
}

/* No stack of this size can be mapped. */
static void
set_default_stack(size_t stack_bytes)
{
	pthread_attr_t attr;

	CHECK_INT(pthread_attr_init(&attr), 0);
	CHECK_INT(pthread_attr_setstacksize(&attr, stack_bytes), 0);
	CHECK_INT(pthread_setattr_default_np(&attr), 0);
	CHECK_INT(pthread_attr_destroy(&attr), 0);
}

TEST(scope, a_start_that_fails_stops_and_joins_those_before_it)
{
	_Atomic uint32_t ended = 0;
	struct err err = {0};
	int r;

	{
		SCOPE(s, NULL);
		for (int n = 0; n < 3; n++)
			CHECK_INT(scope_spawn(&s, "waits", wait_for_stop, &ended), 0);
		set_default_stack((size_t)1 << 50);
		r = scope_spawn(&s, "one-more", wait_for_stop, &ended);
		set_default_stack(1 << 20);
		CHECK(r == -EAGAIN || r == -ENOMEM);
		CHECK_INT(scope_join(&s, &err), r);
		CHECK(strncmp(err.what, "could not start thread \"one-more\": ", 35) == 0);
	}
	CHECK_INT(load_acq(&ended), 3);
	CHECK_INT(registry_list(NULL, 0), 0);
}

struct sums {
	uint64_t out[1000];
	size_t fails_at;
};

static int
fill(size_t i, void *ctx, struct stop *stop)
{
	struct sums *s = ctx;

	(void)stop;
	if (i == s->fails_at)
		return -ERANGE;
	s->out[i] = i * i;
	return 0;
}

TEST(scope, a_map_gives_results_in_the_order_of_its_input)
{
	static struct sums s;
	static const size_t sizes[] = {0, 1, 2, 7, 16, 17, 999, 1000};

	for (unsigned threads = 1; threads <= 16; threads += 5) {
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			s = (struct sums){.fails_at = SIZE_MAX};
			CHECK_INT(scope_map(threads, sizes[k], fill, &s, NULL, NULL), 0);
			for (size_t i = 0; i < ARRAY_LEN(s.out); i++)
				CHECK_INT(s.out[i], i < sizes[k] ? i * i : 0);
		}
	}
}

TEST(scope, a_map_returns_the_failure_of_an_item)
{
	static struct sums s = {.fails_at = 500};
	struct err err = {0};

	CHECK_INT(scope_map(4, 1000, fill, &s, NULL, &err), -ERANGE);
	CHECK(strstr(err.what, "\"map\""));
}
