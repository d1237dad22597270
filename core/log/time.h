/* SPDX-License-Identifier: MIT */
/* log/time - the times of log records: RFC 3339 with nanoseconds, parsed and written. */
#ifndef OBI_LOG_TIME_H
#define OBI_LOG_TIME_H

#include <outboard/abi.h>

#include <time.h>

/* Years 0 to 9999, any number of digits after the point (those beyond nanoseconds are dropped),
 * "Z" or an offset of less than 24 hours. Leap seconds are refused, as in Go. */
bool obi_log_time_parse(struct ob_bytes text, struct timespec *ret_time, int32_t *ret_offset);

enum obi_log_time_style {
	OBI_LOG_TIME_NANO,  /* as many digits as needed, as Go's RFC3339Nano */
	OBI_LOG_TIME_MILLI, /* always three, for columns */
};

/* Append the time in the zone `offset` seconds east of UTC, of which whole minutes count. */
bool obi_log_time_put(struct timespec time, int32_t offset, enum obi_log_time_style style,
		      struct ob_sink *out);

#endif
