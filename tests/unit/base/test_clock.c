#include "test.h"

#include "base/clock.h"

TEST(clock, nanoseconds_are_exact_as_far_as_they_reach)
{
	CHECK_INT(clock_ns(0, 0), 0);
	CHECK_INT(clock_ns(-1, 999999999), -1);
	CHECK_INT(clock_ns(-2, 500000000), -1500000000);
	CHECK_INT(clock_ns(9223372036, 854775807), INT64_MAX);
	CHECK_INT(clock_ns(-9223372037, 145224192), INT64_MIN);
	CHECK_INT(clock_ns(-9223372037, 145225000), INT64_MIN + 808);
}

TEST(clock, nanoseconds_out_of_reach_are_the_nearest)
{
	CHECK_INT(clock_ns(9223372036, 854775808), INT64_MAX);
	CHECK_INT(clock_ns(9223372037, 0), INT64_MAX);
	CHECK_INT(clock_ns(INT64_MAX, 999999999), INT64_MAX);
	CHECK_INT(clock_ns(-9223372037, 145224191), INT64_MIN);
	CHECK_INT(clock_ns(INT64_MIN, 0), INT64_MIN);
}
