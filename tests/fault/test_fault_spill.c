/* The spill channel: what was accepted comes out in order, whatever could not be had meanwhile.
 * (Its writes fail in tests/unit/sync/test_spill_fault.c.) */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/spill.h"

#define N_RECORDS 4000u

static const struct spill_opts opts = {
	.max_mem_bytes = 2048, .max_disk_bytes = 8 << 20, .segment_bytes = 96 << 10};

static int
spill_at(struct spill **ret)
{
	struct err err = {0};
	int r = spill_open(AT_FDCWD, fault_dir(), &opts, ret, &err);

	FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	return r;
}

/* Found by the runs below: some segments, some of them acked. */
static void
fill(void *arg)
{
	unsigned char record[100] = {0};
	struct spill *c = NULL;
	struct span s;

	(void)arg;
	FAULT_CHECK(spill_at(&c) == 0);
	for (uint32_t i = 0; i < N_RECORDS; i++) {
		memcpy(record, &i, sizeof(i));
		FAULT_CHECK(spill_send(c, record, sizeof(record)) == 0);
	}
	for (uint32_t i = 0; i < N_RECORDS / 4; i++)
		FAULT_CHECK(spill_try_recv(c, &s) == 0);
	FAULT_CHECK(spill_ack(c) == 0);
	FAULT_CHECK(spill_destroy(c) == 0);
}

static void
expect(struct spill *c, uint32_t from, uint32_t to)
{
	struct span s;
	uint32_t n;

	for (uint32_t i = from; i < to; i++) {
		FAULT_CHECK(spill_try_recv(c, &s) == 0);
		FAULT_CHECK(s.len == 100);
		memcpy(&n, s.data, sizeof(n));
		FAULT_CHECK(n == i);
	}
	FAULT_CHECK(spill_try_recv(c, &s) == -EAGAIN);
}

/* Whether it could be opened or not: the next one finds everything. */
static int
open_filled(void *arg)
{
	struct spill *c = NULL;
	int r = spill_at(&c);

	(void)arg;
	FAULT_CHECK((r == 0) == (c != NULL));
	(void)fault_off();
	if (r == 0)
		FAULT_CHECK(spill_destroy(c) == 0);
	FAULT_CHECK(spill_at(&c) == 0);
	expect(c, N_RECORDS / 4, N_RECORDS);
	FAULT_CHECK(spill_destroy(c) == 0);
	return r;
}

static int
send_some(struct spill *c, uint32_t *n_sent, uint32_t n)
{
	unsigned char record[100] = {0};
	int failure = 0;

	for (uint32_t i = 0; i < n; i++) {
		int r;

		memcpy(record, n_sent, sizeof(*n_sent));
		r = spill_send(c, record, sizeof(record));
		*n_sent += r == 0;
		failure = r < 0 ? r : failure;
	}
	return failure;
}

static int
send_and_flush(void *arg)
{
	struct spill *c = NULL;
	uint32_t n_sent = 0;
	int r = spill_at(&c), failure = 0;

	(void)arg;
	if (r < 0)
		return r;
	for (int round = 0; round < 6; round++) {
		r = send_some(c, &n_sent, 600);
		failure = r < 0 ? r : failure;
		r = spill_flush(c);
		failure = r < 0 ? r : failure;
	}
	(void)fault_off();
	FAULT_CHECK(send_some(c, &n_sent, 50) == 0); /* there is room again */
	FAULT_CHECK(spill_flush(c) == 0);
	FAULT_CHECK(spill_destroy(c) == 0);
	FAULT_CHECK(spill_at(&c) == 0);
	expect(c, 0, n_sent);
	FAULT_CHECK(spill_destroy(c) == 0);
	return failure;
}

/* The last flush is that of spill_destroy(), whose failure is told; nothing is left of the object.
 */
static int
destroy(void *arg)
{
	struct spill *c = NULL;
	uint32_t n_sent = 0;
	int r = spill_at(&c), failure;

	(void)arg;
	if (r < 0)
		return r;
	failure = send_some(c, &n_sent, 30);
	r = spill_destroy(c);
	(void)fault_off();
	FAULT_CHECK(spill_at(&c) == 0);
	if (r == 0)
		expect(c, 0, n_sent);
	FAULT_CHECK(spill_destroy(c) == 0);
	return r < 0 ? r : failure;
}

static const struct fault_case cases[] = {
	{.name = "open",
		.run = open_filled,
		.setup = fill,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 8},
	{.name = "send, flush", .run = send_and_flush, .flags = FAULT_NEEDS_DIR, .min_calls = 12},
	{.name = "destroy", .run = destroy, .flags = FAULT_NEEDS_DIR, .min_calls = 6},
};

FAULT_MAIN(cases)
