/* SPDX-License-Identifier: MIT */
/* bulk - bytes per second: large payloads echoed one at a time, and streams of messages of which
 * only the last is answered. The contestants are those of roundtrip; for streams outboard sends
 * notifications. */
#include "support/contest.h"

static const struct bench_row rows[] = {
    {"echo64k",
     "64 KiB echo, 1 outstanding (bytes of both directions)",
     BENCH_BYTES,
     {64 << 10, 1, 2000, 1},
     true},
    {"echo1m",
     "1 MiB echo, 1 outstanding (bytes of both directions)",
     BENCH_BYTES,
     {1 << 20, 1, 200, 1},
     true},
    {"stream1k", "1 KiB messages, one way", BENCH_BYTES, {1 << 10, 0, 200000, 1}, false},
    {"stream64k", "64 KiB messages, one way", BENCH_BYTES, {64 << 10, 0, 5000, 1}, false},
    {0},
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, "bench-bulk", rows);
}
