/*
 * The whole toolkit in one pipeline, ended in the middle of everything: 10,000 rounds in `long`
 * (200 in `full`, 20 in `quick`; as many of test_storm_engine.c, and 1,000 of the daemon in
 * tests/system/155_shutdown.py).
 *
 *     pool "walk": visits that spawn and join --> batches (any kind, counted senders)
 *       --> "build" --> rows (SPSC) --> "write" --> spill <-- "burst"
 *     spill --> "read" (acks now and then) --> marks (rendezvous) --> "loop"
 *     pool "save": flushes --> futures --> answers --> "loop" (select and ticker, or an eventfd)
 *     "publish" and two "look": snapshots through an epoch
 *     "strike": ends it, at a random moment from the start of the first thread on
 *
 * What must hold, whatever happened: a send that returned 0 was received or dropped, once; one that
 * failed was neither; records of the spill channel come once, in order, and what was not acked
 * comes again after a restart, after kill -9 too if a flush covered it; no thread, descriptor or
 * object is left. Where the sources end and the rest goes on, everything sent is received.
 */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "sync/arc.h"
#include "sync/future.h"
#include "sync/pool.h"
#include "sync/scope.h"
#include "sync/select.h"
#include "sync/spill.h"

#define N_VISITS 3u /* at the top; each has up to N_VISITS below it, and so on */
#define DEPTH 3u
#define MAX_BATCHES 1024u
#define MAX_ROWS (4 * MAX_BATCHES)
#define MAX_BURST 300u
#define MAX_SAVES 64u
#define MOMENT_BITS 12u /* the blow falls within 4 ms */

enum ending {
	END_BY_ITSELF,
	END_SOURCES, /* they are told to make no more */
	END_DRAIN,   /* pool_close() of the walk */
	END_CANCEL,  /* pool_cancel() of the walk */
	END_CANCEL_SAVES,
	/* After those the sources have ended and the rest goes on; from here on it does not. */
	END_TOKEN,
	END_CLOSE_BATCHES,
	END_CLOSE_ROWS,
	END_CLOSE_ANSWERS,
	END_CLOSE_MARKS,
	END_CLOSE_SPILL,
	END_FAILURE, /* of one thread, which ends the others */
	N_ENDINGS,
};

enum hop { HOP_BATCH, HOP_ROW, HOP_MARK, N_HOPS };
enum source { SOURCE_ROWS, SOURCE_BURST, N_SOURCES };

/* What became of one item; each is 0 or 1 in the end. Relaxed: the joins order them. */
struct fate {
	_Atomic uint8_t sent, got, dropped;
};

struct item {
	struct flow *flow;
	enum hop hop;
	uint32_t id;
	uint32_t n_rows; /* of a batch */
};

struct record {
	uint32_t source, seq;
};

struct save {
	struct task task;
	struct future future;
	struct flow *flow;
	uint64_t covers[N_SOURCES];
	_Atomic uint32_t n_told; /* continuations; relaxed, read after the joins */
};

struct flow {
	/* Fixed for the round. */
	uint64_t seed;
	enum ending ending;
	const char *dir; /* of the spill channel */
	bool durable, auto_ack, by_fd;
	struct pool *walk, *savers;
	struct chan *batches, *rows, *answers, *marks, *control;
	struct spill *spill;
	struct stop *stop; /* the scope's */
	struct published current;

	/* Relaxed flags: nothing is published by them. */
	_Atomic bool no_more, over;
	_Atomic uint32_t failing; /* a thread that sees it fails, once */

	/* Relaxed counts. */
	_Atomic uint32_t n_ids[N_HOPS], n_items, n_visits, n_snapshots;
	struct fate fates[N_HOPS][MAX_ROWS];

	/* Sources that have not ended; the last one closes the spill channel. */
	_Atomic uint32_t n_sources;
	/* Records: those that spill_send() took (release, acquired before a flush that is to cover
	 * them); covered by a flush that returned 0 (relaxed, read after the joins). */
	_Atomic uint64_t sent[N_SOURCES], flushed[N_SOURCES];
	/* The reader's. Acked for sure, and at most. */
	uint64_t received[N_SOURCES], acked[N_SOURCES], acked_most[N_SOURCES];

	/* The writer's. */
	struct save saves[MAX_SAVES];
	size_t n_saves;
};

static bool
no_more(struct flow *f)
{
	return load_rlx(&f->no_more) || stop_requested(f->stop);
}

/* The failure of END_FAILURE hits whichever thread asks first. */
static bool
must_fail(struct flow *f)
{
	return load_rlx(&f->failing) && swap_rlx(&f->failing, 0);
}

/* Items: each is allocated, so that one freed twice or never is found. */

static struct item *
item_new(struct flow *f, enum hop hop)
{
	uint32_t id = add_rlx(&f->n_ids[hop], 1);
	struct item *i =
		id < (hop == HOP_BATCH ? MAX_BATCHES : MAX_ROWS) ? malloc(sizeof(*i)) : NULL;

	if (!i)
		return NULL;
	*i = (struct item){.flow = f, .hop = hop, .id = id};
	(void)add_rlx(&f->n_items, 1);
	return i;
}

static void
item_free(struct item *i)
{
	(void)sub_rlx(&i->flow->n_items, 1);
	free(i);
}

static void
item_drop(void *item)
{
	struct item *i = item;

	(void)add_rlx(&i->flow->fates[i->hop][i->id].dropped, 1);
	item_free(i);
}

static void
item_got(struct item *i)
{
	(void)add_rlx(&i->flow->fates[i->hop][i->id].got, 1);
	item_free(i);
}

/* Batches weigh 1 to 16. */
static size_t
item_weight(const void *item)
{
	return ((const struct item *)item)->id % 16 + 1;
}

/* In one of the three ways. 0 or why not; the item is gone either way. */
static int
item_send(struct chan *c, struct item *i, uint64_t *random)
{
	struct flow *f = i->flow;
	struct fate *fate = &f->fates[i->hop][i->id];
	int r;

	switch (storm_below(random, 4)) {
	case 0:
		r = chan_try_send(c, i);
		break;
	case 1:
		r = chan_send_until(c, i, f->stop, clock_deadline(storm_moment(random, 8)));
		break;
	default:
		r = chan_send(c, i, f->stop);
	}
	if (r == 0)
		(void)add_rlx(&fate->sent, 1);
	else
		item_free(i);
	return r;
}

/* The walk: visits on a pool, each a counted sender of batches. */

struct visit {
	struct task task;
	struct flow *flow;
	uint64_t random;
	unsigned depth;
};

static void visit_run(struct task *t);

static void
visit_end(struct visit *v)
{
	chan_drop_sender(v->flow->batches);
	(void)sub_rlx(&v->flow->n_visits, 1);
	free(v);
}

static void
visit_drop(struct task *t)
{
	visit_end(CONTAINER_OF(t, struct visit, task));
}

/* The caller holds a sender. */
static void
visit_begin(struct flow *f, uint64_t seed, unsigned depth)
{
	struct visit *v = malloc(sizeof(*v));
	int r;

	STORM_CHECK(v != NULL);
	*v = (struct visit){.task.run = visit_run, .flow = f, .random = seed, .depth = depth};
	chan_add_sender(f->batches);
	(void)add_rlx(&f->n_visits, 1);
	r = storm_below(&v->random, 2) ? pool_spawn(f->walk, &v->task, TASK_INDEX)
	                               : pool_submit(f->walk, &v->task, TASK_INDEX);
	if (r == 0)
		return;
	STORM_INT(r, -EPIPE);
	visit_end(v);
}

static int
send_batch(void *arg, bool stolen)
{
	struct visit *v = arg;
	uint64_t random = v->random + stolen;
	struct item *i = item_new(v->flow, HOP_BATCH);

	if (!i)
		return -EOVERFLOW;
	i->n_rows = (uint32_t)storm_below(&random, 4);
	return item_send(v->flow->batches, i, &random);
}

static void
visit_run(struct task *t)
{
	struct visit *v = CONTAINER_OF(t, struct visit, task);
	struct flow *f = v->flow;
	unsigned n = (unsigned)storm_below(&v->random, 4);

	for (unsigned i = 0; i < n && !no_more(f); i++) {
		int r = storm_below(&v->random, 4)
		                ? send_batch(v, false)
		                : pool_join(f->walk, send_batch, v, send_batch, v);

		if (r == -EPIPE || r == -ECANCELED)
			break;
	}
	for (unsigned i = 0; i < N_VISITS && v->depth > 1 && !no_more(f); i++)
		visit_begin(f, storm_random(&v->random), v->depth - 1);
	visit_end(v);
}

/* The end of a stage: natural, or the reason, which ends the others through the scope. */
static int
verdict(int r)
{
	return r == -EPIPE ? 0 : r;
}

static int
build(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	uint64_t random = f->seed + 1;
	void *items[4];
	ssize_t n = 0;
	int r = 0;

	while (r == 0) {
		n = chan_recv_many(
			f->batches, items, 1 + storm_below(&random, 4), stop, USEC_NEVER);
		if (n < 0)
			break;
		for (ssize_t k = 0; k < n; k++) {
			uint32_t n_rows = ((struct item *)items[k])->n_rows;

			item_got(items[k]);
			for (uint32_t row = 0; row < n_rows && r == 0; row++) {
				struct item *i = item_new(f, HOP_ROW);

				r = i ? item_send(f->rows, i, &random) : 0;
				r = r == -EAGAIN || r == -ETIMEDOUT ? 0 : r;
			}
		}
		r = r == 0 && must_fail(f) ? -EIO : r;
	}
	chan_drop_receiver(f->batches);
	chan_close(f->rows);
	return r < 0 ? r : verdict((int)n);
}

/* Records: the seq of a source counts what the channel took. */

static int
send_record(struct flow *f, enum source source, uint64_t *random)
{
	unsigned char bytes[4096] = {0};
	struct record record = {source, (uint32_t)load_rlx(&f->sent[source])};
	int r;

	memcpy(bytes, &record, sizeof(record));
	r = spill_send(f->spill, bytes, sizeof(record) + storm_moment(random, 11));
	if (r == 0)
		(void)add_rel(&f->sent[source], 1);
	return r;
}

static void
end_source(struct flow *f)
{
	if (sub_ar(&f->n_sources, 1) == 1)
		spill_close(f->spill);
}

/* On the loop's thread. */
static void
save_told(struct future *future, void *arg)
{
	struct save *s = arg;

	STORM_CHECK(future == &s->future);
	(void)add_rlx(&s->n_told, 1);
}

static void
save_run(struct task *t)
{
	struct save *s = CONTAINER_OF(t, struct save, task);
	int r = spill_flush(s->flow->spill);

	for (unsigned i = 0; i < N_SOURCES && r == 0; i++) {
		uint64_t seen = load_rlx(&s->flow->flushed[i]);

		while (seen < s->covers[i] &&
			!cas_weak_rlx(&s->flow->flushed[i], &seen, s->covers[i]))
			;
	}
	STORM_INT(r, 0);
	future_set(&s->future, r, NULL);
}

static void
save_drop(struct task *t)
{
	future_set(&CONTAINER_OF(t, struct save, task)->future, -ECANCELED, NULL);
}

static void
save(struct flow *f)
{
	struct save *s = &f->saves[f->n_saves];

	if (f->n_saves == MAX_SAVES)
		return;
	f->n_saves++;
	*s = (struct save){.task.run = save_run, .flow = f};
	for (unsigned i = 0; i < N_SOURCES; i++)
		s->covers[i] = load_acq(&f->sent[i]);
	future_init(&s->future);
	future_then(&s->future, f->answers, save_told, s);
	if (pool_submit(f->savers, &s->task, TASK_QUERY) < 0)
		future_set(&s->future, -EPIPE, NULL);
}

static int
write_rows(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	uint64_t random = f->seed + 2;
	void *item;
	int r = 0, sent = 0;

	while (sent == 0 && (r = chan_recv(f->rows, &item, stop)) == 0) {
		item_got(item);
		sent = must_fail(f) ? -EIO : send_record(f, SOURCE_ROWS, &random);
		if (storm_below(&random, 8) == 0)
			save(f);
	}
	chan_close(f->rows);
	end_source(f);
	return sent < 0 ? sent : verdict(r);
}

static int
add_one(void *arg)
{
	++*(int *)arg;
	return 0;
}

static int
burst(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	uint64_t random = f->seed + 3;
	int r = 0;

	for (unsigned i = 0; i < MAX_BURST && r == 0 && !no_more(f); i++) {
		r = must_fail(f) ? -EIO : send_record(f, SOURCE_BURST, &random);
		if (storm_below(&random, 32) == 0) {
			int n = 0, ran = pool_run(f->savers, TASK_INDEX, add_one, &n);

			STORM_CHECK(
				ran == 0 ? n == 1 : n == 0 && (ran == -EPIPE || ran == -ECANCELED));
		}
	}
	(void)stop;
	end_source(f);
	return r;
}

/* The reader of the spill channel, in blocking calls or through an eventfd. */

static void
take_record(struct flow *f, struct span s)
{
	struct record record;

	STORM_CHECK(s.len >= sizeof(record));
	memcpy(&record, s.data, sizeof(record));
	STORM_CHECK(record.source < N_SOURCES);
	STORM_INT(record.seq, f->received[record.source]);
	f->received[record.source]++;
}

static void
wake_fd(void *arg)
{
	STORM_INT(eventfd_write(*(int *)arg, 1), 0);
}

/* -EAGAIN: woken, there may be something. */
static int
sleep_on_fd(int fd, struct stop *stop)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct stop_waiter waiter = {.wake = wake_fd, .arg = &fd};
	eventfd_t n;

	list_init(&waiter.link);
	stop_add(stop, &waiter);
	STORM_INT(poll(&p, 1, -1), 1);
	stop_remove(stop, &waiter);
	(void)eventfd_read(fd, &n);
	return stop_requested(stop) ? -ECANCELED : -EAGAIN;
}

static int
recv_by_fd(struct flow *f, int fd, struct span *ret, struct stop *stop)
{
	int r;

	while ((r = spill_try_recv(f->spill, ret)) == -EAGAIN) {
		if (spill_arm(f->spill))
			continue;
		r = sleep_on_fd(fd, stop);
		spill_disarm(f->spill);
		if (r == -ECANCELED)
			return r;
	}
	return r;
}

/* How many records, or -errno. */
static int
recv_records(struct flow *f, int fd, struct span ret[4], uint64_t *random, struct stop *stop)
{
	int r;

	if (fd >= 0)
		r = recv_by_fd(f, fd, ret, stop);
	else if (storm_below(random, 2))
		return spill_recv_many(f->spill, ret, 4, stop, USEC_NEVER);
	else
		r = spill_recv_until(f->spill, ret, stop, clock_deadline(storm_moment(random, 10)));
	return r == 0 ? 1 : r;
}

/* An AUTO_ACK call acks what was received before it, for sure if it gave something. */
static void
note_acks(struct flow *f, const uint64_t before[N_SOURCES], int n)
{
	for (unsigned i = 0; i < N_SOURCES && f->auto_ack; i++) {
		f->acked_most[i] = before[i];
		f->acked[i] = n > 0 ? before[i] : f->acked[i];
	}
}

static void
ack(struct flow *f)
{
	STORM_INT(spill_ack(f->spill), 0);
	for (unsigned i = 0; i < N_SOURCES; i++)
		f->acked[i] = f->acked_most[i] = f->received[i];
}

static int
read_records(struct flow *f, int fd, struct stop *stop)
{
	uint64_t random = f->seed + 4;
	bool heard = true; /* somebody receives marks */

	for (;;) {
		uint64_t before[N_SOURCES] = {f->received[0], f->received[1]};
		struct span records[4];
		int n = recv_records(f, fd, records, &random, stop);

		note_acks(f, before, n);
		if (n < 0 && n != -ETIMEDOUT)
			return verdict(n);
		for (int i = 0; i < n; i++)
			take_record(f, records[i]);
		if (must_fail(f))
			return -EIO;
		if (storm_below(&random, 8) == 0)
			ack(f);
		if (heard && storm_below(&random, 4) == 0) {
			struct item *i = item_new(f, HOP_MARK);

			heard = !i || item_send(f->marks, i, &random) != -EPIPE;
		}
	}
}

static int
read_spill(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	AUTO(closep) int fd = f->by_fd ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	int r;

	spill_set_event_fd(f->spill, fd);
	r = read_records(f, fd, stop);
	spill_set_event_fd(f->spill, -1);
	chan_close(f->marks);
	return r;
}

/* The loop: takes futures and marks until the reader has ended. */

static int
loop_select(struct flow *f, struct stop *stop)
{
	struct ticker ticker;
	struct select_arm arms[] = {select_recv(f->answers), select_recv(f->marks),
		select_recv(f->control), select_tick(&ticker)};

	ticker_init(&ticker, 200);
	for (;;) {
		int i = select_until(arms, ARRAY_LEN(arms), SELECT_FAIR, stop, USEC_NEVER);

		if (i < 0)
			return i;
		if (arms[i].result < 0) { /* closed */
			if (i == 1)
				return 0;
			arms[i] = select_never();
		} else if (i == 0) {
			future_run(arms[i].item);
		} else if (i == 1) {
			item_got(arms[i].item);
		}
		if (must_fail(f))
			return -EIO;
	}
}

/* Everything that is there. 0, or -EPIPE: marks has ended. */
static int
loop_take(struct flow *f, bool *answers)
{
	void *item;
	int r;

	while ((r = chan_try_recv(f->answers, &item)) == 0)
		future_run(item);
	*answers = *answers && r != -EPIPE;
	while ((r = chan_try_recv(f->marks, &item)) == 0)
		item_got(item);
	return r == -EPIPE ? r : 0;
}

static int
loop_fd(struct flow *f, int fd, struct stop *stop)
{
	bool answers = true; /* not closed: an armed channel that is closed says so each time */

	chan_set_event_fd(f->answers, fd);
	chan_set_event_fd(f->marks, fd);
	while (loop_take(f, &answers) == 0) {
		bool some = answers && chan_arm(f->answers);

		if (must_fail(f))
			return -EIO;
		if (chan_arm(f->marks) || some)
			continue;
		if (sleep_on_fd(fd, stop) == -ECANCELED)
			return -ECANCELED;
		chan_disarm(f->answers);
		chan_disarm(f->marks);
	}
	return 0;
}

static int
loop(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	AUTO(closep) int fd = f->by_fd ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	int r = fd < 0 ? loop_select(f, stop) : loop_fd(f, fd, stop);

	chan_set_event_fd(f->answers, -1);
	chan_set_event_fd(f->marks, -1);
	chan_close(f->answers);
	chan_close(f->marks);
	chan_close(f->control);
	store_rlx(&f->over, true);
	return r;
}

/* Snapshots. */

struct snap {
	struct shared shared;
	struct flow *flow;
	uint64_t a, b; /* the same */
};

static void
snap_fini(struct shared *s)
{
	struct snap *snap = CONTAINER_OF(s, struct snap, shared);

	(void)sub_rlx(&snap->flow->n_snapshots, 1);
	snap->b = ~snap->a; /* who looks now has no reference */
}

static void
snap_release(struct shared *s)
{
	free(CONTAINER_OF(s, struct snap, shared));
}

static struct shared *
snap_new(struct flow *f, uint64_t n)
{
	struct snap *s = malloc(sizeof(*s));

	STORM_CHECK(s != NULL);
	*s = (struct snap){.flow = f, .a = n, .b = n};
	shared_init(&s->shared, snap_fini, snap_release);
	(void)add_rlx(&f->n_snapshots, 1);
	return &s->shared;
}

static int
publish(void *arg, struct stop *stop)
{
	struct flow *f = arg;

	for (uint64_t n = 1; !load_rlx(&f->over) && !stop_requested(stop); n++) {
		published_set(&f->current, snap_new(f, n));
		(void)sched_yield();
	}
	return 0;
}

static int
look(void *arg, struct stop *stop)
{
	struct flow *f = arg;

	for (uint64_t last = 0; !load_rlx(&f->over) && !stop_requested(stop);) {
		struct shared *s = published_acquire(&f->current);
		struct snap *snap = CONTAINER_OF(s, struct snap, shared);

		STORM_CHECK(snap->a == snap->b && snap->a >= last);
		last = snap->a;
		arc_put(&s->arc);
		(void)sched_yield();
	}
	return 0;
}

/* The blow. */

static int
strike(void *arg, struct stop *stop)
{
	struct flow *f = arg;
	uint64_t random = f->seed + 5;
	usec_t when = clock_deadline(storm_moment(&random, MOMENT_BITS));
	struct chan *const chans[] = {f->batches, f->rows, f->answers, f->marks};
	void *item;

	(void)chan_recv_until(f->control, &item, stop, when);
	switch (f->ending) {
	case END_SOURCES:
		store_rlx(&f->no_more, true);
		break;
	case END_DRAIN:
		pool_close(f->walk);
		break;
	case END_CANCEL:
		pool_cancel(f->walk, visit_drop);
		break;
	case END_CANCEL_SAVES:
		pool_cancel(f->savers, save_drop);
		break;
	case END_TOKEN:
		stop_request(f->stop);
		break;
	case END_CLOSE_BATCHES:
	case END_CLOSE_ROWS:
	case END_CLOSE_ANSWERS:
	case END_CLOSE_MARKS:
		chan_close(chans[f->ending - END_CLOSE_BATCHES]);
		break;
	case END_CLOSE_SPILL:
		spill_close(f->spill);
		break;
	case END_FAILURE:
		store_rlx(&f->failing, 1);
		break;
	case END_BY_ITSELF:
	case N_ENDINGS:
		break;
	}
	return 0;
}

/* A round. */

static struct spill *
open_spill(struct flow *f, const char *dir)
{
	struct spill_opts opts = {
		.max_mem_bytes = 1024u << (f->seed % 7),
		.max_disk_bytes = 64u << 20,
		.segment_bytes = f->seed % 3 ? 0 : 128u << 10,
		.flags = (f->durable ? SPILL_DURABLE : 0) | (f->auto_ack ? SPILL_AUTO_ACK : 0),
	};
	struct spill *c;

	STORM_INT(spill_open(AT_FDCWD, dir, &opts, &c, NULL), 0);
	return c;
}

static void
open_chans(struct flow *f, uint64_t *random)
{
	static const size_t caps[] = {0, 1, 8, 64, CHAN_UNBOUNDED};
	size_t cap = caps[storm_below(random, ARRAY_LEN(caps))];
	bool weighed = cap > 0 && storm_below(random, 2);
	struct chan_opts batches = {.cap = cap,
		.drop = item_drop,
		.max_bytes = weighed ? 24 : 0,
		.weigh = weighed ? item_weight : NULL,
		.n_senders = 1,
		.n_receivers = 1};
	struct chan_opts rows = {
		.cap = 1 + storm_below(random, 16), .kind = CHAN_SPSC, .drop = item_drop};

	STORM_INT(chan_create_with(&batches, &f->batches), 0);
	STORM_INT(chan_create_with(&rows, &f->rows), 0);
	f->answers = chan_create(1 + storm_below(random, 4), NULL);
	f->marks = chan_create(0, item_drop);
	f->control = chan_create(1, NULL);
	STORM_CHECK(f->answers && f->marks && f->control);
}

static void
spawn_all(struct flow *f, struct scope *s)
{
	static const struct {
		const char *name;
		scope_fn fn;
	} threads[] = {{"strike", strike}, {"build", build}, {"write", write_rows},
		{"burst", burst}, {"read", read_spill}, {"loop", loop}, {"publish", publish},
		{"look/0", look}, {"look/1", look}};
	uint64_t random = f->seed + 6;

	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		STORM_INT(scope_spawn(s, threads[i].name, threads[i].fn, f), 0);
	for (unsigned i = 0; i < N_VISITS; i++)
		visit_begin(f, storm_random(&random), DEPTH);
	chan_drop_sender(f->batches);
}

/* After the joins. */
static void
close_chans(struct flow *f)
{
	chan_destroy(f->batches);
	chan_destroy(f->rows);
	chan_destroy(f->answers);
	chan_destroy(f->marks);
	chan_destroy(f->control);
	published_set(&f->current, NULL);
	published_fini(&f->current);
	STORM_INT(epoch_flush(), 0);
}

static void
check_items(struct flow *f)
{
	for (unsigned hop = 0; hop < N_HOPS; hop++) {
		uint32_t n = MIN(load_rlx(&f->n_ids[hop]), MAX_ROWS);

		for (uint32_t i = 0; i < n; i++) {
			struct fate *fate = &f->fates[hop][i];

			STORM_INT(load_rlx(&fate->got) + load_rlx(&fate->dropped),
				load_rlx(&fate->sent));
			/* Where all went on, nobody left an item lying. */
			STORM_CHECK(f->ending > END_CANCEL_SAVES || !load_rlx(&fate->dropped));
		}
	}
	STORM_INT(load_rlx(&f->n_items), 0);
	STORM_INT(load_rlx(&f->n_visits), 0);
	STORM_INT(load_rlx(&f->n_snapshots), 0);
	for (size_t i = 0; i < f->n_saves; i++) {
		STORM_CHECK(future_is_set(&f->saves[i].future));
		STORM_CHECK(load_rlx(&f->saves[i].n_told) <= 1);
	}
}

/* What kill -9 would leave at this moment. */
static void
copy_dir(const char *from, const char *to)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
	STORM_INT(system(command), 0);
}

/* Take all that is left: in order, from what was not acked to what was sent, or where the process
 * was killed, at least to what was flushed. */
static void
check_rest(struct flow *f, struct spill *c, bool killed)
{
	uint64_t next[N_SOURCES], first[N_SOURCES] = {UINT64_MAX, UINT64_MAX};
	struct record record;
	struct span s;
	int r;

	for (unsigned i = 0; i < N_SOURCES; i++)
		next[i] = f->acked_most[i];
	while ((r = spill_try_recv(c, &s)) == 0) {
		memcpy(&record, s.data, sizeof(record));
		STORM_CHECK(record.source < N_SOURCES);
		if (first[record.source] == UINT64_MAX)
			first[record.source] = record.seq;
		/* Once what was surely saved has come, a killed process leaves gaps. */
		if (record.seq >= f->acked_most[record.source] &&
			(!killed || record.seq < load_rlx(&f->flushed[record.source])))
			STORM_INT(record.seq, next[record.source]++);
	}
	STORM_INT(r, -EAGAIN);
	for (unsigned i = 0; i < N_SOURCES; i++) {
		STORM_CHECK(killed ? next[i] >= load_rlx(&f->flushed[i])
				   : next[i] == load_rlx(&f->sent[i]));
		STORM_CHECK(first[i] >= f->acked[i] || (killed && f->auto_ack));
	}
	STORM_INT(spill_ack(c), 0);
}

static void
check_spill(struct flow *f)
{
	char copy[512];
	bool killed = f->seed % 8 == 0;

	(void)snprintf(copy, sizeof(copy), "%s.copy", f->dir);
	if (killed)
		copy_dir(f->dir, copy);
	STORM_INT(spill_destroy(f->spill), 0);
	f->spill = open_spill(f, f->dir);
	check_rest(f, f->spill, false);
	STORM_INT(spill_destroy(f->spill), 0);
	if (!killed)
		return;
	f->spill = open_spill(f, copy);
	check_rest(f, f->spill, true);
	STORM_INT(spill_destroy(f->spill), 0);
}

static void
check_result(const struct flow *f, int r)
{
	if (f->ending <= END_CANCEL_SAVES)
		STORM_INT(r, 0);
	else
		STORM_CHECK(r == 0 || r == -EPIPE || r == -ECANCELED || r == -EIO);
	for (unsigned i = 0; i < N_SOURCES && f->ending <= END_CANCEL_SAVES; i++)
		STORM_INT(f->received[i], load_rlx(&f->sent[i]));
}

static void
one_round(struct flow *f, const char *dir, uint64_t seed)
{
	uint64_t random = seed;
	SCOPE(scope, NULL);
	int r;

	memset(f, 0, sizeof(*f));
	f->seed = seed;
	f->ending = (enum ending)storm_below(&random, N_ENDINGS);
	f->durable = storm_below(&random, 16) == 0;
	f->auto_ack = storm_below(&random, 2);
	f->by_fd = storm_below(&random, 2);
	f->dir = dir;
	f->stop = &scope.stop;
	store_rlx(&f->n_sources, N_SOURCES);
	f->spill = open_spill(f, dir);
	open_chans(f, &random);
	published_init(&f->current, snap_new(f, 0));
	STORM_INT(pool_create("walk", 2, &f->walk), 0);
	STORM_INT(pool_create("save", 2, &f->savers), 0);

	spawn_all(f, &scope);
	if (storm_below(&random, 4) == 0) {
		pool_close(f->walk); /* what was submitted runs, while the stages go on */
		STORM_INT(pool_wait_until(f->walk, USEC_NEVER), 0);
	}
	r = scope_join(&scope, NULL);
	pool_destroy(f->walk);
	pool_destroy(f->savers);
	close_chans(f);
	check_result(f, r);
	check_items(f);
	check_spill(f);
}

TEST(storm_pipeline, an_end_at_any_moment_loses_nothing_and_leaves_nothing)
{
	static struct flow flow;
	unsigned long n = test_scale(10000);
	char *top = test_dir();
	char dir[512];

	(void)snprintf(dir, sizeof(dir), "%s/spill", top);
	storm_begin(n);
	for (unsigned long i = 0; i < n; i++) {
		one_round(&flow, dir, storm_round());
		storm_round_end();
	}
	storm_end();
	test_dir_remove(top);
}
