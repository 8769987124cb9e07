#include "base/bytes.h"

#include <endian.h>
#include <errno.h>

/* Copies `len` bytes out and moves on. */
static int
bytes_take(struct bytes *b, void *to, size_t len)
{
	if (bytes_left(b) < len)
		return -EBADMSG;
	memcpy(to, b->at, len);
	b->at += len;
	return 0;
}

int
bytes_u8(struct bytes *b, uint8_t *ret)
{
	return bytes_take(b, ret, sizeof(*ret));
}

int
bytes_u16(struct bytes *b, uint16_t *ret)
{
	uint16_t v;
	int r = bytes_take(b, &v, sizeof(v));

	if (r == 0)
		*ret = le16toh(v);
	return r;
}

int
bytes_u32(struct bytes *b, uint32_t *ret)
{
	uint32_t v;
	int r = bytes_take(b, &v, sizeof(v));

	if (r == 0)
		*ret = le32toh(v);
	return r;
}

int
bytes_u64(struct bytes *b, uint64_t *ret)
{
	uint64_t v;
	int r = bytes_take(b, &v, sizeof(v));

	if (r == 0)
		*ret = le64toh(v);
	return r;
}

int
bytes_slice(struct bytes *b, size_t len, struct span *ret)
{
	if (bytes_left(b) < len)
		return -EBADMSG;
	*ret = (struct span){(const char *)b->at, len};
	b->at += len;
	return 0;
}

int
bytes_skip(struct bytes *b, size_t len)
{
	struct span skipped;

	return bytes_slice(b, len, &skipped);
}
