/**
 * ahead: what was received before it is wanted: bytes, first in, first out; the oldest in a file
 * without a name once they are more than AHEAD_MEMORY_BYTES.
 *
 * Ownership: struct ahead is the caller's; zeroed it is empty; ahead_fini() is legal twice.
 * Errors:    -errno of making or writing the file, -ENOMEM: what was put before can be taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AHEAD_MEMORY_BYTES (4u << 20)

struct ahead {
	char *mem;       /* AHEAD_MEMORY_BYTES once there was anything; younger than the file's */
	size_t from, to; /* what of it is there */
	bool has_file;
	int fd;
	uint64_t written, read; /* of the file */
};

void ahead_fini(struct ahead *a);
/** Make room for `len` bytes, at most AHEAD_MEMORY_BYTES. */
int ahead_reserve(struct ahead *a, size_t len);
/** No more than there is room for. */
void ahead_put(struct ahead *a, const void *data, size_t len);
/** The number of bytes taken, at most `size`; 0: there is nothing; -errno of reading the file. */
ssize_t ahead_take(struct ahead *a, void *buf, size_t size);
