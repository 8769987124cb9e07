#include "test.h"

#include <errno.h>

#include "base/bytes.h"

TEST(bytes, numbers_are_little_endian)
{
	static const unsigned char data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct bytes b = bytes_of(data, sizeof(data));
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	CHECK_INT(bytes_u8(&b, &u8), 0);
	CHECK_INT(bytes_u16(&b, &u16), 0);
	CHECK_INT(bytes_u32(&b, &u32), 0);
	CHECK_INT(bytes_u64(&b, &u64), 0);
	CHECK_INT(u8, 1);
	CHECK_INT(u16, 0x0302);
	CHECK_INT(u32, 0x07060504);
	CHECK(u64 == 0x0f0e0d0c0b0a0908ull);
	CHECK_INT(bytes_left(&b), 0);
}

TEST(bytes, a_read_past_the_end_fails_and_moves_nothing)
{
	static const unsigned char data[7] = {0};

	for (size_t len = 0; len < sizeof(data); len++) {
		struct bytes b = bytes_of(data, len);
		struct span slice = {"untouched", 9};
		uint64_t u64 = 42;

		CHECK_INT(bytes_u64(&b, &u64), -EBADMSG);
		CHECK_INT(bytes_slice(&b, len + 1, &slice), -EBADMSG);
		CHECK_INT(bytes_slice(&b, SIZE_MAX, &slice), -EBADMSG);
		CHECK_INT(bytes_skip(&b, len + 1), -EBADMSG);
		CHECK_INT(bytes_left(&b), len);
		CHECK_INT(u64, 42);
		CHECK_INT(slice.len, 9);
		CHECK_INT(bytes_skip(&b, len), 0);
	}
}

TEST(bytes, a_slice_points_into_the_input)
{
	struct bytes b = bytes_of("headtail", 8);
	struct span s;

	CHECK_INT(bytes_skip(&b, 4), 0);
	CHECK_INT(bytes_slice(&b, 4, &s), 0);
	CHECK(span_eq(s, SPAN_LIT("tail")));
	CHECK_INT(bytes_left(&b), 0);
}
