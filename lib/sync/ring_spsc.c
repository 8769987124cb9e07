#include "sync/ring_spsc.h"

/* note: asymmetric. The fast side does N1: a plain store of its index, then N2: a load of who
 * sleeps, with only the compiler's order in between. The sleeper does W1: announce itself, F:
 * ring_spsc_fence(), W2: look at the index. F has the thread of the fast side pass a full barrier
 * somewhere between its start and its end. If that falls before N2, then N2 sees W1, and the
 * notifier wakes the sleeper; else it falls after N2, so after N1, and W2 sees N1. That is all that
 * note: wakeup (park.c) takes from seq_cst.
 *
 * Of note: leave one step does not hold: a notify_one left out because of EVENTCOUNT_WAKING may
 * have its N1 still under way when the sleeper has left and looks. But there is one waiter on each
 * side at most, so nobody depends on what it sees then: it returns with nothing, as if it had
 * looked a moment earlier, or it announces itself again, with a fence before the look that it
 * sleeps on.
 *
 * note: end. Whether an item came before the close must be one answer for both ends, and the
 * sender's store of tail cannot ask. So E1: it publishes, E2: it looks at `end`. The closer sets
 * `end` to CLOSING, C1, then whoever meets that replaces it by the final number, once and for all
 * (the CAS of settle): C2 fence, C3 read tail. A sender that read OPEN in E2 has its E1 seen by C3,
 * by the argument above, so what it reported as sent is within the end; a sender that read CLOSING
 * proposes its own tail, which nobody else moves; one that is too late takes its item back: the
 * tail stays past the end, and nothing reads that slot. A receiver believes a tail only if it reads
 * OPEN after it: then C1 and C3 come later, and C3 reads as much or more. */
static uint64_t
settle(struct ring_spsc *r, uint64_t tail)
{
	uint64_t end = RING_SPSC_CLOSING;

	return cas_sc(&r->end, &end, tail) ? tail : end;
}

static uint64_t
settle_anyhow(struct ring_spsc *r)
{
	ring_spsc_fence(r);                  /* C2 */
	return settle(r, load_sc(&r->tail)); /* C3 */
}

int
ring_spsc_init(struct ring_spsc *r, size_t cap)
{
	*r = (struct ring_spsc){
		.cap = cap, .end = RING_SPSC_OPEN, .asymmetric = membarrier_offered()};
	r->slots = aligned_alloc(CACHELINE, ALIGN_UP(cap * sizeof(*r->slots), (size_t)CACHELINE));
	return r->slots ? 0 : -ENOMEM;
}

void
ring_spsc_fini(struct ring_spsc *r)
{
	free(r->slots);
}

bool
ring_spsc_close(struct ring_spsc *r)
{
	uint64_t end = RING_SPSC_OPEN;
	bool first = cas_sc(&r->end, &end, RING_SPSC_CLOSING); /* C1 */

	/* Not the first, but perhaps before the first is through: behind us no send succeeds. */
	if (first || end == RING_SPSC_CLOSING)
		(void)settle_anyhow(r);
	return first;
}

/* The barrier cannot fail once the process is registered for it, unless somebody takes the call
 * away from the process after that; who sleeps without it may sleep for ever. */
void
ring_spsc_fence(const struct ring_spsc *r)
{
	int e = r->asymmetric ? membarrier_all() : 0;

	assert(e == 0);
}

/* The tail as far as the receiver may go. */
uint64_t
ring_spsc_renew_tail(struct ring_spsc *r)
{
	uint64_t tail = load_sc(&r->tail), end = load_sc(&r->end);

	if (LIKELY(end == RING_SPSC_OPEN))
		return tail;
	return end == RING_SPSC_CLOSING ? settle_anyhow(r) : end;
}

/* The sender published `tail` and then found it not open. */
bool
ring_spsc_came_before_end(struct ring_spsc *r, uint64_t tail)
{
	return settle(r, tail) >= tail;
}

/* The two words that are not positions are greater than any. */
uint64_t
ring_spsc_sent(const struct ring_spsc *r)
{
	uint64_t tail = load_sc(&r->tail);

	return MIN(tail, load_sc(&r->end));
}

size_t
ring_spsc_len(const struct ring_spsc *r)
{
	uint64_t head = load_sc(&r->head), tail = ring_spsc_sent(r);

	return tail > head ? MIN(tail - head, r->cap) : 0;
}
