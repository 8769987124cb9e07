#include "sync/chan_impl.h"

#include <errno.h>

#include "sync/spin.h"

#define CHAN_MAX_CAP (1ull << 32)

static size_t
round_cap(size_t cap)
{
	size_t n = 1;

	while (n < cap)
		n *= 2;
	return n;
}

static bool
opts_valid(const struct chan_opts *o)
{
	if (o->cap != CHAN_UNBOUNDED && o->cap > CHAN_MAX_CAP)
		return false;
	if (o->kind == CHAN_SPSC && (o->cap == 0 || o->cap == CHAN_UNBOUNDED))
		return false;
	if (o->weigh ? o->cap == 0 : o->max_bytes != 0)
		return false;
	return o->alarm_items == 0 || o->cap == CHAN_UNBOUNDED;
}

static int
init_flavor(struct chan *c, const struct chan_opts *o)
{
	if (o->cap == 0)
		c->flavor = FLAVOR_ZERO;
	else if (o->cap == CHAN_UNBOUNDED)
		c->flavor = FLAVOR_LIST;
	else
		c->flavor = o->kind == CHAN_SPSC ? FLAVOR_SPSC : FLAVOR_MPMC;
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_init(&c->mpmc, round_cap(o->cap), spin_max());
	case FLAVOR_SPSC:
		return ring_spsc_init(&c->spsc, round_cap(o->cap));
	case FLAVOR_LIST:
		return chan_list_init(&c->list);
	case FLAVOR_ZERO:
		return 0;
	}
	return -EINVAL;
}

static void
init_side(struct chan_side *side, unsigned n_ends)
{
	side->n_ends = n_ends;
	list_init(&side->watchers);
}

int
chan_create_with(const struct chan_opts *o, struct chan **ret)
{
	struct chan *c;
	int r;

	if (!opts_valid(o))
		return -EINVAL;
	c = aligned_alloc(CACHELINE, ALIGN_UP(sizeof(*c), (size_t)CACHELINE));
	if (!c)
		return -ENOMEM;
	*c = (struct chan){
		.max_bytes = o->max_bytes > 0 ? o->max_bytes : SIZE_MAX,
		.weigh = o->weigh,
		.drop = o->drop,
		.alarm_items = o->alarm_items,
		.event_fd = -1,
	};
	r = init_flavor(c, o);
	if (r < 0) {
		free(c);
		return r;
	}
	init_side(&c->senders, o->n_senders);
	init_side(&c->receivers, o->n_receivers);
	lock_init(&c->lock, RANK_CHAN, "chan");
	*ret = c;
	return 0;
}

struct chan *
chan_create(size_t cap, void (*drop)(void *item))
{
	struct chan *c = NULL;

	(void)chan_create_with(&(struct chan_opts){.cap = cap, .drop = drop}, &c);
	return c;
}

static void
drop_item(struct chan *c, void *item)
{
	if (c->drop)
		c->drop(item);
}

/* The ends of an SPSC channel change hands: its owner winds it up. */
static void
forget_owners(struct chan *c)
{
	store_rlx(&c->owners[0], 0);
	store_rlx(&c->owners[1], 0);
}

static void
fini_flavor(struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		ring_mpmc_fini(&c->mpmc);
		break;
	case FLAVOR_SPSC:
		ring_spsc_fini(&c->spsc);
		break;
	case FLAVOR_LIST:
		chan_list_fini(&c->list);
		break;
	case FLAVOR_ZERO:
		break;
	}
}

void
chan_destroy(struct chan *c)
{
	void *item;

	if (!c)
		return;
	forget_owners(c);
	while (chan_try_recv(c, &item) == 0)
		drop_item(c, item);
	assert(list_empty(&c->senders.watchers) && list_empty(&c->receivers.watchers));
	fini_flavor(c);
	lock_fini(&c->lock);
	free(c);
}

static bool
close_flavor(struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_close(&c->mpmc);
	case FLAVOR_SPSC:
		return ring_spsc_close(&c->spsc);
	case FLAVOR_LIST:
		return chan_list_close(&c->list);
	case FLAVOR_ZERO:
		return zero_close(c);
	}
	return false;
}

/* Whoever comes second returns to a closed channel, too: the first may still be on its way. */
void
chan_close(struct chan *c)
{
	bool first = close_flavor(c);

	store_sc(&c->closed, 1);
	if (!first)
		return;
	side_wake_all(c, &c->senders);
	side_wake_all(c, &c->receivers);
	chan_signal_event(c);
}

void
chan_add_sender(struct chan *c)
{
	(void)add_rlx(&c->senders.n_ends, 1);
}

void
chan_add_receiver(struct chan *c)
{
	(void)add_rlx(&c->receivers.n_ends, 1);
}

static bool
drop_end(struct chan_side *side)
{
	uint32_t n = sub_ar(&side->n_ends, 1);

	assert(n > 0);
	return n == 1;
}

void
chan_drop_sender(struct chan *c)
{
	if (drop_end(&c->senders))
		chan_close(c);
}

/* The receive that may sleep: what was reserved before the close is on its way. */
void
chan_drop_receiver(struct chan *c)
{
	void *item;

	if (!drop_end(&c->receivers))
		return;
	chan_close(c);
	store_rlx(&c->owners[1], 0);
	while (chan_recv(c, &item, NULL) == 0)
		drop_item(c, item);
}

size_t
chan_len(const struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_len(&c->mpmc);
	case FLAVOR_SPSC:
		return ring_spsc_len(&c->spsc);
	case FLAVOR_LIST:
		return chan_list_len(&c->list);
	case FLAVOR_ZERO:
		break;
	}
	return 0;
}

uint64_t
chan_sent(const struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return ring_mpmc_sent(&c->mpmc);
	case FLAVOR_SPSC:
		return ring_spsc_sent(&c->spsc);
	case FLAVOR_LIST:
		return chan_list_sent(&c->list);
	case FLAVOR_ZERO:
		return counter_get(&c->zero.n_sent);
	}
	return 0;
}

static uint64_t
max_len(const struct chan *c)
{
	switch (c->flavor) {
	case FLAVOR_MPMC:
		return counter_get(&c->mpmc.max_len);
	case FLAVOR_SPSC:
		return counter_get(&c->spsc.max_len);
	case FLAVOR_LIST:
		return counter_get(&c->list.max_len);
	case FLAVOR_ZERO:
		break;
	}
	return 0;
}

void
chan_get_stats(const struct chan *c, struct chan_stats *ret)
{
	*ret = (struct chan_stats){
		.n_sent = chan_sent(c),
		.n_send_waits = counter_get(&c->senders.n_waits),
		.n_recv_waits = counter_get(&c->receivers.n_waits),
		.max_len = MAX(max_len(c), chan_len(c)),
		.n_alarms = counter_get(&c->n_alarms),
		.bytes = load_sc(&c->bytes),
		.most_bytes = counter_get(&c->most_bytes),
	};
}

void
chan_set_event_fd(struct chan *c, int fd)
{
	LOCK_SCOPE(&c->lock);

	store_sc(&c->armed, 0);
	c->event_fd = fd;
}

/* The receiver's half of note: wakeup: announce, then look. */
bool
chan_arm(struct chan *c)
{
	(void)swap_sc(&c->armed, 1);
	chan_fence(c);
	if (!chan_can_take(c))
		return false;
	chan_disarm(c);
	return true;
}

void
chan_disarm(struct chan *c)
{
	(void)swap_sc(&c->armed, 0);
}
