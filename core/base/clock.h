/* SPDX-License-Identifier: MIT */
/*
 * base/clock - the system's clocks as one number.
 *
 * A time namespace shifts CLOCK_MONOTONIC and CLOCK_BOOTTIME for its processes. CLOCK_MONOTONIC is
 * taken as it is: it is only compared with itself. CLOCK_BOOTTIME is the machine's here, since it
 * is kept in files that a parent in another namespace reads.
 */
#ifndef OBI_BASE_CLOCK_H
#define OBI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The time of a clock such as CLOCK_BOOTTIME. */
int64_t obi_clock_ms(clockid_t clock);
int64_t obi_clock_ns(clockid_t clock);

/* What the time namespace of this process adds to the machine's CLOCK_BOOTTIME, and to all times
 * since boot that it reads in /proc. Usually 0. */
int64_t obi_clock_boot_offset_ns(void);

/* The time of CLOCK_MONOTONIC in ms. */
int64_t obi_now_ms(void);

#endif
