/* SPDX-License-Identifier: MIT */
#include "support/work.h"

#include <stdint.h>
#include <time.h>

enum { RUNS = 7, FACTOR = 8 };

static int64_t thread_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t least(void (*fn)(void *user, size_t n), void *user, size_t n)
{
	int64_t best = INT64_MAX;
	for (int i = 0; i < RUNS; i++) {
		int64_t begin = thread_ns();
		fn(user, n);
		int64_t took = thread_ns() - begin;
		best = took < best ? took : best;
	}
	return best > 0 ? best : 1;
}

double work_growth(void (*fn)(void *user, size_t n), void *user, size_t n)
{
	double one = (double)least(fn, user, n);
	return (double)least(fn, user, FACTOR * n) / one;
}
