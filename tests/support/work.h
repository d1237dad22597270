/* SPDX-License-Identifier: MIT */
/* support/work - how the work of a function grows with its input. */
#ifndef OB_TESTS_SUPPORT_WORK_H
#define OB_TESTS_SUPPORT_WORK_H

#include <stddef.h>

/*
 * The work of fn(user, n) as the time of this thread's processor, the least of several runs; and
 * how many times more of it 8 * n takes than n: about 8 when it is linear, 64 when quadratic. Other
 * processes make a run longer, never shorter, so the least is steady; n must be so large that a run
 * takes some 100 us.
 */
double work_growth(void (*fn)(void *user, size_t n), void *user, size_t n);

/* What growth is still linear: twice the ideal, for n log n and colder caches. */
#define WORK_LINEAR 16.0

#endif
