/* SPDX-License-Identifier: MIT */
/* options - the command line of a benchmark. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "support/bench.h"

enum { BENCH_WORDS = 8, BENCH_ROUNDS_MAX = 99 };

/* A comma-separated list. */
struct bench_words {
	size_t count;
	char *word[BENCH_WORDS];
};

struct bench_options {
	struct bench_words transports, codecs, auths, rows; /* rows: none means all */
	size_t rounds;
	double amount; /* percent of the default number of messages */
	bool split;    /* one processor for each of the two processes */
	bool json;
};

/* Exits with a usage text if the line is invalid or asks for help. The words are memory of
 * argv. */
void bench_options_read(int argc, char **argv, const char *program, struct bench_options *ret);

bool bench_words_have(const struct bench_words *words, const char *word);

#endif
