/**
 * chan_list: an unbounded queue of pointers: a list of segments, a lock on each end.
 *
 * Senders and receivers never meet on a lock; what passes between them is `tail`. A consumed
 * segment is kept for the next one, so a queue that stays short allocates nothing.
 *
 * Threads: any. The two locks (RANK_CHAN) are held for a copy, and now and then for an allocation.
 * Errors:  -ENOMEM; -EPIPE closed (receivers: and drained), -EAGAIN empty.
 */
#pragma once

#include "sync/lock.h"

struct segment;

struct chan_list {
	/* Next to receive, written under recv_lock. Relaxed there; who looks without the lock
	 * acquires only to read `tail` after it. */
	_Atomic uint64_t head;
	ON_OWN_LINE struct lock send_lock;
	struct segment *last; /* guarded by send_lock */
	/* Next to send, with the closed bit; changed under send_lock by seq_cst read-modify-writes:
	 * they publish the items (receivers' loads pair with them) and are the notifier's half of
	 * note: wakeup (park.c). */
	_Atomic uint64_t tail;

	ON_OWN_LINE struct lock recv_lock;
	struct counter max_len;
	struct segment *first;           /* guarded by recv_lock */
	_Atomic(struct segment *) spare; /* acquire and release by swap: its bytes change hands */
};

int chan_list_init(struct chan_list *l);
/** Empty by now. */
void chan_list_fini(struct chan_list *l);
/** Sends all n (>= 1), or those for which there was memory. */
ssize_t chan_list_send(struct chan_list *l, void *const *items, size_t n);
/** How many, 1 to n. */
ssize_t chan_list_recv(struct chan_list *l, void **ret, size_t n);
/** false: it was closed before. */
bool chan_list_close(struct chan_list *l);
bool chan_list_can_recv(struct chan_list *l);
uint64_t chan_list_sent(const struct chan_list *l);
size_t chan_list_len(const struct chan_list *l);
