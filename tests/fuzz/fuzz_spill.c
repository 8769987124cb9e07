/*
 * The bytes of a spill segment: as they are, and once more with the sums put right, so that what
 * stands behind them is reached too. The segment is the only one, and again the first of two.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "sync/spill.h"
#include "sync/spill_format.h"

static char dir[64];

static void
remove_all(void)
{
	static const char *const names[] = {
		"position", "0000000000000000.seg", "0000000001000000.seg"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void
make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir[0])
		return;
	(void)snprintf(dir, sizeof(dir), "%.40s/fuzz-spill-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || atexit(remove_all) != 0)
		abort();
}

static void
put_file(const char *name, const void *data, size_t len)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_full(fd, data, len) < 0)
		abort();
	closep(&fd);
}

static struct spill *
open_dir(void)
{
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = 1u << 24};
	struct spill *c = NULL;
	struct err err = {0};
	int r = spill_open(AT_FDCWD, dir, &opts, &c, &err);

	assert(r == 0 || r == -EOPNOTSUPP || r == -EBADMSG);
	assert(r == 0 || err.what[0]);
	return c;
}

/* Everything that is found, then a record of our own: nothing found may hide it. */
static void
drain(struct spill *c, size_t total)
{
	struct spill_stats st;
	uint64_t n = 0;
	struct span s;
	int r;

	assert(spill_send(c, "the last one", 12) == 0);
	while ((r = spill_try_recv(c, &s)) != -EAGAIN) {
		assert(r == 0 || r == -EBADMSG);
		n += r == 0;
	}
	assert(n >= 1);
	spill_get_stats(c, &st);
	assert(st.n_received == n && n <= st.n_sent);
	assert(st.damaged_bytes + st.torn_bytes <= total);
	assert(spill_ack(c) == 0);
	spill_get_stats(c, &st);
	assert(st.n_segments == 0 && st.disk_bytes == 0);
	assert(spill_destroy(c) == 0);
}

static void
try_segment(const uint8_t *data, size_t size, const uint8_t *second, size_t second_size)
{
	struct spill *c;

	put_file("position", "", 0);
	put_file("0000000000000000.seg", data, size);
	if (second)
		put_file("0000000001000000.seg", second, second_size);
	c = open_dir();
	if (c)
		drain(c, size + second_size);
	remove_all();
	if (mkdir(dir, 0700) < 0)
		abort();
}

/* SPILL-FORMAT.md 3: the header's, and those of whatever begins like a block. */
static void
put_sums_right(uint8_t *data, size_t size)
{
	struct spill_segment_head head = {0};
	uint64_t sum;

	if (size < SPILL_SECTOR_BYTES)
		return;
	memcpy(&head.salt, data + 24, 8);
	sum = hash64(data, 32, 0);
	memcpy(data + 32, &sum, 8);
	for (size_t at = SPILL_SECTOR_BYTES; at + SPILL_BLOCK_HEADER_BYTES <= size;
		at += SPILL_SECTOR_BYTES) {
		uint8_t *block = data + at, *payload = block + SPILL_BLOCK_HEADER_BYTES;
		uint32_t len;

		if (memcmp(block, "SBLK", 4) != 0)
			continue;
		memcpy(&len, block + 4, 4);
		if (len <= size - at - SPILL_BLOCK_HEADER_BYTES) {
			sum = hash64(payload, len, head.salt);
			memcpy(block + 32, &sum, 8);
		}
		sum = hash64(block, 40, head.salt ^ at);
		memcpy(block + 40, &sum, 8);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	make_dir();
	if (size > 0)
		memcpy(copy, data, size);
	try_segment(copy, size, NULL, 0);
	put_sums_right(copy, size);
	try_segment(copy, size, NULL, 0);
	/* As the first of two, the end of its numbers is not its own to say. */
	try_segment(copy, size, copy, size);
	free(copy);
	return 0;
}
