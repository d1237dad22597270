/* SPDX-License-Identifier: MIT */
/* bench - clocks, medians, and starting the other process of a benchmark. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CLOCK_MONOTONIC nanoseconds. */
int64_t bench_now_ns(void);

/* Run on processor 0 only, children included, so that figures repeat. */
void bench_pin(void);

/* The q-quantile of n figures (sorted in place). */
double bench_quantile(double *figures, size_t n, double q);

/* Start ourselves with `role` as only argument and one end of a socket pair as fd 3; the other end is returned. */
int bench_start_peer(const char *role, pid_t *ret_pid);

/* Close fd, wait for the peer to end. */
void bench_end_peer(int fd, pid_t pid);

/* What a contestant measured in one round. */
struct bench_round {
	double p50_ns; /* of one call */
	double p99_ns;
	double per_second; /* calls */
};

/* `count` calls of `size` bytes, `outstanding` at once, on a contestant's connection. samples has room for count figures. */
typedef struct bench_round bench_run_fn(void *self, uint32_t size, uint32_t outstanding, uint64_t count,
					double *samples);

#endif
