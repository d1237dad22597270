/* SPDX-License-Identifier: MIT */
/* bench - clocks, medians, and the start of the other process of a benchmark. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum bench_wire { BENCH_UNIX, BENCH_TCP, BENCH_WIRES };

/* "unix", "tcp" */
extern const char *const bench_wire_names[BENCH_WIRES];

/* CLOCK_MONOTONIC nanoseconds. */
int64_t bench_now_ns(void);

/* Run on this processor only, and so do children started later. */
void bench_pin(int processor);

/* The q-quantile of n figures, which are sorted in place. */
double bench_quantile(double *figures, size_t n, double q);

/* Print what failed, and exit. */
_Noreturn void bench_die(const char *what, const char *why);

/* Start this program with `role` as its only argument and one end of `count` connections as fd 3
 * and up; returns the other ends in ret_fds. */
void bench_start_peer(enum bench_wire wire, const char *role, int count, int *ret_fds,
		      pid_t *ret_pid);

/* Write everything to a blocking descriptor, or exit. */
void bench_write_all(int fd, const void *data, size_t n);

/* Close fd, and wait for the end of the peer. */
void bench_end_peer(int fd, pid_t pid);

/* The load of one round: `count` messages of `size` bytes. */
struct bench_load {
	uint32_t size;
	uint32_t outstanding; /* echoed, with so many in flight; 0: one way, and only the last one
				 is answered */
	uint64_t count;
	uint32_t connections; /* over which `outstanding` is distributed evenly; 0: one */
};

/* The most connections of a load. */
enum { BENCH_CONNECTIONS = 16 };

/* The figures of one round. */
struct bench_round {
	double p50_ns; /* of one call; 0: not measured */
	double p99_ns;
	double per_second; /* messages */
};

/* Run the load on a contestant's connection. samples has room for count figures. */
typedef struct bench_round bench_run_fn(void *self, const struct bench_load *load, double *samples);

/* The figures of a round of `count` messages that began at begin_ns, with `taken` samples of
 * calls, which may be 0. */
struct bench_round bench_round_of(int64_t begin_ns, uint64_t count, double *samples,
				  uint64_t taken);

#endif
