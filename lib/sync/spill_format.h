/**
 * spill_format: the bytes of SPILL-FORMAT.md, written and judged; no files, no state.
 *
 * Everything that is read is untrusted: a result of 0 says that it is as the document wants it.
 */
#pragma once

#include "base/str.h"

#define SPILL_SECTOR_BYTES                                                    \
	512u /* blocks begin at multiples of it; length of a segment's header \
	      */
#define SPILL_BLOCK_BYTES (64u << 10)
#define SPILL_BLOCK_HEADER_BYTES 48u
#define SPILL_PAYLOAD_BYTES (SPILL_BLOCK_BYTES - SPILL_BLOCK_HEADER_BYTES)
#define SPILL_LENGTH_BYTES 4u /* before each record */
#define SPILL_NUMBERS (1ull << 62)
#define SPILL_SLOT_BYTES 40u /* of `position` */

/** Header of a block (3). */
struct spill_block_head {
	uint64_t first, acked;
	uint32_t n_records, payload_bytes;
	uint64_t payload_sum;
};

struct spill_segment_head {
	uint64_t first, salt;
};

struct spill_position {
	uint64_t turn, acked;
};

/** With header and padding. */
static inline size_t
spill_block_size(size_t payload_bytes)
{
	return ALIGN_UP(SPILL_BLOCK_HEADER_BYTES + payload_bytes, (size_t)SPILL_SECTOR_BYTES);
}

/** Fills one sector. */
void spill_segment_put(unsigned char *to, struct spill_segment_head head);
/** From at least `len` bytes: 0, -EBADMSG, -EOPNOTSUPP a version not known. */
int spill_segment_get(const unsigned char *from, size_t len, struct spill_segment_head *ret);

/** Complete the block whose payload stands at block + SPILL_BLOCK_HEADER_BYTES: header, sums and
 *  padding. `head->payload_sum` is computed. Returns its size. */
size_t spill_block_seal(
	unsigned char *block, struct spill_block_head head, uint64_t salt, uint64_t offset);
/** The header alone: 0 or -EBADMSG. */
int spill_block_get(const unsigned char *from, size_t len, uint64_t salt, uint64_t offset,
	struct spill_block_head *ret);
/** The payload that belongs to a valid header: 0 or -EBADMSG. */
int spill_payload_check(
	const unsigned char *payload, const struct spill_block_head *head, uint64_t salt);

/** The record at `at` of a checked payload. */
struct span spill_record_at(const unsigned char *at);

void spill_position_put(unsigned char *to, struct spill_position p);
int spill_position_get(const unsigned char *from, size_t len, struct spill_position *ret);
