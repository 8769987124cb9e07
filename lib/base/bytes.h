/**
 * bytes: a cursor over untrusted bytes, little endian.
 *
 * Bytes from disk or network are input, never structs: each read is checked against what is left
 * and fails with -EBADMSG, leaving the cursor where it was.
 *
 * Ownership: borrows the memory; slices point into it.
 */
#pragma once

#include "base/str.h"

struct bytes {
	const unsigned char *at, *end;
};

static inline struct bytes
bytes_of(const void *data, size_t len)
{
	const unsigned char *p = data;

	return (struct bytes){p, p + len};
}

static inline size_t
bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

int bytes_u8(struct bytes *b, uint8_t *ret);
int bytes_u16(struct bytes *b, uint16_t *ret);
int bytes_u32(struct bytes *b, uint32_t *ret);
int bytes_u64(struct bytes *b, uint64_t *ret);
int bytes_slice(struct bytes *b, size_t len, struct span *ret);
int bytes_skip(struct bytes *b, size_t len);
