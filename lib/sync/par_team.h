/**
 * par_team: the helpers of one parallel call; internal to par_*.
 *
 * Helpers are tasks of a pool that go through a door. The caller closes it and waits only for those
 * inside, each of which is on a thread and makes progress; a helper that still waits in the pool's
 * queue, perhaps long after the call, finds the door closed and touches nothing but the team's own
 * memory, which is counted. So nobody ever waits for a thread to become free.
 *
 * A helper whose `fn` returned may be invited again.
 *
 * Threads: invite by the caller and by helpers inside; close by the caller, once.
 */
#pragma once

#include "sync/pool.h"

struct team;

typedef void (*team_fn)(void *arg, unsigned worker); /* worker: 1.. */

/** At most one helper a thread of the pool. NULL: no memory, or no pool. `arg` is the caller's and
 *  is used only inside. */
struct team *team_create(
	struct pool *p, enum task_class cls, size_t max_helpers, team_fn fn, void *arg);
/** Ask one more in. False: all are in or on their way, or the pool is closed. */
bool team_invite(struct team *t);
/** Shut the door, wait for those inside, release. What they wrote is seen. NULL is legal. */
void team_close(struct team *t);
