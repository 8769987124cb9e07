#include "sync/chan_list.h"

#include <errno.h>

#define CLOSED (1ull << 63) /* in tail */
#define SEGMENT_ITEMS 62u   /* with `next` and malloc's word half a KiB */

struct segment {
	struct segment *next; /* written under send_lock before the tail passes the segment */
	void *items[SEGMENT_ITEMS];
};

int
chan_list_init(struct chan_list *l)
{
	*l = (struct chan_list){.first = malloc(sizeof(struct segment))};
	if (!l->first)
		return -ENOMEM;
	l->last = l->first;
	lock_init(&l->send_lock, RANK_CHAN, "chan senders");
	lock_init(&l->recv_lock, RANK_CHAN, "chan receivers");
	return 0;
}

void
chan_list_fini(struct chan_list *l)
{
	assert(l->first == l->last);
	free(l->first);
	free(load_acq(&l->spare));
	lock_fini(&l->send_lock);
	lock_fini(&l->recv_lock);
}

/* Room for position `pos`. A segment begins when its first item is sent, not before: so the last
 * one is never consumed to its end without a successor on its way, and `first` never passes `last`.
 */
static bool
make_room_locked(struct chan_list *l, uint64_t pos)
{
	struct segment *s;

	if (pos == 0 || pos % SEGMENT_ITEMS != 0)
		return true;
	s = swap_ar(&l->spare, NULL);
	if (!s)
		s = malloc(sizeof(*s));
	if (!s)
		return false;
	l->last = l->last->next = s;
	return true;
}

ssize_t
chan_list_send(struct chan_list *l, void *const *items, size_t n)
{
	LOCK_SCOPE(&l->send_lock);
	uint64_t pos = load_rlx(&l->tail); /* changes under our lock only */
	size_t k = 0;

	if (pos & CLOSED)
		return -EPIPE;
	for (; k < n && make_room_locked(l, pos + k); k++)
		l->last->items[(pos + k) % SEGMENT_ITEMS] = items[k];
	if (k == 0)
		return -ENOMEM;
	(void)add_sc(&l->tail, k);
	return (ssize_t)k;
}

static void
keep_spare(struct chan_list *l, struct segment *s)
{
	free(swap_ar(&l->spare, s));
}

static void *
take_locked(struct chan_list *l, uint64_t pos)
{
	struct segment *s = l->first;

	if (pos > 0 && pos % SEGMENT_ITEMS == 0) {
		l->first = s->next;
		keep_spare(l, s);
	}
	return l->first->items[pos % SEGMENT_ITEMS];
}

static int
why_empty(uint64_t tail)
{
	return tail & CLOSED ? -EPIPE : -EAGAIN;
}

ssize_t
chan_list_recv(struct chan_list *l, void **ret, size_t n)
{
	uint64_t head = load_acq(&l->head), tail = load_sc(&l->tail);

	if ((tail & ~CLOSED) == head) /* head was read first: both had this value at one moment */
		return why_empty(tail);
	LOCK_SCOPE(&l->recv_lock);
	head = load_rlx(&l->head);
	tail = load_sc(&l->tail);
	counter_max(&l->max_len, (tail & ~CLOSED) - head);
	n = MIN(n, (tail & ~CLOSED) - head);
	if (n == 0)
		return why_empty(tail);
	for (size_t i = 0; i < n; i++)
		ret[i] = take_locked(l, head + i);
	store_rlx(&l->head, head + n);
	return (ssize_t)n;
}

bool
chan_list_close(struct chan_list *l)
{
	LOCK_SCOPE(&l->send_lock);

	return !(or_sc(&l->tail, CLOSED) & CLOSED);
}

bool
chan_list_can_recv(struct chan_list *l)
{
	uint64_t head = load_acq(&l->head);

	return load_sc(&l->tail) != head;
}

uint64_t
chan_list_sent(const struct chan_list *l)
{
	return load_sc(&l->tail) & ~CLOSED;
}

size_t
chan_list_len(const struct chan_list *l)
{
	uint64_t head = load_acq(&l->head), tail = chan_list_sent(l);

	return tail > head ? tail - head : 0;
}
