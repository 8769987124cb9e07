#include "sync/rank.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Thread_local int thread_number_mine;

int
thread_number_new(void)
{
	static _Atomic int last; /* relaxed: only has to be unique */

	thread_number_mine = add_rlx(&last, 1) + 1;
	return thread_number_mine;
}

void
rank_die(const char *what, const struct ranked *l, const struct ranked *other)
{
	(void)dprintf(STDERR_FILENO, "lock \"%s\" (rank %d) %s", l->name, (int)l->rank, what);
	if (other)
		(void)dprintf(STDERR_FILENO, " \"%s\" (rank %d)", other->name, (int)other->rank);
	(void)dprintf(STDERR_FILENO, "\n");
	abort();
}

#if TRAWL_DEBUG

/* What the calling thread holds, in the order of taking. A try may take out of order, so the ranks
 * in it need not ascend. */
static _Thread_local const struct ranked *held[2 * N_LOCK_RANKS];
static _Thread_local unsigned n_held;

void
rank_check(const struct ranked *l)
{
	for (unsigned i = 0; i < n_held; i++) {
		if (held[i] == l)
			rank_die("is taken twice by one thread", l, NULL);
		if (held[i]->rank >= l->rank)
			rank_die("is taken in the wrong order, while holding", l, held[i]);
	}
}

void
rank_took(const struct ranked *l)
{
	if (n_held == ARRAY_LEN(held))
		rank_die("is one lock too many for one thread", l, NULL);
	held[n_held++] = l;
}

void
rank_gave(const struct ranked *l)
{
	for (unsigned i = n_held; i-- > 0;) {
		if (held[i] != l)
			continue;
		n_held--;
		memmove(&held[i], &held[i + 1], (n_held - i) * sizeof(held[0]));
		return;
	}
	rank_die("is given by a thread that does not hold it", l, NULL);
}

void
rank_assert_held(const struct ranked *l)
{
	for (unsigned i = 0; i < n_held; i++) {
		if (held[i] == l)
			return;
	}
	rank_die("is not held by the calling thread", l, NULL);
}

void
rank_assert_only(const struct ranked *l)
{
	rank_assert_held(l);
	for (unsigned i = 0; i < n_held; i++) {
		if (held[i] != l)
			rank_die("is held while the thread waits under", held[i], l);
	}
}

void
lock_assert_none(void)
{
	if (n_held > 0)
		rank_die("is held by a thread that is about to wait", held[n_held - 1], NULL);
}

#endif
