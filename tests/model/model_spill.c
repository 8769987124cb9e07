/* The spill channel between memory and block: records arrive once and in order, whichever way they
 * go, and nobody sleeps over one. Without files: the block that is being filled is never full here,
 * and the fields of struct spill are as spill_open() leaves them. */
#include "model.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sync/spill_impl.h"
#include "sync/thread.h"

#define RING_BYTES 32u /* two records of ours */

static struct spill *
create(size_t ring_bytes)
{
	struct spill *c = aligned_alloc(CACHELINE, ALIGN_UP(sizeof(*c), (size_t)CACHELINE));

	memset(c, 0, sizeof(*c));
	c->dirfd = c->position_fd = c->event_fd = -1;
	c->opts = (struct spill_opts){.max_disk_bytes = UINT64_MAX};
	CHECK_MODEL(spill_ring_init(&c->ring, ring_bytes) == 0);
	CHECK_MODEL(spill_cursor_init(&c->cursor) == 0);
	c->fill.bytes = malloc(SPILL_BLOCK_BYTES);
	lock_init(&c->flush, RANK_POOL, "flush");
	lock_init(&c->send, RANK_CHAN, "send");
	lock_init(&c->log, RANK_LEAF, "log");
	list_init(&c->segments);
	return c;
}

static void
destroy(struct spill *c)
{
	spill_cursor_fini(c);
	spill_ring_fini(&c->ring);
	free(c->fill.bytes);
	free(c);
}

static uint32_t n_records;

static int
send_all(void *arg)
{
	for (uint32_t i = 1; i <= n_records; i++)
		CHECK_MODEL(spill_send(arg, &i, sizeof(i)) == 0);
	spill_close(arg);
	return 0;
}

static uint32_t
number_of(struct span s)
{
	uint32_t i;

	CHECK_MODEL(s.len == sizeof(i));
	memcpy(&i, s.data, sizeof(i));
	return i;
}

/* Receives, and gives up what it has, so that the ring has room again. */
static uint32_t
take_ready(struct spill *c, uint32_t n, int *ret)
{
	struct span s;

	while ((*ret = spill_try_recv(c, &s)) == 0) {
		CHECK_MODEL(number_of(s) == ++n);
		spill_ring_release(&c->ring);
	}
	return n;
}

static void
pass_with(size_t ring_bytes, uint32_t n)
{
	struct spill *c = create(ring_bytes);
	struct thread t;
	struct span s;
	uint32_t got = 0;
	int r;

	n_records = n;
	CHECK_MODEL(thread_start(&t, "sender", send_all, c) == 0);
	while ((r = spill_recv(c, &s, NULL)) == 0) {
		CHECK_MODEL(number_of(s) == ++got);
		spill_ring_release(&c->ring);
	}
	CHECK_MODEL(r == -EPIPE && got == n);
	(void)thread_join(&t);
	destroy(c);
}

static void
in_memory(void)
{
	pass_with(4 * RING_BYTES, 2);
}

static void
overflowing(void)
{
	pass_with(RING_BYTES, 4);
}

/* The loop of spill_arm(). */
static void
armed_with(bool look_twice)
{
	struct spill *c = create(RING_BYTES);
	struct thread t;
	uint32_t got = 0;
	uint64_t count;
	int r;

	n_records = 2;
	spill_set_event_fd(c, model_eventfd());
	CHECK_MODEL(thread_start(&t, "sender", send_all, c) == 0);
	for (;;) {
		got = take_ready(c, got, &r);
		if (r == -EPIPE)
			break;
		if (spill_arm(c) && look_twice)
			continue;
		CHECK_MODEL(read(c->event_fd, &count, sizeof(count)) == sizeof(count));
		spill_disarm(c);
	}
	CHECK_MODEL(got == 2);
	(void)thread_join(&t);
	destroy(c);
}

static void
armed(void)
{
	armed_with(true);
}

static void
armed_unheeded(void)
{
	armed_with(false);
}

/* The ring alone, with a sender that finds it full. */
static struct spill_ring ring;

static int
put_all(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= n_records; i++) {
		while (spill_ring_put(&ring, i, &i, sizeof(i)) == -EAGAIN)
			cpu_pause();
	}
	return 0;
}

static void
ring_wraps(void)
{
	struct thread t;

	n_records = 4;
	CHECK_MODEL(spill_ring_init(&ring, RING_BYTES) == 0);
	CHECK_MODEL(thread_start(&t, "sender", put_all, NULL) == 0);
	for (uint32_t i = 1; i <= n_records; i++) {
		uint32_t low;

		while (!spill_ring_ready(&ring))
			cpu_pause();
		CHECK_MODEL(number_of(spill_ring_get(&ring, &low)) == i && low == i);
		spill_ring_release(&ring);
	}
	(void)thread_join(&t);
	spill_ring_fini(&ring);
}

#define WEAKENED(model, func_, expr_, order_)                                           \
	.name = #model ", " func_ " " expr_ " " #order_, .body = (model), .preempt = 2, \
	.stale = 2, .weaken = {{func_, expr_, memory_order_##order_}}

static const struct model models[] = {
	{.name = "ring_wraps", .body = ring_wraps, .preempt = 3, .preempt_long = 5},
	{.name = "in_memory", .body = in_memory, .preempt = 3, .preempt_long = 4},
	{.name = "overflowing", .body = overflowing, .preempt = 2, .preempt_long = 3},
	{.name = "armed", .body = armed, .preempt = 3, .preempt_long = 4},
	{.name = "armed_unheeded", .body = armed_unheeded, .preempt = 2, .fails = "asleep"},
	{WEAKENED(ring_wraps, "spill_ring_put", "tail", relaxed), .fails = "data race"},
	{WEAKENED(ring_wraps, "spill_ring_ready", "tail", relaxed), .fails = "data race"},
	{WEAKENED(ring_wraps, "spill_ring_release", "head", relaxed), .fails = "data race"},
	{WEAKENED(ring_wraps, "has_room", "head", relaxed), .fails = "data race"},
	{WEAKENED(in_memory, "take", "closed", acquire), .fails = "asleep"},
	{WEAKENED(in_memory, "set_closed", "closed", release), .fails = "asleep"},
};

MODEL_MAIN(models)
