#include "base/clock.h"

static usec_t
clock_read(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t
clock_mono(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * (uint64_t)NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

usec_t
clock_real(void)
{
	return clock_read(CLOCK_REALTIME);
}

usec_t
clock_deadline(usec_t timeout_usec)
{
	usec_t at;

	if (timeout_usec == USEC_NEVER || __builtin_add_overflow(clock_mono(), timeout_usec, &at))
		return USEC_NEVER;
	return at;
}

int64_t
clock_ns(int64_t sec, uint32_t nsec)
{
	/* Of the earliest times the seconds alone are out of range. */
	__int128 ns = (__int128)sec * NSEC_PER_SEC + nsec;

	if (ns != (int64_t)ns)
		return sec < 0 ? INT64_MIN : INT64_MAX;
	return (int64_t)ns;
}
