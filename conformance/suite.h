/* SPDX-License-Identifier: MIT */
/* conformance/suite - what all suites share: the outcome of one promise, and reporting it. */
#ifndef OB_CONFORMANCE_SUITE_H
#define OB_CONFORMANCE_SUITE_H

#include <stdint.h>

#include "conformance/verdict.h"

/* Zero: passed. Each kind of trial has a member `outcome`. */
struct obi_outcome {
	enum obi_verdict verdict;
	char why[400];
};

/* The first failure counts. Returns false, so that helpers can return it. */
bool obi_outcome_fail(struct obi_outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void obi_outcome_skip(struct obi_outcome *outcome, const char *why);

#define OBI_FAIL(trial, ...) obi_outcome_fail(&(trial)->outcome, __VA_ARGS__)
#define OBI_SKIP(trial, why) obi_outcome_skip(&(trial)->outcome, why)
#define OBI_PASSED(trial)    ((trial)->outcome.verdict == OBI_VERDICT_PASS)

/* Return from a promise that is broken. */
#define OBI_REQUIRE(trial, condition, ...)            \
	do {                                          \
		if (!(condition)) {                   \
			OBI_FAIL(trial, __VA_ARGS__); \
			return;                       \
		}                                     \
	} while (0)

/* A run of a suite. */
struct obi_suite {
	obi_begin_fn *begin;  /* may be NULL */
	obi_verdict_fn *tell; /* may be NULL */
	void *user;
	uint32_t broken; /* promises that failed */
};

/* Whether the promise is to be tried. */
bool obi_suite_begin(const struct obi_suite *suite, const char *promise);
void obi_suite_report(struct obi_suite *suite, const char *promise,
		      const struct obi_outcome *outcome);

/* Report several promises at once as skipped. */
void obi_suite_skip(struct obi_suite *suite, const char *promises, const char *why);

/* The number of open descriptors of this process. */
int obi_open_descriptors(void);

#endif
