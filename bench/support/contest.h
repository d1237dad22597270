/* SPDX-License-Identifier: MIT */
/*
 * contest - selects contestants by the command line, runs them in interleaved rounds, and prints
 * a table or JSON. Each figure is the median of its rounds, and each ratio the median of the
 * ratios of the rounds. Both processes of a contestant run on one processor, for repeatable
 * figures, unless the command line says otherwise.
 */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include "support/bench.h"

/* What a row measures. */
enum bench_figure { BENCH_LATENCY, BENCH_RATE, BENCH_BYTES };

struct bench_row {
	const char *name; /* for --row */
	const char *title;
	enum bench_figure figure;
	struct bench_load load; /* count for --amount 100 */
	bool both_ways;		/* count bytes of both directions */
};

/* The whole program: reads the command line, runs the selected rows (the list ends with a NULL
 * name), prints. Returns the exit status. */
int bench_main(int argc, char **argv, const char *program, const struct bench_row *rows);

#endif
