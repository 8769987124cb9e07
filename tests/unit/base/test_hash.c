#include "base/hash.h"

#include "test.h"

TEST(hash, a_stream_gives_the_sums_of_the_whole)
{
	static char data[100000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	for (size_t len = 0; len < sizeof(data); len = len * 3 + 1) {
		struct hash_stream *h = hash_stream_create(0);
		struct hash128 whole = hash128(data, len), sum;

		hash_stream_add(h, data, len / 3);
		hash_stream_add(h, data + len / 3, len - len / 3);
		sum = hash_stream_sum128(h);
		CHECK(sum.low == whole.low && sum.high == whole.high);
		CHECK(hash_stream_sum(h) == hash64(data, len, 0));
		hash_stream_destroy(h);
	}
}
