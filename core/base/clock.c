/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

int64_t obi_clock_ms(clockid_t clock)
{
	return obi_clock_ns(clock) / 1000000;
}

int64_t obi_clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t obi_now_ms(void)
{
	return obi_clock_ms(CLOCK_MONOTONIC);
}
