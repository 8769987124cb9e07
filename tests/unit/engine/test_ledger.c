#include "engine/ledger.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

TestSuite(ledger, .timeout = 60);

/* A batch of n bytes; without any, of what nobody knows. */
static void
push(struct ledger *l, uint64_t tick, size_t n)
{
	struct strbuf bytes = {0};
	struct ledger_batch *b;

	CHECK_INT(strbuf_reserve(&bytes, n), 0);
	bytes.len = n;
	memset(bytes.data, 'x', n);
	b = ledger_batch_create(&bytes, n);
	CHECK(b != NULL && bytes.data == NULL);
	b->told.tick = tick;
	CHECK_INT(ledger_reserve(l), 0);
	ledger_push(l, b);
}

/* The ticks as words, at most n; or the error. */
static const char *
told(struct ledger *l, uint64_t from, uint64_t upto, size_t n)
{
	static char out[256];
	struct ledger_batch *b[16];
	int got = ledger_read(l, from, upto, b, MIN(n, ARRAY_LEN(b)));
	size_t at = 0;

	out[0] = '\0';
	if (got < 0)
		return got == -ESTALE ? "stale" : got == -ENODATA ? "ask" : "error";
	for (int i = 0; i < got; i++) {
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%u", i ? " " : "",
			(unsigned)b[i]->told.tick);
		ledger_batch_unref(b[i]);
	}
	return out;
}

TEST(ledger, tells_what_came_after_a_tick)
{
	struct ledger l;

	ledger_init(&l);
	ledger_begin(&l, 10, 4);
	CHECK_STR(told(&l, 10, 99, 9), "");
	CHECK_STR(told(&l, 9, 99, 9), "ask"); /* the journal */
	CHECK_STR(told(&l, 3, 99, 9), "stale");
	for (uint64_t t = 11; t < 20; t += 2)
		push(&l, t, 8);
	CHECK_STR(told(&l, 10, 99, 9), "11 13 15 17 19");
	CHECK_STR(told(&l, 13, 99, 9), "15 17 19");
	CHECK_STR(told(&l, 14, 99, 9), "15 17 19");
	CHECK_STR(told(&l, 14, 17, 9), "15 17");
	CHECK_STR(told(&l, 10, 99, 2), "11 13");
	CHECK_STR(told(&l, 19, 99, 9), "");
	ledger_fini(&l);
}

TEST(ledger, a_batch_that_nobody_knows_ends_what_was_before)
{
	struct ledger l;

	ledger_init(&l);
	push(&l, 1, 8);
	push(&l, 2, 0);
	push(&l, 3, 8);
	CHECK_STR(told(&l, 0, 99, 9), "stale");
	CHECK_STR(told(&l, 1, 99, 9), "stale");
	CHECK_STR(told(&l, 2, 99, 9), "3");
	ledger_fini(&l);
}

TEST(ledger, keeps_so_much_and_what_was_read_longer)
{
	struct ledger l;
	struct ledger_batch *kept;
	uint64_t t;

	ledger_init(&l);
	push(&l, 1, 100);
	CHECK_INT(ledger_read(&l, 0, 9, &kept, 1), 1);
	for (t = 2; t < 200; t++) {
		push(&l, t, LEDGER_BYTES / 16);
		CHECK(l.bytes <= LEDGER_BYTES);
		CHECK(l.batches.len - l.first <= 16);
		CHECK(l.batches.cap < 64); /* nothing creeps */
	}
	CHECK_STR(told(&l, 0, 999, 9), "ask");
	CHECK_STR(told(&l, 197, 999, 9), "198 199");
	CHECK_INT(kept->told.tick, 1);
	CHECK_INT(kept->told.records.data[99], 'x');
	ledger_batch_unref(kept);
	push(&l, t, LEDGER_BYTES + 1); /* not kept at all */
	CHECK_STR(told(&l, 199, 999, 9), "ask");
	CHECK_STR(told(&l, 200, 999, 9), "");
	ledger_fini(&l);
}
