#include "sync/spill_format.h"

#include <endian.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "sync/spill.h"

#define MAGIC_BYTES 8u
#define SEGMENT_MAGIC "TRAWLS\n"  /* with its NUL */
#define POSITION_MAGIC "TRAWLP\n" /* with its NUL */
#define BLOCK_MAGIC 0x4b4c4253u   /* "SBLK" */
#define VERSION 1u
#define HEAD_SUM_AT 32u  /* segment and position */
#define BLOCK_SUM_AT 40u /* of the header */

_Static_assert(sizeof(SEGMENT_MAGIC) == MAGIC_BYTES, "SPILL-FORMAT.md 3");
_Static_assert(sizeof(POSITION_MAGIC) == MAGIC_BYTES, "SPILL-FORMAT.md 2");
_Static_assert(BLOCK_SUM_AT + 8 == SPILL_BLOCK_HEADER_BYTES, "SPILL-FORMAT.md 3");
_Static_assert(SPILL_RECORD_MAX_BYTES + SPILL_LENGTH_BYTES <= SPILL_PAYLOAD_BYTES,
	"the largest record fits a block");
_Static_assert(SPILL_BLOCK_BYTES % SPILL_SECTOR_BYTES == 0, "a full block needs no more padding");

static unsigned char *
put_u32(unsigned char *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

static unsigned char *
put_u64(unsigned char *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

/* Segment and slot begin alike: magic, version, 0, two numbers, sum. */
static void
head_put(unsigned char *to, const char *magic, uint64_t a, uint64_t b)
{
	unsigned char *at = to;

	memcpy(at, magic, MAGIC_BYTES);
	at = put_u32(at + MAGIC_BYTES, VERSION);
	at = put_u32(at, 0);
	at = put_u64(at, a);
	at = put_u64(at, b);
	(void)put_u64(at, hash64(to, HEAD_SUM_AT, 0));
}

static int
head_get(const unsigned char *from, size_t len, const char *magic, uint64_t *ret_a, uint64_t *ret_b)
{
	struct bytes b = bytes_of(from, len);
	uint32_t version, zero;
	uint64_t first, second, sum;

	if (len < SPILL_SLOT_BYTES || memcmp(from, magic, MAGIC_BYTES) != 0)
		return -EBADMSG;
	if (bytes_skip(&b, MAGIC_BYTES) < 0 || bytes_u32(&b, &version) < 0 ||
		bytes_u32(&b, &zero) < 0 || bytes_u64(&b, &first) < 0 ||
		bytes_u64(&b, &second) < 0 || bytes_u64(&b, &sum) < 0)
		return -EBADMSG;
	if (sum != hash64(from, HEAD_SUM_AT, 0))
		return -EBADMSG;
	if (version != VERSION)
		return -EOPNOTSUPP;
	*ret_a = first;
	*ret_b = second;
	return 0;
}

void
spill_segment_put(unsigned char *to, struct spill_segment_head head)
{
	memset(to, 0, SPILL_SECTOR_BYTES);
	head_put(to, SEGMENT_MAGIC, head.first, head.salt);
}

int
spill_segment_get(const unsigned char *from, size_t len, struct spill_segment_head *ret)
{
	struct spill_segment_head head;
	int r = head_get(from, len, SEGMENT_MAGIC, &head.first, &head.salt);

	if (r == 0 && head.first >= SPILL_NUMBERS)
		r = -EBADMSG;
	if (r == 0)
		*ret = head;
	return r;
}

void
spill_position_put(unsigned char *to, struct spill_position p)
{
	head_put(to, POSITION_MAGIC, p.turn, p.acked);
}

int
spill_position_get(const unsigned char *from, size_t len, struct spill_position *ret)
{
	struct spill_position p;
	int r = head_get(from, len, POSITION_MAGIC, &p.turn, &p.acked);

	if (r == 0 && p.acked >= SPILL_NUMBERS)
		r = -EBADMSG;
	if (r == 0)
		*ret = p;
	return r;
}

size_t
spill_block_seal(unsigned char *block, struct spill_block_head head, uint64_t salt, uint64_t offset)
{
	unsigned char *payload = block + SPILL_BLOCK_HEADER_BYTES, *at = block;
	size_t used = SPILL_BLOCK_HEADER_BYTES + head.payload_bytes;
	size_t size = spill_block_size(head.payload_bytes);

	at = put_u32(at, BLOCK_MAGIC);
	at = put_u32(at, head.payload_bytes);
	at = put_u64(at, head.first);
	at = put_u32(at, head.n_records);
	at = put_u32(at, 0);
	at = put_u64(at, head.acked);
	at = put_u64(at, hash64(payload, head.payload_bytes, salt));
	(void)put_u64(at, hash64(block, BLOCK_SUM_AT, salt ^ offset));
	memset(block + used, 0, size - used);
	return size;
}

static bool
block_head_sane(const struct spill_block_head *h)
{
	return h->payload_bytes >= SPILL_LENGTH_BYTES && h->payload_bytes <= SPILL_PAYLOAD_BYTES &&
	       h->n_records > 0 && h->first < SPILL_NUMBERS - h->n_records &&
	       h->acked < SPILL_NUMBERS;
}

int
spill_block_get(const unsigned char *from, size_t len, uint64_t salt, uint64_t offset,
	struct spill_block_head *ret)
{
	struct bytes b = bytes_of(from, len);
	struct spill_block_head h;
	uint32_t magic, zero;
	uint64_t sum;

	if (bytes_u32(&b, &magic) < 0 || magic != BLOCK_MAGIC)
		return -EBADMSG;
	if (bytes_u32(&b, &h.payload_bytes) < 0 || bytes_u64(&b, &h.first) < 0 ||
		bytes_u32(&b, &h.n_records) < 0 || bytes_u32(&b, &zero) < 0 ||
		bytes_u64(&b, &h.acked) < 0 || bytes_u64(&b, &h.payload_sum) < 0 ||
		bytes_u64(&b, &sum) < 0)
		return -EBADMSG;
	if (sum != hash64(from, BLOCK_SUM_AT, salt ^ offset) || !block_head_sane(&h))
		return -EBADMSG;
	*ret = h;
	return 0;
}

int
spill_payload_check(
	const unsigned char *payload, const struct spill_block_head *head, uint64_t salt)
{
	struct bytes b = bytes_of(payload, head->payload_bytes);
	uint32_t n = 0, len;

	if (hash64(payload, head->payload_bytes, salt) != head->payload_sum)
		return -EBADMSG;
	while (bytes_left(&b) > 0) {
		if (bytes_u32(&b, &len) < 0 || len > SPILL_RECORD_MAX_BYTES ||
			bytes_skip(&b, len) < 0)
			return -EBADMSG;
		n++;
	}
	return n == head->n_records ? 0 : -EBADMSG;
}

struct span
spill_record_at(const unsigned char *at)
{
	uint32_t len;

	memcpy(&len, at, sizeof(len));
	return (struct span){(const char *)at + SPILL_LENGTH_BYTES, le32toh(len)};
}
