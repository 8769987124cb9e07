#include "sync/park.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef TRAWL_MODEL /* the explorer parks threads of its own */

/* FUTEX_WAIT_BITSET and not FUTEX_WAIT: its deadline is absolute, on the monotonic clock. */
int
park_wait(_Atomic uint32_t *word, uint32_t expected, usec_t deadline)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / USEC_PER_SEC),
		.tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000,
	};
	long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
		deadline == USEC_NEVER ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);

	if (r == 0 || errno == EINTR)
		return 0;
	assert(errno == EAGAIN || errno == ETIMEDOUT);
	return -errno;
}

/* EFAULT is legal here: the word may be gone when the sleeper was quicker than this call, which
 * then wakes nobody. */
void
park_wake(_Atomic uint32_t *word, uint32_t n)
{
	(void)syscall(
		SYS_futex, word, FUTEX_WAKE_PRIVATE, MIN(n, (uint32_t)INT_MAX), NULL, NULL, 0);
}

#endif

/* note: wakeup. S is the single order of all seq_cst operations. The waiter does W0: read the
 * epoch, W1: waiters++, W2: read the condition; the notifier does N1: change the condition, N2:
 * read waiters. If W2 missed N1, then W2 comes before N1 in S, so W1 before N2, and the notifier
 * sees the waiter: it advances the epoch, and either the kernel finds the epoch changed or the
 * sleeper is on the queue that park_wake() serves.
 *
 * W0 stands before W1 for note: leave. A notifier that counted this waiter advances the epoch after
 * W1, hence past the waiter's key: the waiter cannot sleep through it. With the key read after W1
 * the epoch may be advanced in between, for this waiter; when another thread then takes what was
 * announced, the waiter sleeps on the new epoch with EVENTCOUNT_WAKING set and nothing on its way:
 * for ever. */
void
eventcount_prepare(struct eventcount *ec, uint32_t *ret_key)
{
	*ret_key = load_sc(&ec->epoch); /* W0 */
	(void)add_sc(&ec->waiters, 1);  /* W1 */
}

/* note: leave. Who leaves lifts EVENTCOUNT_WAKING in the same step. A notify_one that was left out
 * because of the bit comes before this step in S, so what it announced is seen by the look at the
 * condition that follows. The bit is never set without a waiter; each waiter that was there when it
 * was set has an older key than the epoch advanced to (W0), so one of them leaves: being woken,
 * or not falling asleep at all. The bit does not stay. */
static void
leave(struct eventcount *ec, uint32_t unit)
{
	uint32_t seen = load_rlx(&ec->waiters);

	while (!cas_weak_sc(&ec->waiters, &seen, (seen & ~EVENTCOUNT_WAKING) - unit))
		;
}

void
eventcount_cancel(struct eventcount *ec)
{
	leave(ec, 1);
}

int
eventcount_wait(struct eventcount *ec, uint32_t key, usec_t deadline)
{
	int r = park_wait(&ec->epoch, key, deadline);

	leave(ec, 1);
	return r == -ETIMEDOUT ? r : 0;
}

/* seq_cst: whoever reads the new epoch as its key also sees the condition changed. */
static void
advance(struct eventcount *ec, uint32_t n)
{
	(void)add_sc(&ec->epoch, 1);
	park_wake(&ec->epoch, n);
}

#define MAX_WATCHERS (EVENTCOUNT_WAKING / EVENTCOUNT_WATCHER - 1)

static uint32_t
n_watchers(uint32_t waiters)
{
	return (waiters & ~EVENTCOUNT_WAKING) / EVENTCOUNT_WATCHER;
}

bool
eventcount_notify(struct eventcount *ec, uint32_t n)
{
	uint32_t seen = load_sc(&ec->waiters); /* N2 */

	if (UNLIKELY(seen != 0))
		advance(ec, n);
	return n_watchers(seen) > 0;
}

/* Sleepers and watchers take turns, by the parity of the epoch. */
static bool
watchers_turn(struct eventcount *ec, uint32_t waiters)
{
	bool sleepers = waiters % EVENTCOUNT_WATCHER != 0;

	if (n_watchers(waiters) == 0 || (sleepers && load_rlx(&ec->epoch) % 2 == 0))
		return false;
	(void)add_sc(&ec->epoch, 1);
	return true;
}

bool
eventcount_notify_one(struct eventcount *ec)
{
	uint32_t seen = load_sc(&ec->waiters); /* N2 */

	while (UNLIKELY(seen != 0) && !(seen & EVENTCOUNT_WAKING)) {
		if (cas_weak_sc(&ec->waiters, &seen, seen | EVENTCOUNT_WAKING)) {
			if (watchers_turn(ec, seen))
				return true;
			advance(ec, 1);
			return false;
		}
	}
	return false;
}

void
eventcount_watch(struct eventcount *ec)
{
	uint32_t seen = add_sc(&ec->waiters, EVENTCOUNT_WATCHER); /* W1 */

	assert(n_watchers(seen) < MAX_WATCHERS);
}

void
eventcount_unwatch(struct eventcount *ec)
{
	leave(ec, EVENTCOUNT_WATCHER);
}
