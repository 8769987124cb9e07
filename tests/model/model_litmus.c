/* The classic small programs: what each order of sync/atomic.h promises, and that the explorer
 * shows what a weaker one does not. */
#include "model.h"

#include "sync/thread.h"

static _Atomic uint32_t x, y;
static uint32_t data;
static uint32_t r[4];

static void
run_threads(int (*const *fns)(void *), unsigned n)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct thread t[4];

	store_sc(&x, 0);
	store_sc(&y, 0);
	data = 0;
	for (unsigned i = 0; i < 4; i++)
		r[i] = 99;
	for (unsigned i = 0; i < n; i++)
		CHECK_MODEL(thread_start(&t[i], names[i], fns[i], NULL) == 0);
	for (unsigned i = 0; i < n; i++)
		(void)thread_join(&t[i]);
}

#define RUN(...)                                                    \
	do {                                                        \
		static int (*const fns_[])(void *) = {__VA_ARGS__}; \
		run_threads(fns_, (unsigned)ARRAY_LEN(fns_));       \
	} while (0)

/* MP, message passing: who sees the flag sees what was written before it. */
static int
mp_write(void *arg)
{
	(void)arg;
	data = 1;
	store_rel(&x, 1);
	return 0;
}

static int
mp_read(void *arg)
{
	(void)arg;
	if (load_acq(&x) == 1)
		r[0] = data;
	return 0;
}

static void
message_passing(void)
{
	RUN(mp_write, mp_read);
	CHECK_MODEL(r[0] == 99 || r[0] == 1);
}

/* The same with an atomic message: no race, only the wrong number. */
static int
mp_write_atomic(void *arg)
{
	(void)arg;
	store_rlx(&y, 1);
	store_rel(&x, 1);
	return 0;
}

static int
mp_read_atomic(void *arg)
{
	(void)arg;
	r[0] = load_acq(&x);
	r[1] = load_rlx(&y);
	return 0;
}

static void
message_passing_atomic(void)
{
	RUN(mp_write_atomic, mp_read_atomic);
	CHECK_MODEL(r[0] == 0 || r[1] == 1);
}

/* A read-modify-write in between continues the release sequence. */
static int
mp_pass_on(void *arg)
{
	(void)arg;
	(void)add_rlx(&x, 1);
	return 0;
}

static int
mp_read_second(void *arg)
{
	(void)arg;
	if (load_acq(&x) == 2)
		r[0] = data;
	return 0;
}

static void
release_sequence(void)
{
	RUN(mp_write, mp_pass_on, mp_read_second);
	CHECK_MODEL(r[0] == 99 || r[0] == 1);
}

static int
mp_store_between(void *arg)
{
	(void)arg;
	if (load_rlx(&x) == 1)
		store_rlx(&x, 2);
	return 0;
}

static void
release_sequence_broken(void)
{
	RUN(mp_write, mp_store_between, mp_read_second);
}

/* SB, store buffering; Dekker's algorithm is this: not both may miss the other. */
static int
sb_a(void *arg)
{
	(void)arg;
	store_sc(&x, 1);
	r[0] = load_sc(&y);
	return 0;
}

static int
sb_b(void *arg)
{
	(void)arg;
	store_sc(&y, 1);
	r[1] = load_sc(&x);
	return 0;
}

static void
store_buffering(void)
{
	RUN(sb_a, sb_b);
	CHECK_MODEL(r[0] == 1 || r[1] == 1);
}

static int
dekker(void *arg)
{
	bool first = arg == NULL;

	(void)swap_sc(first ? &x : &y, 1);
	if (load_sc(first ? &y : &x) == 0)
		data++; /* alone */
	return 0;
}

static int
dekker_other(void *arg)
{
	(void)arg;
	return dekker(&data);
}

static void
dekker_excludes(void)
{
	RUN(dekker, dekker_other);
}

/* LB, load buffering. C11 allows both to read 1 with relaxed orders; a machine that keeps program
 * order of loads before stores (x86, and this explorer) never shows it: it has no twin here. */
static int
lb_a(void *arg)
{
	(void)arg;
	r[0] = load_acq(&x);
	store_rel(&y, 1);
	return 0;
}

static int
lb_b(void *arg)
{
	(void)arg;
	r[1] = load_acq(&y);
	store_rel(&x, 1);
	return 0;
}

static void
load_buffering(void)
{
	RUN(lb_a, lb_b);
	CHECK_MODEL(r[0] == 0 || r[1] == 0);
}

/* IRIW: two readers agree in which order two writers came. x86 never shows the twin: its stores
 * reach all others at once; the explorer does, for other machines do. */
static int
iriw_write_x(void *arg)
{
	(void)arg;
	store_sc(&x, 1);
	return 0;
}

static int
iriw_write_y(void *arg)
{
	(void)arg;
	store_sc(&y, 1);
	return 0;
}

static int
iriw_read_xy(void *arg)
{
	(void)arg;
	r[0] = load_sc(&x);
	r[1] = load_sc(&y);
	return 0;
}

static int
iriw_read_yx(void *arg)
{
	(void)arg;
	r[2] = load_sc(&y);
	r[3] = load_sc(&x);
	return 0;
}

static void
independent_reads(void)
{
	RUN(iriw_write_x, iriw_write_y, iriw_read_xy, iriw_read_yx);
	CHECK_MODEL(!(r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0));
}

/* Coherence: even relaxed loads of one object do not go back in time. */
static int
corr_write(void *arg)
{
	(void)arg;
	store_rlx(&x, 1);
	store_rlx(&x, 2);
	return 0;
}

static int
corr_read(void *arg)
{
	(void)arg;
	r[0] = load_rlx(&x);
	r[1] = load_rlx(&x);
	return 0;
}

static void
coherence(void)
{
	RUN(corr_write, corr_read);
	CHECK_MODEL(r[0] <= r[1]);
}

/* A counter of references: the last one to leave sees everything that the others did. */
static int
leave(void *arg)
{
	(void)arg;
	r[0] = data; /* a use */
	if (sub_ar(&x, 1) == 1)
		data = 7; /* the end */
	return 0;
}

static void
last_reference(void)
{
	struct thread t;

	store_sc(&x, 2);
	data = 0;
	CHECK_MODEL(thread_start(&t, "a", leave, NULL) == 0);
	if (sub_ar(&x, 1) == 1)
		data = 7;
	(void)thread_join(&t);
	CHECK_MODEL(data == 7);
}

static const struct model models[] = {
	{.name = "message_passing", .body = message_passing, .preempt = MODEL_ALL},
	{.name = "message_passing, store relaxed",
		.body = message_passing,
		.preempt = MODEL_ALL,
		.weaken = {{"mp_write", "x", memory_order_relaxed}},
		.fails = "data race"},
	{.name = "message_passing, load relaxed",
		.body = message_passing,
		.preempt = MODEL_ALL,
		.weaken = {{"mp_read", "x", memory_order_relaxed}},
		.fails = "data race"},
	{.name = "message_passing_atomic", .body = message_passing_atomic, .preempt = MODEL_ALL},
	{.name = "message_passing_atomic, store relaxed",
		.body = message_passing_atomic,
		.preempt = MODEL_ALL,
		.weaken = {{"mp_write_atomic", "x", memory_order_relaxed}},
		.fails = "r[1] == 1"},
	{.name = "message_passing_atomic, load relaxed",
		.body = message_passing_atomic,
		.preempt = MODEL_ALL,
		.weaken = {{"mp_read_atomic", "x", memory_order_relaxed}},
		.fails = "r[1] == 1"},
	{.name = "release_sequence", .body = release_sequence, .preempt = MODEL_ALL},
	{.name = "release_sequence, a store in between",
		.body = release_sequence_broken,
		.preempt = MODEL_ALL,
		.fails = "data race"},
	{.name = "store_buffering", .body = store_buffering, .preempt = MODEL_ALL},
	{.name = "store_buffering, stores release",
		.body = store_buffering,
		.preempt = MODEL_ALL,
		.weaken = {{"sb_a", "x", memory_order_release},
			{"sb_b", "y", memory_order_release}},
		.fails = "r[0] == 1 || r[1] == 1"},
	{.name = "store_buffering, loads acquire",
		.body = store_buffering,
		.preempt = MODEL_ALL,
		.weaken = {{"sb_a", "y", memory_order_acquire},
			{"sb_b", "x", memory_order_acquire}},
		.fails = "r[0] == 1 || r[1] == 1"},
	{.name = "dekker_excludes", .body = dekker_excludes, .preempt = MODEL_ALL},
	{.name = "dekker_excludes, acquire and release",
		.body = dekker_excludes,
		.preempt = MODEL_ALL,
		.weaken = {{"dekker", "&x : &y", memory_order_acq_rel},
			{"dekker", "&y : &x", memory_order_acquire}},
		.fails = "data race"},
	{.name = "load_buffering", .body = load_buffering, .preempt = MODEL_ALL},
	{.name = "independent_reads", .body = independent_reads, .preempt = MODEL_ALL},
	{.name = "independent_reads, loads acquire",
		.body = independent_reads,
		.preempt = MODEL_ALL,
		.weaken = {{"iriw_read_xy", "y", memory_order_acquire},
			{"iriw_read_yx", "x", memory_order_acquire}},
		.fails = "r[3] == 0"},
	{.name = "coherence", .body = coherence, .preempt = MODEL_ALL},
	{.name = "last_reference", .body = last_reference, .preempt = MODEL_ALL},
	{.name = "last_reference, given relaxed",
		.body = last_reference,
		.preempt = MODEL_ALL,
		.weaken = {{"leave", "x", memory_order_acquire}},
		.fails = "data race"},
};

MODEL_MAIN(models)
