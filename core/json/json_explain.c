/* SPDX-License-Identifier: MIT */
#include "json/json_scan.h"

static bool begins_with(const struct obi_json_scan *scan, const char *bytes, size_t len)
{
	return (size_t)(scan->end - scan->at) >= len && memcmp(scan->at, bytes, len) == 0;
}

/* The comma before `at`, with only white space between; NULL: there is none. */
static const uint8_t *comma_before(const uint8_t *at, const uint8_t *start)
{
	while (at > start && memchr(" \t\r\n", at[-1], 4) != NULL) {
		at--;
	}
	return at > start && at[-1] == ',' ? at - 1 : NULL;
}

static const char *explain_start(const struct obi_json_scan *scan, const char *wrong)
{
	if (begins_with(scan, "\xef\xbb\xbf", 3)) {
		return "begins with a byte order mark: save it as UTF-8 without one";
	}
	if (begins_with(scan, "\xff\xfe", 2) || begins_with(scan, "\xfe\xff", 2)) {
		return "begins with a byte order mark of UTF-16: save it as UTF-8 without one";
	}
	return scan->at == scan->end ? "the text is empty" : wrong;
}

const char *obi_json_explain(struct obi_json_scan *scan, const uint8_t *start, const char *wrong)
{
	wrong = scan->at == start ? explain_start(scan, wrong) : wrong;
	if (scan->at == scan->end) {
		return wrong;
	}
	const uint8_t *comma = comma_before(scan->at, start);
	switch (*scan->at) {
	case '}':
	case ']':
		scan->at = comma != NULL ? comma : scan->at;
		return comma != NULL ? "trailing comma" : wrong;
	case '/':
	case '#':
		return "not a value: JSON has no comments";
	case '\'':
		return "not a value: strings are in double quotes";
	case '\0':
		return "a NUL byte: save the text as UTF-8";
	default:
		return wrong;
	}
}
