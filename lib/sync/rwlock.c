#include "sync/rwlock.h"

#include <errno.h>

#include "sync/spin.h"

/* The word: bits 0 to 15 the readers inside, 16 to 30 the writers that wait, 31 a writer inside. */
#define READER 1u
#define READERS 0xffffu
#define WAITING_ONE (1u << 16)
#define WAITING (0x7fffu << 16)
#define WRITER (1u << 31)

/* note: turns. Readers get in while there is no writer, inside or waiting; a waiting writer while
 * nobody is inside. The word says so exactly, so each step that may let somebody in is followed by
 * the notify that fits (let_in):
 *   the last reader leaves, writers wait   one writer
 *   a writer leaves, others wait           one writer
 *   a writer leaves, none waits            all readers
 *   the last waiting writer gives up       all readers, if no writer is inside
 * One writer is enough: it was asleep and looks again, deadline or not, or nobody was asleep and
 * whoever had prepared looks again. It takes the lock, or finds somebody inside who leaves later.
 * Every change is seq_cst and so is every look after eventcount_prepare() (note: wakeup, park.c).
 */
static void
let_in(struct rwlock *l, uint32_t word)
{
	if (word & WRITER)
		return;
	if ((word & WAITING) == 0)
		eventcount_notify(&l->readers, UINT32_MAX);
	else if ((word & READERS) == 0)
		eventcount_notify(&l->writers, 1);
}

static inline bool
read_now(struct rwlock *l)
{
	uint32_t seen = load_sc(&l->word);

	while (!(seen & (WRITER | WAITING))) {
		assert((seen & READERS) != READERS);
		if (cas_weak_acq(&l->word, &seen, seen + READER))
			return true;
	}
	return false;
}

/* `waiting`: WAITING_ONE when the caller is counted there, else 0; then it takes its turn. */
static inline bool
write_now(struct rwlock *l, uint32_t waiting)
{
	uint32_t seen = load_sc(&l->word);

	while (!(seen & (WRITER | READERS)) && (waiting != 0 || seen == 0)) {
		if (cas_weak_acq(&l->word, &seen, (seen - waiting) | WRITER))
			return true;
	}
	return false;
}

static __attribute__((noinline)) int
read_slowly(struct rwlock *l, usec_t deadline)
{
	for (uint32_t n = spin_max(); n > 0; n--) {
		if (read_now(l))
			return 0;
		cpu_pause();
	}
	for (;;) {
		uint32_t key;

		eventcount_prepare(&l->readers, &key);
		if (read_now(l)) {
			eventcount_cancel(&l->readers);
			return 0;
		}
		if (eventcount_wait(&l->readers, key, deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
	}
}

static int
write_in_turn(struct rwlock *l, usec_t deadline)
{
	uint32_t old = add_sc(&l->word, WAITING_ONE);

	assert((old & WAITING) != WAITING);
	(void)old;
	for (;;) {
		uint32_t key;

		eventcount_prepare(&l->writers, &key);
		if (write_now(l, WAITING_ONE)) {
			eventcount_cancel(&l->writers);
			return 0;
		}
		if (eventcount_wait(&l->writers, key, deadline) == -ETIMEDOUT) {
			let_in(l, sub_sc(&l->word, WAITING_ONE) - WAITING_ONE);
			return -ETIMEDOUT;
		}
	}
}

static __attribute__((noinline)) int
write_slowly(struct rwlock *l, usec_t deadline)
{
	for (uint32_t n = spin_max(); n > 0; n--) {
		if (write_now(l, 0))
			return 0;
		cpu_pause();
	}
	return write_in_turn(l, deadline);
}

static inline void
own(struct rwlock *l)
{
	store_rlx(&l->owner, thread_number());
	rank_took(&l->ranked);
}

void
rwlock_init(struct rwlock *l, enum lock_rank rank, const char *name)
{
	*l = (struct rwlock)RWLOCK_INITIALIZER(rank, name);
}

void
rwlock_fini(struct rwlock *l)
{
	if (load_rlx(&l->word) != 0)
		rank_die("is destroyed while it is held", &l->ranked, NULL);
}

static inline int
take_read(struct rwlock *l, usec_t deadline)
{
	int r = 0;

	rank_check(&l->ranked);
	if (UNLIKELY(!read_now(l)))
		r = read_slowly(l, deadline);
	if (r < 0)
		return r;
	rank_took(&l->ranked);
	return 0;
}

struct rwlock *
rwlock_take_read(struct rwlock *l) UNCHECKED
{
	(void)take_read(l, USEC_NEVER);
	return l;
}

int
rwlock_take_read_until(struct rwlock *l, usec_t deadline)
{
	return take_read(l, deadline);
}

bool
rwlock_try_read(struct rwlock *l)
{
	if (!read_now(l))
		return false;
	rank_took(&l->ranked);
	return true;
}

void
rwlock_give_read(struct rwlock *l) UNCHECKED
{
	uint32_t word;

	rank_gave(&l->ranked);
	word = sub_sc(&l->word, READER) - READER;
	assert((word & READERS) != READERS);
	if (UNLIKELY(word & WAITING))
		let_in(l, word);
}

static inline int
take_write(struct rwlock *l, usec_t deadline)
{
	int r = 0;

	rank_check(&l->ranked);
	if (UNLIKELY(!write_now(l, 0)))
		r = write_slowly(l, deadline);
	if (r < 0)
		return r;
	own(l);
	return 0;
}

struct rwlock *
rwlock_take_write(struct rwlock *l) UNCHECKED
{
	(void)take_write(l, USEC_NEVER);
	return l;
}

int
rwlock_take_write_until(struct rwlock *l, usec_t deadline)
{
	return take_write(l, deadline);
}

bool
rwlock_try_write(struct rwlock *l)
{
	if (!write_now(l, 0))
		return false;
	own(l);
	return true;
}

void
rwlock_give_write(struct rwlock *l) UNCHECKED
{
	rank_gave(&l->ranked);
	store_rlx(&l->owner, 0);
	let_in(l, sub_sc(&l->word, WRITER) - WRITER);
}

/* Whether built for debugging or not. */
void
rwlock_assert_write(const struct rwlock *l)
{
	if (UNLIKELY(load_rlx(&l->owner) != thread_number()))
		rank_die("is not held for writing by the calling thread", &l->ranked, NULL);
}

void
rwlock_assert_read(const struct rwlock *l)
{
	rank_assert_held(&l->ranked);
}

int
rwlock_enter_read(struct rwlock *l)
{
	(void)rwlock_take_read(l);
	return l->poisoned ? -EOWNERDEAD : 0;
}

int
rwlock_enter_write(struct rwlock *l)
{
	(void)rwlock_take_write(l);
	return l->poisoned ? -EOWNERDEAD : 0;
}

void
rwlock_heal(struct rwlock *l)
{
	rwlock_assert_write(l);
	l->poisoned = false;
}

struct rwlock_section
rwlock_section_begin(struct rwlock *l) UNCHECKED
{
	int found = rwlock_enter_write(l);

	return (struct rwlock_section){.lock = l, .found = found};
}

void
rwlock_section_end(struct rwlock_section *s) UNCHECKED
{
	if (!s->done)
		s->lock->poisoned = true;
	rwlock_give_write(s->lock);
}
