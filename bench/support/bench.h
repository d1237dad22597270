/* SPDX-License-Identifier: MIT */
/* bench - clocks, medians, and starting the other process of a benchmark. */
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

/* Run on that processor only, as will children that are started from here on. */
void bench_pin(int processor);

/* The q-quantile of n figures (sorted in place). */
double bench_quantile(double *figures, size_t n, double q);

/* Say what failed, and end the program. */
_Noreturn void bench_die(const char *what, const char *why);

/* Start ourselves with `role` as only argument and one end of a connection as fd 3; the other end
 * is returned. */
int bench_start_peer(enum bench_wire wire, const char *role, pid_t *ret_pid);

/* Write all of it to a blocking descriptor, or end the program. */
void bench_write_all(int fd, const void *data, size_t n);

/* Close fd, wait for the peer to end. */
void bench_end_peer(int fd, pid_t pid);

/* What a contestant is to do in one round: `count` messages of `size` bytes. */
struct bench_load {
	uint32_t size;
	uint32_t
	    outstanding; /* echoed, so many at once; 0: one way, and the last one is answered */
	uint64_t count;
};

/* What it measured. */
struct bench_round {
	double p50_ns; /* of one call; 0: not measured */
	double p99_ns;
	double per_second; /* messages */
};

/* Do it on a contestant's connection. samples has room for count figures. */
typedef struct bench_round bench_run_fn(void *self, const struct bench_load *load, double *samples);

/* The figures of a round of `count` messages that began at begin_ns; samples, of `taken` calls, may
 * be none. */
struct bench_round bench_round_of(int64_t begin_ns, uint64_t count, double *samples,
				  uint64_t taken);

#endif
