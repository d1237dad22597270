/* SPDX-License-Identifier: MIT */
/* support/clock - the monotonic clock as one number. */
#ifndef OB_TESTS_SUPPORT_CLOCK_H
#define OB_TESTS_SUPPORT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t now_ms(void)
{
	return now_us() / 1000;
}

#endif
