/* SPDX-License-Identifier: MIT */
#include "conformance/suite.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>

bool obi_outcome_fail(struct obi_outcome *outcome, const char *format, ...)
{
	va_list args;
	if (outcome->verdict != OBI_VERDICT_PASS) {
		return false;
	}
	outcome->verdict = OBI_VERDICT_FAIL;
	va_start(args, format);
	vsnprintf(outcome->why, sizeof outcome->why, format, args);
	va_end(args);
	return false;
}

void obi_outcome_skip(struct obi_outcome *outcome, const char *why)
{
	outcome->verdict = OBI_VERDICT_SKIP;
	snprintf(outcome->why, sizeof outcome->why, "%s", why);
}

bool obi_suite_begin(const struct obi_suite *suite, const char *promise)
{
	return suite->begin == NULL || suite->begin(suite->user, promise);
}

void obi_suite_report(struct obi_suite *suite, const char *promise,
		      const struct obi_outcome *outcome)
{
	suite->broken += outcome->verdict == OBI_VERDICT_FAIL;
	if (suite->tell != NULL) {
		suite->tell(suite->user, promise, outcome->verdict, outcome->why);
	}
}

void obi_suite_skip(struct obi_suite *suite, const char *promises, const char *why)
{
	struct obi_outcome outcome = {.verdict = OBI_VERDICT_PASS};
	if (obi_suite_begin(suite, promises)) {
		obi_outcome_skip(&outcome, why);
		obi_suite_report(suite, promises, &outcome);
	}
}

int obi_open_descriptors(void)
{
	int n = -2; /* "." and ".." */
	DIR *dir = opendir("/proc/self/fd");
	while (dir != NULL && readdir(dir) != NULL) {
		n++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return n - 1; /* that of dir */
}
