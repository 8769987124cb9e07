#include "test.h"

#include <errno.h>

#include "sync/ring_mpmc.h"
#include "sync/ring_spsc.h"
#include "sync/thread.h"

static void *
number(uint64_t n)
{
	return (void *)(uintptr_t)n;
}

TEST(ring, one_slot_holds_one_item)
{
	struct ring_mpmc r;
	struct ring_spsc s;
	void *item = number(1), *got;

	CHECK_INT(ring_mpmc_init(&r, 1, 0), 0);
	CHECK_INT(ring_spsc_init(&s, 1), 0);
	for (uint64_t i = 0; i < 5; i++) {
		item = number(i);
		CHECK_INT(ring_mpmc_recv(&r, &got, 1), -EAGAIN);
		CHECK_INT(ring_mpmc_send(&r, &item, 1), 1);
		CHECK_INT(ring_mpmc_send(&r, &item, 1), -EAGAIN);
		CHECK_INT(ring_mpmc_recv(&r, &got, 1), 1);
		CHECK(got == item);
		CHECK_INT(ring_spsc_recv(&s, &got, 1), -EAGAIN);
		CHECK_INT(ring_spsc_send(&s, &item, 1), 1);
		CHECK_INT(ring_spsc_send(&s, &item, 1), -EAGAIN);
		CHECK_INT(ring_spsc_recv(&s, &got, 1), 1);
		CHECK(got == item);
	}
	ring_mpmc_fini(&r);
	ring_spsc_fini(&s);
}

TEST(ring, a_batch_takes_what_there_is_room_for)
{
	struct ring_mpmc r;
	struct ring_spsc s;
	void *in[12], *out[12];

	CHECK_INT(ring_mpmc_init(&r, 8, 0), 0);
	CHECK_INT(ring_spsc_init(&s, 8), 0);
	for (uint64_t i = 0; i < 12; i++)
		in[i] = number(i);
	for (int lap = 0; lap < 5; lap++) {
		CHECK_INT(ring_mpmc_send(&r, in, 5), 5);
		CHECK_INT(ring_mpmc_send(&r, in + 5, 7), 3);
		CHECK_INT(ring_mpmc_len(&r), 8);
		CHECK_INT(ring_mpmc_recv(&r, out, 12), 8);
		CHECK(memcmp(in, out, 8 * sizeof(in[0])) == 0);
		CHECK_INT(ring_spsc_send(&s, in, 5), 5);
		CHECK_INT(ring_spsc_send(&s, in + 5, 7), 3);
		CHECK_INT(ring_spsc_len(&s), 8);
		CHECK_INT(ring_spsc_recv(&s, out, 3), 3);
		CHECK_INT(ring_spsc_recv(&s, out + 3, 9), 5);
		CHECK(memcmp(in, out, 8 * sizeof(in[0])) == 0);
	}
	ring_mpmc_fini(&r);
	ring_spsc_fini(&s);
}

TEST(ring, a_closed_one_drains)
{
	struct ring_mpmc r;
	struct ring_spsc s;
	void *item = number(1);

	CHECK_INT(ring_mpmc_init(&r, 2, 0), 0);
	CHECK_INT(ring_spsc_init(&s, 2), 0);
	CHECK_INT(ring_mpmc_send(&r, &item, 1), 1);
	CHECK_INT(ring_spsc_send(&s, &item, 1), 1);
	CHECK(ring_mpmc_close(&r) && ring_spsc_close(&s));
	CHECK(!ring_mpmc_close(&r) && !ring_spsc_close(&s));
	CHECK_INT(ring_mpmc_send(&r, &item, 1), -EPIPE);
	CHECK_INT(ring_spsc_send(&s, &item, 1), -EPIPE);
	CHECK_INT(ring_mpmc_recv(&r, &item, 1), 1);
	CHECK_INT(ring_spsc_recv(&s, &item, 1), 1);
	CHECK(ring_mpmc_can_recv(&r) && ring_spsc_can_recv(&s)); /* to be told of the end */
	CHECK_INT(ring_mpmc_recv(&r, &item, 1), -EPIPE);
	CHECK_INT(ring_spsc_recv(&s, &item, 1), -EPIPE);
	ring_mpmc_fini(&r);
	ring_spsc_fini(&s);
}

/* Whatever the positions are near the top of 32 bits, where a narrower index would wrap. */
TEST(ring, positions_pass_thirty_two_bits)
{
	const uint64_t start = (1ull << 32) - 3;
	struct ring_mpmc r;
	struct ring_spsc s;
	void *item, *got;

	CHECK_INT(ring_mpmc_init(&r, 4, 0), 0);
	CHECK_INT(ring_spsc_init(&s, 4), 0);
	store_sc(&r.head, start);
	store_sc(&r.tail, start);
	for (uint64_t i = 0; i < 4; i++)
		store_sc(&r.slots[(start + i) % 4].seq, 2 * (start + i));
	store_sc(&s.head, start);
	store_sc(&s.tail, start);
	s.head_seen = s.tail_seen = s.sent = s.received = start;
	for (uint64_t i = 0; i < 20; i++) {
		item = number(i);
		CHECK_INT(ring_mpmc_send(&r, &item, 1), 1);
		CHECK_INT(ring_spsc_send(&s, &item, 1), 1);
		CHECK_INT(ring_mpmc_recv(&r, &got, 1), 1);
		CHECK(got == item);
		CHECK_INT(ring_spsc_recv(&s, &got, 1), 1);
		CHECK(got == item);
	}
	ring_mpmc_fini(&r);
	ring_spsc_fini(&s);
}

/* A sender that was preempted between reservation and publication: the others neither wait for it
 * nor pass it. */
TEST(ring, a_try_does_not_wait_for_a_sender_half_way)
{
	struct ring_mpmc r;
	void *item = number(2), *got;

	CHECK_INT(ring_mpmc_init(&r, 4, 8), 0);
	store_sc(&r.tail, 1); /* position 0 is reserved, and stays so */
	CHECK_INT(ring_mpmc_send(&r, &item, 1), 1);
	CHECK_INT(ring_mpmc_recv(&r, &got, 1), -EAGAIN);
	CHECK(!ring_mpmc_can_recv(&r));
	CHECK(ring_mpmc_close(&r));
	CHECK_INT(ring_mpmc_recv(&r, &got, 1), -EAGAIN); /* its item is still to come */
	r.slots[0].item = number(1);
	store_sc(&r.slots[0].seq, 1);
	CHECK_INT(ring_mpmc_recv(&r, &got, 1), 1);
	CHECK(got == number(1));
	CHECK_INT(ring_mpmc_recv(&r, &got, 1), 1);
	CHECK_INT(ring_mpmc_recv(&r, &got, 1), -EPIPE);
	ring_mpmc_fini(&r);
}
