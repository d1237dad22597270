/* SPDX-License-Identifier: MIT */
#include "json/json_scan.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_SHORT = 128, EXACT_TENS = 22, PLACES_MAX = 9 };

/* All integers up to this, and these powers of ten, are exact as doubles. */
#define EXACT_MAX (UINT64_C(1) << 53)

static const double tens[EXACT_TENS + 1] = {1e0,  1e1,	1e2,  1e3,  1e4,  1e5,	1e6,  1e7,
					    1e8,  1e9,	1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool bad(struct obi_json_scan *p, const char *wrong)
{
	return obi_json_refuse(p, OB_EPROTO, wrong);
}

/* ---- Reading ---- */

struct number {
	const uint8_t *text;
	uint64_t digits; /* all digits as one integer, unless inexact */
	bool inexact;	 /* it has more digits than `digits` holds */
	bool negative;
	bool integer;	  /* no '.', no exponent */
	int64_t exponent; /* power of ten, including the places after the point */
};

static bool scan_digits(struct obi_json_scan *p, struct number *n, bool fraction)
{
	const uint8_t *start = p->at;
	for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
		uint64_t digit = (uint64_t)(*p->at - '0');
		if (n->digits > (UINT64_MAX - digit) / 10) {
			n->inexact = true;
		} else if (!n->inexact) {
			n->digits = n->digits * 10 + digit;
		}
	}
	n->exponent -= fraction ? p->at - start : 0;
	return p->at > start || bad(p, "a number without digits");
}

static bool scan_exponent(struct obi_json_scan *p, struct number *n)
{
	int64_t exponent = 0;
	bool minus = false;
	p->at++;
	if (p->at < p->end && (*p->at == '+' || *p->at == '-')) {
		minus = *p->at++ == '-';
	}
	const uint8_t *start = p->at;
	for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
		exponent = exponent < 100000 ? exponent * 10 + (*p->at - '0') : exponent;
	}
	n->exponent += minus ? -exponent : exponent;
	return p->at > start || bad(p, "an exponent without digits");
}

static bool scan_number(struct obi_json_scan *p, struct number *n)
{
	n->text = p->at;
	n->negative = *p->at == '-';
	p->at += n->negative ? 1 : 0;
	bool zero = p->at < p->end && *p->at == '0';
	if (!scan_digits(p, n, false)) {
		return false;
	}
	if (zero && p->at - n->text > (n->negative ? 2 : 1)) {
		p->at = n->text;
		return bad(p, "a number with a leading 0");
	}
	n->integer = true;
	if (p->at < p->end && *p->at == '.') {
		n->integer = false;
		p->at++;
		if (!scan_digits(p, n, true)) {
			return false;
		}
	}
	if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
		n->integer = false;
		return scan_exponent(p, n);
	}
	return true;
}

/* Both factors are exact doubles, so one multiplication or division rounds correctly. Most
 * numbers have this form. */
static bool exact_double(const struct number *n, double *ret)
{
	if (FLT_EVAL_METHOD != 0 || n->inexact || n->digits > EXACT_MAX ||
	    n->exponent < -EXACT_TENS || n->exponent > EXACT_TENS) {
		return false;
	}
	double d = (double)n->digits;
	d = n->exponent < 0 ? d / tens[-n->exponent] : d * tens[n->exponent];
	*ret = n->negative ? -d : d;
	return true;
}

/* strtod() needs an end and takes the decimal point from the locale, so it gets a copy, and our
 * locale. */
static bool slow_double(struct obi_json_scan *p, const struct number *n, double *ret)
{
	size_t len = (size_t)(p->at - n->text);
	char few[NUMBER_SHORT];
	char *copy = len < sizeof few ? few : ob_arena_alloc(p->arena, len + 1);
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (copy == NULL || plain == (locale_t)0) {
		return obi_json_no_memory(p);
	}
	memcpy(copy, n->text, len);
	copy[len] = '\0';
	*ret = strtod_l(copy, NULL, plain);
	freelocale(plain);
	if (!isfinite(*ret)) {
		p->at = n->text;
		return bad(p, "a number too large for a double");
	}
	return true;
}

/* An integer that fits into 64 bits. */
static bool set_integer(struct ob_value *ret, const struct number *n)
{
	if (!n->integer || n->inexact || (n->negative && n->digits > UINT64_C(1) << 63)) {
		return false;
	}
	if (n->digits > INT64_MAX && !n->negative) {
		obi_json_set(ret, OB_UINT, 0);
		ret->as.uinteger = n->digits;
	} else {
		obi_json_set(ret, OB_INT, 0);
		ret->as.integer = (int64_t)(n->negative ? 0 - n->digits : n->digits);
	}
	return true;
}

bool obi_json_scan_number(struct obi_json_scan *p, struct ob_value *ret)
{
	struct number n = {0};
	double d = 0;
	if (!scan_number(p, &n)) {
		return false;
	}
	if (set_integer(ret, &n)) {
		return true;
	}
	if (!exact_double(&n, &d) && !slow_double(p, &n, &d)) {
		return false;
	}
	obi_json_set(ret, OB_DOUBLE, 0);
	ret->as.number = d;
	return true;
}

/* ---- Writing ---- */

bool obi_json_put_uint(uint64_t u, struct ob_sink *out)
{
	char text[20];
	size_t at = sizeof text;
	do {
		text[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	return ob_sink_put(out, text + at, sizeof text - at);
}

bool obi_json_put_int(int64_t i, struct ob_sink *out)
{
	if (i >= 0) {
		return obi_json_put_uint((uint64_t)i, out);
	}
	return ob_sink_byte(out, '-') && obi_json_put_uint(0 - (uint64_t)i, out);
}

/* The least precision that reads back as the same number, by trial. Below 15 digits only
 * subnormal numbers differ from %.15g. */
static void shortest(double d, char *text, size_t cap)
{
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t was = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
	int digits = d != 0 && fabs(d) < DBL_MIN ? 1 : 15;
	do {
		snprintf(text, cap, "%.*g", digits, d);
	} while (strtod(text, NULL) != d && digits++ < 17);
	if (plain != (locale_t)0) {
		uselocale(was);
		freelocale(plain);
	}
}

/* Append n / 10^places, with at least one place. */
static void put_decimal(uint64_t n, size_t places, struct ob_sink *out)
{
	char fraction[PLACES_MAX + 1] = ".0";
	for (size_t i = places; i > 0; i--) {
		fraction[i] = (char)('0' + n % 10);
		n /= 10;
	}
	obi_json_put_uint(n, out);
	ob_sink_put(out, fraction, places > 0 ? places + 1 : 2);
}

/* Most numbers have few decimal places, which two exact factors can find: the quotient rounds
 * correctly, so it equals d if and only if the decimal reads back as d. */
static bool put_few_places(double d, struct ob_sink *out)
{
	for (size_t places = 0; FLT_EVAL_METHOD == 0 && places <= PLACES_MAX; places++) {
		double scaled = d * tens[places] + 0.5;
		if (scaled >= 1e15) {
			return false;
		}
		uint64_t n = (uint64_t)scaled;
		if ((double)n / tens[places] == d) {
			put_decimal(n, places, out);
			return true;
		}
	}
	return false;
}

bool obi_json_put_double(double d, struct ob_sink *out)
{
	char text[40];
	if (signbit(d)) {
		ob_sink_byte(out, '-');
		d = -d;
	}
	if (put_few_places(d, out)) {
		return !out->failed;
	}
	shortest(d, text, sizeof text);
	ob_sink_text(out, text);
	return strpbrk(text, ".e") != NULL ? !out->failed : ob_sink_text(out, ".0");
}
