/* SPDX-License-Identifier: MIT */
/* base/clock - the system's clocks as one number. */
#ifndef OBI_BASE_CLOCK_H
#define OBI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The time of a clock such as CLOCK_BOOTTIME. */
int64_t obi_clock_ms(clockid_t clock);
int64_t obi_clock_ns(clockid_t clock);

/* The time of CLOCK_MONOTONIC in ms. */
int64_t obi_now_ms(void);

#endif
