#include "sync/park.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* note: wakeup. S is the single order of all seq_cst operations. The waiter does W1: waiters++,
 * W2: read the condition; the notifier does N1: change the condition, N2: read waiters. If W2
 * missed N1, then W2 comes before N1 in S, so W1 before N2, and the notifier sees the waiter: it
 * advances the epoch, and either the kernel finds the epoch changed or the sleeper is on the queue
 * that park_wake() serves. */
void
eventcount_prepare(struct eventcount *ec, uint32_t *ret_key)
{
	(void)add_sc(&ec->waiters, 1); /* W1 */
	*ret_key = load_sc(&ec->epoch);
}

/* Relaxed: a notifier that sees the waiter a moment too long makes one call for nothing. */
void
eventcount_cancel(struct eventcount *ec)
{
	(void)sub_rlx(&ec->waiters, 1);
}

int
eventcount_wait(struct eventcount *ec, uint32_t key, usec_t deadline)
{
	int r = park_wait(&ec->epoch, key, deadline);

	(void)sub_rlx(&ec->waiters, 1);
	return r == -ETIMEDOUT ? r : 0;
}

void
eventcount_notify(struct eventcount *ec, uint32_t n)
{
	if (LIKELY(load_sc(&ec->waiters) == 0)) /* N2 */
		return;
	/* seq_cst: whoever reads the new epoch as its key also sees the condition changed. */
	(void)add_sc(&ec->epoch, 1);
	park_wake(&ec->epoch, n);
}
