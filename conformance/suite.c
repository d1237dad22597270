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

/* The length of the well-formed UTF-8 sequence at `at`; 0 if there is none. */
static size_t utf8_step(const uint8_t *at, const uint8_t *end)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = at[0] < 0x80   ? 1
		     : at[0] < 0xc2 ? 0
		     : at[0] < 0xe0 ? 2
		     : at[0] < 0xf0 ? 3
		     : at[0] < 0xf5 ? 4
				    : 0;
	uint32_t point = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
	if (len > (size_t)(end - at)) {
		return 0;
	}
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
		point = point << 6 | (at[i] & 0x3fu);
	}
	return len > 0 && point >= least[len] && point <= 0x10ffff &&
		       (point < 0xd800 || point > 0xdfff)
		   ? len
		   : 0;
}

bool obi_is_subject(const uint8_t *text, size_t len)
{
	size_t step = 1;
	for (size_t i = 0; i < len && step > 0; i += step) {
		step = utf8_step(text + i, text + len);
	}
	return len > 0 && step > 0;
}
