/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"

#define DURATION_MAX (INT64_C(10) * 366 * 24 * 3600 * 1000)

enum { DIGITS_MAX = 15 };

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { UNITS = sizeof units / sizeof units[0] };

/* The rest of the text, and the next unit that may follow. */
struct scan {
	const uint8_t *at;
	const uint8_t *end;
	size_t unit;
};

/* Digits into *ret; returns how many, or -1 for an overflow. */
static int scan_digits(struct scan *scan, int64_t *ret)
{
	int n = 0;
	*ret = 0;
	for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++, n++) {
		if (n == DIGITS_MAX) {
			return -1;
		}
		*ret = *ret * 10 + (*scan->at - '0');
	}
	return n;
}

/* The longest unit name at this place that is still allowed; NULL: none. */
static const struct unit *scan_unit(struct scan *scan)
{
	size_t len = 0;
	while (scan->at + len < scan->end && (scan->at[len] < '0' || scan->at[len] > '9')) {
		len++;
	}
	for (size_t i = scan->unit; i < UNITS; i++) {
		if (ob_bytes_is(ob_bytes_of(scan->at, len), units[i].name)) {
			scan->at += len;
			scan->unit = i + 1;
			return &units[i];
		}
	}
	return NULL;
}

/* One <decimal><unit>, added to *sum. Returns what is wrong, or NULL. */
static const char *scan_term(struct scan *scan, int64_t *sum)
{
	int64_t whole, part = 0, tens = 1;
	int n = scan_digits(scan, &whole), parts = 0;
	if (n > 0 && scan->at < scan->end && *scan->at == '.') {
		scan->at++;
		parts = scan_digits(scan, &part);
		n = parts > 0 ? n : -1;
	}
	if (n <= 0) {
		return "a number of at most 15 digits is required";
	}
	for (int i = 0; i < parts; i++) {
		tens *= 10;
	}
	const struct unit *unit = scan_unit(scan);
	if (unit == NULL) {
		return "units are h, m, s, ms, in this order";
	}
	while (part > 0 && part % 10 == 0) {
		part /= 10;
		tens /= 10;
	}
	if (whole > DURATION_MAX / unit->ms) {
		return "longer than ten years";
	}
	/* If the reduced fraction is too large to multiply, it has too many digits for whole
	 * milliseconds. */
	if (part > INT64_MAX / unit->ms || part * unit->ms % tens != 0) {
		return "finer than a millisecond";
	}
	*sum += whole * unit->ms + part * unit->ms / tens;
	return *sum > DURATION_MAX ? "longer than ten years" : NULL;
}

int obi_duration_parse(struct ob_bytes text, int64_t *ret_ms, struct ob_error *reterr)
{
	struct scan scan = {text.data, text.data, 0};
	int64_t sum = 0;
	const char *wrong = text.len == 0 ? "it is empty" : NULL;
	if (text.len > 0) {
		scan.end += text.len;
	}
	while (wrong == NULL && scan.at < scan.end) {
		wrong = scan_term(&scan, &sum);
	}
	if (wrong != NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "not a duration (as \"1m30s\"): %s", wrong);
	}
	*ret_ms = sum;
	return OB_OK;
}

/* Seconds with a fraction where needed: "1.5s", "250ms"; "" when both are 0. */
static int seconds_text(int64_t ms, char *text, size_t cap)
{
	int64_t part = ms % 1000;
	int digits = 3;
	if (ms == 0) {
		return 0;
	}
	if (ms < 1000) {
		return snprintf(text, cap, "%" PRId64 "ms", ms);
	}
	if (part == 0) {
		return snprintf(text, cap, "%" PRId64 "s", ms / 1000);
	}
	for (; part % 10 == 0; part /= 10) {
		digits--;
	}
	return snprintf(text, cap, "%" PRId64 ".%0*" PRId64 "s", ms / 1000, digits, part);
}

void obi_duration_text(int64_t ms, char *text, size_t cap)
{
	char made[48] = "0s";
	size_t len = 0;
	if (ms < 0) {
		snprintf(text, cap, "none");
		return;
	}
	if (ms >= 3600000) {
		len +=
		    (size_t)snprintf(made + len, sizeof made - len, "%" PRId64 "h", ms / 3600000);
	}
	if (ms % 3600000 >= 60000) {
		len += (size_t)snprintf(made + len, sizeof made - len, "%" PRId64 "m",
					ms % 3600000 / 60000);
	}
	seconds_text(ms % 60000, made + len, sizeof made - len);
	snprintf(text, cap, "%s", made);
}
