/** spill_support: what the tests of the spill channel share. */
#pragma once

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sync/spill.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)

static inline struct spill *
spill_at(const char *dir, uint64_t mem, uint64_t disk, uint64_t segment, enum spill_flags flags)
{
	struct spill_opts opts = {.max_mem_bytes = mem,
		.max_disk_bytes = disk,
		.segment_bytes = segment,
		.flags = flags};
	struct spill *c = NULL;
	struct err err = {0};
	int r = spill_open(AT_FDCWD, dir, &opts, &c, &err);

	CHECK_SAY(r == 0, "spill_open: %d: %s", r, err.what);
	return c;
}

/* Record n: its number, then as many bytes as the number tells, of a value it tells. */
static inline size_t
record_make(uint64_t n, size_t len, unsigned char *to)
{
	memcpy(to, &n, sizeof(n));
	memset(to + sizeof(n), (int)(n % 251), len - sizeof(n));
	return len;
}

/* Its number; stops the test when it is not what record_make() made. */
static inline uint64_t
record_check(struct span s)
{
	uint64_t n;

	CHECK(s.len >= sizeof(n));
	memcpy(&n, s.data, sizeof(n));
	for (size_t i = sizeof(n); i < s.len; i++)
		CHECK((unsigned char)s.data[i] == n % 251);
	return n;
}

static inline int
send_number(struct spill *c, uint64_t n, size_t len)
{
	unsigned char record[SPILL_RECORD_MAX_BYTES];

	return spill_send(c, record, record_make(n, len, record));
}

static inline void
expect(struct spill *c, uint64_t n)
{
	struct span s;

	CHECK_INT(spill_try_recv(c, &s), 0);
	CHECK_INT(record_check(s), n);
}

static inline void
expect_nothing(struct spill *c)
{
	struct span s;

	CHECK_INT(spill_try_recv(c, &s), -EAGAIN);
}

static inline struct spill_stats
stats_of(struct spill *c)
{
	struct spill_stats st;

	spill_get_stats(c, &st);
	return st;
}
