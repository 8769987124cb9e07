#include "sync/epoch.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "sync/lock.h"
#include "sync/membarrier.h"

#define PINS_PER_COLLECT 128u
/* Deferred items between two attempts to advance. Few in debug builds, to bring out what is used
 * after its end. */
#define BAG_ITEMS (TRAWL_DEBUG ? 4u : 64u)
#define FLUSH_ADVANCES 3

/* In the order of deferring, so mostly of epochs. */
struct queue {
	struct epoch_item *head, *last;
	size_t len;
};

struct epoch_thread {
	/* The epoch in which its thread is pinned, 0 not pinned. The owner writes, whoever advances
	 * reads: note: grace. */
	ON_OWN_LINE _Atomic uint64_t word;

	/* The owner's. */
	unsigned n_nested; /* pins within the outermost, which is told by the word */
	unsigned n_pins;   /* outermost ones since the last collect, while items wait */
	unsigned n_new;    /* items deferred since the last attempt to advance */
	bool membarrier;   /* the mode, fixed at enrolment */
	bool collecting;   /* functions of items are running */
	struct queue queue;

	/* Written by the owner alone (the guests' record under the registry's lock), relaxed:
	 * statistics. They outlive the thread. */
	_Atomic uint64_t n_deferred, n_freed;

	/* Guarded by the registry's lock. */
	int tid; /* 0: free for the next thread */
	char name[16];

	struct epoch_thread *next; /* fixed before the record is listed */
};

/* Starts at 1. Written by the advancing seq_cst compare-and-exchange only. Pins read it with
 * acquire, which orders the whole history up to that epoch before them; epoch_defer() and the
 * advancing side with seq_cst (note: grace). */
static ON_OWN_LINE _Atomic uint64_t global = 1;

/* All threads that cannot have a record share this one. */
static struct epoch_thread guests = {.tid = -1, .name = "(guests)"};

/* Every record there ever was; grows at the head, under the registry's lock. seq_cst: an advance
 * that misses a new record comes before its first pin (note: grace). */
static _Atomic(struct epoch_thread *) records = &guests;

static struct lock registry = LOCK_INITIALIZER(RANK_LEAF, "epoch");
/* Guarded by registry. */
static bool decided, has_key;
static enum epoch_mode mode; /* fixed once decided, which each thread's first call sees to */
static pthread_key_t exit_key;
static unsigned n_guests;
static struct queue orphans; /* of ended threads, and guests' */

/* The epoch that could not be left, and when that was first seen. Statistics, relaxed: the time is
 * of a neighbouring stall at worst. */
static _Atomic uint64_t stalled_epoch;
static _Atomic usec_t stalled_since;

static _Thread_local struct epoch_thread *self;
static _Thread_local unsigned guest_depth;

static void
queue_push(struct queue *q, struct epoch_item *item)
{
	item->next = NULL;
	if (q->head)
		q->last->next = item;
	else
		q->head = item;
	q->last = item;
	q->len++;
}

/* All of `from`, behind what is in `to`. */
static void
queue_append(struct queue *to, struct queue *from)
{
	if (!from->head)
		return;
	if (to->head)
		to->last->next = from->head;
	else
		to->head = from->head;
	to->last = from->last;
	to->len += from->len;
	*from = (struct queue){0};
}

static struct epoch_item *
queue_pop_due(struct queue *q, uint64_t now)
{
	struct epoch_item *item = q->head;

	if (!item || item->epoch + 2 > now)
		return NULL;
	q->head = item->next;
	q->len--;
	return item;
}

static void
count(_Atomic uint64_t *statistic, uint64_t n)
{
	store_rlx(statistic, load_rlx(statistic) + n);
}

/* Asked by the owner, for whom its own word needs no order. */
static inline bool
is_pinned(const struct epoch_thread *t)
{
	return load_rlx(&t->word) != 0;
}

/*
 * note: grace. Why an item deferred in epoch T may go in epoch T + 2.
 *
 * S is the single order of all seq_cst operations. The reader: P0 reads the epoch e, P1 writes e
 * into its word, P2 loads the pointer. The writer: U takes the object out of reach, D reads the
 * epoch T. The second advance, from T + 1 to T + 2: A1 reads T + 1, A2 reads every word, and each
 * is 0 or T + 1; A3 writes T + 2.
 *
 * Suppose that the reader got the object: P2 comes before U in S, so P1 before U before D. D read
 * T, so it stands before the write of T + 1, which stands before A1 and A2. Hence A2 comes after
 * P1 and finds e in the word, or that the reader has unpinned since. In the second case the unpin's
 * release, read by A2, orders all that the reader did before A3, and so before the function's call,
 * which follows a read of T + 2 or later. In the first, e is T + 1. But then P0 read it from the
 * write of T + 1, with acquire, so that write stands before P1 in S, and P1 before D, which read
 * the epoch before that write: a contradiction.
 *
 * A reader may sleep between P0 and P1 and announce an epoch long gone. It then holds back more
 * than needed, and never less. A word that A2 does not meet because its record is not yet listed:
 * the head of the list is read after A1 and written before P1, both seq_cst, so P2 comes after U.
 *
 * With membarrier P1 is a plain store. The barrier between A1 and A2 falls, in the reader, before
 * P1 or after it. After: A2 sees the word. Before: P2 sees everything that was visible to the
 * advancing thread at A1, U among it.
 */
static inline void
announce(struct epoch_thread *t)
{
	uint64_t e = load_acq(&global); /* P0 */

	if (t->membarrier)
		membarrier_store(&t->word, e); /* P1 */
	else
		(void)swap_sc(&t->word, e); /* P1 */
}

/* The first record that is pinned in another epoch than `now`. */
static const struct epoch_thread *
find_late(uint64_t now)
{
	for (const struct epoch_thread *t = load_sc(&records); t; t = t->next) {
		uint64_t word = load_sc(&t->word); /* A2 */

		if (word != 0 && word != now)
			return t;
	}
	return NULL;
}

static void
note_stall(uint64_t now)
{
	if (load_rlx(&stalled_epoch) == now)
		return;
	store_rlx(&stalled_since, clock_mono());
	store_rlx(&stalled_epoch, now);
}

/* true: the epoch is a later one than before. The first look spares a barrier that would be for
 * nothing; a barrier that fails (it cannot, once registered) keeps the epoch. */
static bool
try_advance(void)
{
	uint64_t now = load_sc(&global); /* A1 */

	if (find_late(now)) {
		note_stall(now);
		return false;
	}
	if (mode == EPOCH_MEMBARRIER && (membarrier_all() < 0 || find_late(now)))
		return false;
	(void)cas_sc(&global, &now, now + 1); /* A3; when it fails, another did it */
	return true;
}

static size_t
call_due(struct queue *q)
{
	uint64_t now = load_sc(&global);
	struct epoch_item *item;
	size_t n = 0;

	for (; (item = queue_pop_due(q, now)); n++)
		item->fn(item);
	return n;
}

/* Of this thread's own items only: a reader that defers nothing neither advances nor frees. */
static void
collect(struct epoch_thread *t)
{
	t->n_pins = 0;
	if (!t->queue.head || t->collecting)
		return;
	t->n_new = 0;
	t->collecting = true;
	(void)try_advance();
	count(&t->n_freed, call_due(&t->queue));
	t->collecting = false;
}

static void
leave(void *arg)
{
	struct epoch_thread *t = arg;

	assert(!is_pinned(t));
	LOCK_SCOPE(&registry);
	queue_append(&orphans, &t->queue);
	t->tid = 0;
	self = NULL;
}

static void
decide_locked(enum epoch_mode wanted)
{
	if (decided)
		return;
	mode = wanted == EPOCH_MEMBARRIER && membarrier_offered() ? wanted : EPOCH_FENCED;
	decided = true;
}

static bool
has_key_locked(void)
{
	if (!has_key)
		has_key = pthread_key_create(&exit_key, leave) == 0;
	return has_key;
}

static struct epoch_thread *
free_record_locked(void)
{
	struct epoch_thread *t = load_rlx(&records); /* written under the lock only */

	while (t && t->tid != 0)
		t = t->next;
	if (t)
		return t;
	t = aligned_alloc(CACHELINE, sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct epoch_thread){.next = load_rlx(&records)};
	store_sc(&records, t);
	return t;
}

/* A record for the calling thread, NULL: it goes on as a guest. */
static struct epoch_thread *
enrol(void)
{
	struct epoch_thread *t;

	if (guest_depth > 0)
		return NULL;
	LOCK_SCOPE(&registry);
	decide_locked(EPOCH_MEMBARRIER);
	t = has_key_locked() ? free_record_locked() : NULL;
	if (!t || pthread_setspecific(exit_key, t) != 0)
		return NULL;
	t->tid = gettid();
	t->membarrier = mode == EPOCH_MEMBARRIER;
	(void)pthread_getname_np(pthread_self(), t->name, sizeof(t->name));
	return self = t;
}

/* The first guest's epoch stands for all that come while it stays: older than theirs, so it holds
 * back more than needed. Its write precedes their loads through the lock. */
static void
guest_pin(void)
{
	if (guest_depth++ > 0)
		return;
	LOCK_SCOPE(&registry);
	if (n_guests++ == 0)
		(void)swap_sc(&guests.word, load_acq(&global));
}

static __attribute__((noinline, cold)) void
guest_unpin(void)
{
	assert(guest_depth > 0);
	if (--guest_depth > 0)
		return;
	LOCK_SCOPE(&registry);
	if (--n_guests == 0)
		store_rel(&guests.word, 0);
}

static __attribute__((noinline, cold)) void
first_pin(void)
{
	struct epoch_thread *t = enrol();

	if (t)
		announce(t);
	else
		guest_pin();
}

void
epoch_pin(void)
{
	struct epoch_thread *t = self;

	if (UNLIKELY(!t))
		first_pin();
	else if (LIKELY(!is_pinned(t)))
		announce(t);
	else
		t->n_nested++;
}

static __attribute__((noinline)) void
count_pin(struct epoch_thread *t)
{
	if (++t->n_pins >= PINS_PER_COLLECT)
		collect(t);
}

void
epoch_unpin(void)
{
	struct epoch_thread *t = self;

	if (UNLIKELY(!t)) {
		guest_unpin();
	} else if (UNLIKELY(t->n_nested > 0)) {
		t->n_nested--;
	} else {
		assert_slow(is_pinned(t));
		store_rel(&t->word, 0);
		if (UNLIKELY(t->queue.head))
			count_pin(t);
	}
}

/* The announcement releases too: what was read in the old pin is done. */
void
epoch_repin(void)
{
	assert(epoch_pinned());
	if (LIKELY(self) && self->n_nested == 0)
		announce(self);
}

bool
epoch_pinned(void)
{
	return self ? is_pinned(self) : guest_depth > 0;
}

static void
defer_as_guest(struct epoch_item *item)
{
	LOCK_SCOPE(&registry);

	queue_push(&orphans, item);
	count(&guests.n_deferred, 1);
}

void
epoch_defer(struct epoch_item *item, void (*fn)(struct epoch_item *item))
{
	struct epoch_thread *t = self;

	item->fn = fn;
	item->epoch = load_sc(&global); /* D */
	if (UNLIKELY(!t) && !(t = enrol())) {
		defer_as_guest(item);
		return;
	}
	queue_push(&t->queue, item);
	count(&t->n_deferred, 1);
	if (LIKELY(++t->n_new < BAG_ITEMS))
		return;
	if (is_pinned(t))
		t->n_pins = PINS_PER_COLLECT; /* at the unpin */
	else
		collect(t);
}

/* What can be called is called without the registry's lock. */
static void
take_orphans(struct queue *to)
{
	LOCK_SCOPE(&registry);

	queue_append(to, &orphans);
}

static void
give_orphans(struct queue *left, uint64_t n_freed)
{
	LOCK_SCOPE(&registry);

	count(&guests.n_freed, n_freed);
	queue_append(&orphans, left);
}

size_t
epoch_flush(void)
{
	struct epoch_thread *t = self ? self : enrol();
	struct queue q = {0};
	size_t n = 0, left;

	assert(!epoch_pinned() && !(t && t->collecting));
	take_orphans(&q);
	if (t) {
		t->collecting = true;
		queue_append(&q, &t->queue);
	}
	n = call_due(&q);
	for (int i = 0; i < FLUSH_ADVANCES && q.head && try_advance(); i++)
		n += call_due(&q);
	if (!t) {
		left = q.len;
		give_orphans(&q, n);
		return left;
	}
	queue_append(&q, &t->queue); /* deferred by what was called */
	t->queue = q;
	count(&t->n_freed, n);
	t->collecting = false;
	return q.len;
}

enum epoch_mode
epoch_mode(void)
{
	LOCK_SCOPE(&registry);

	decide_locked(EPOCH_MEMBARRIER);
	return mode;
}

int
epoch_set_mode(enum epoch_mode wanted)
{
	LOCK_SCOPE(&registry);

	if (decided)
		return -EBUSY;
	if (wanted == EPOCH_MEMBARRIER && !membarrier_offered())
		return -EOPNOTSUPP;
	decide_locked(wanted);
	return 0;
}

static void
name_stalled_locked(struct epoch_stats *st)
{
	const struct epoch_thread *t = find_late(st->epoch);

	if (!t || load_rlx(&stalled_epoch) != st->epoch)
		return;
	st->stalled_tid = t->tid;
	st->stalled_since = load_rlx(&stalled_since);
	memcpy(st->stalled_name, t->name, sizeof(t->name));
}

void
epoch_get_stats(struct epoch_stats *ret)
{
	struct epoch_stats st = {0};

	LOCK_SCOPE(&registry);
	st.mode = mode;
	st.epoch = load_sc(&global);
	st.n_guests = n_guests;
	for (const struct epoch_thread *t = load_rlx(&records); t; t = t->next) {
		st.n_deferred += load_rlx(&t->n_deferred);
		st.n_freed += load_rlx(&t->n_freed);
		st.n_threads += t->tid > 0;
		st.n_pinned += t != &guests && load_rlx(&t->word) != 0;
	}
	name_stalled_locked(&st);
	*ret = st;
}
