/* SPDX-License-Identifier: MIT */
/*
 * contest - who takes part, by the command line; rounds of all of them interleaved in one run; and
 * what came out, as a table or as JSON. Each figure is the median of its rounds, and each ratio
 * that of the ratios of the rounds. Both processes of each contestant run on one processor, so that
 * figures repeat, unless the command line says otherwise.
 */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include "support/bench.h"

/* What the figure of a row is. */
enum bench_figure { BENCH_LATENCY, BENCH_RATE, BENCH_BYTES };

struct bench_row {
	const char *name; /* for --row */
	const char *title;
	enum bench_figure figure;
	struct bench_load load; /* its count is for --amount 100 */
	bool both_ways;		/* bytes are counted in both directions */
};

/* The whole program: reads the command line, runs the rows that it names (ended by a NULL name),
 * prints. Returns the exit status. */
int bench_main(int argc, char **argv, const char *program, const struct bench_row *rows);

#endif
