/* SPDX-License-Identifier: MIT */
/* log_floor - the logs of a child in a bare C loop: blocking reads of 64 KiB, one look at the clock
 * for each, memchr for the lines, and one write of what became of them. */
#ifndef BENCH_LOG_FLOOR_H
#define BENCH_LOG_FLOOR_H

#define FLOOR_NAME "store"

/* From the pipe to the sink, until the pipe has ended. */
void log_floor_run(int fd, int sink);

#endif
