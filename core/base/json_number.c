/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_SHORT = 128 };

static bool bad(struct obi_json_scan *p, const char *wrong)
{
	return obi_json_refuse(p, OB_EPROTO, wrong);
}

/* ---- In ------------------------------------------------------------------------------------------------------ */

struct number {
	const uint8_t *text;
	uint64_t digits; /* all of them as one integer, unless inexact */
	bool inexact;	 /* there are more digits than that holds */
	bool negative;
	bool integer;	  /* no '.', no exponent */
	int64_t exponent; /* of ten, the places after the point included */
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
		return bad(p, "a number that begins with 0");
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

/* Both factors are exact doubles, so that one multiplication or division rounds correctly. Most numbers are such. */
static bool exact_double(const struct number *n, double *ret)
{
	static const double tens[] = {1e0,  1e1,  1e2,	1e3,  1e4,  1e5,  1e6,	1e7,  1e8,  1e9,  1e10, 1e11,
				      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	if (FLT_EVAL_METHOD != 0 || n->inexact || n->digits > UINT64_C(1) << 53 || n->exponent < -22 ||
	    n->exponent > 22) {
		return false;
	}
	double d = (double)n->digits;
	d = n->exponent < 0 ? d / tens[-n->exponent] : d * tens[n->exponent];
	*ret = n->negative ? -d : d;
	return true;
}

/* strtod() wants an end and takes the decimal point from the locale, so it gets a copy, and ours. */
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
	return isfinite(*ret) || bad(p, "a number too large for a double");
}

bool obi_json_scan_number(struct obi_json_scan *p, struct ob_value *ret)
{
	struct number n = {0};
	double d = 0;
	if (!scan_number(p, &n)) {
		return false;
	}
	if (n.integer && !n.inexact && !n.negative) {
		*ret = ob_uint(n.digits);
		return true;
	}
	if (n.integer && !n.inexact && n.digits <= UINT64_C(1) << 63) {
		*ret = ob_int((int64_t)(0 - n.digits));
		return true;
	}
	if (!exact_double(&n, &d) && !slow_double(p, &n, &d)) {
		return false;
	}
	*ret = ob_double(d);
	return true;
}

/* ---- Out ---------------------------------------------------------------------------------------------------------- */

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

/* The least precision that reads back the same, by trying. Below 15 digits only subnormal numbers differ from %.15g. */
static void shortest(double d, char *text, size_t cap)
{
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t was = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
	int digits = fpclassify(d) == FP_SUBNORMAL ? 1 : 15;
	do {
		snprintf(text, cap, "%.*g", digits, d);
	} while (strtod(text, NULL) != d && digits++ < 17);
	if (plain != (locale_t)0) {
		uselocale(was);
		freelocale(plain);
	}
}

bool obi_json_put_double(double d, struct ob_sink *out)
{
	char text[40];
	if (d == 0 || (fabs(d) < 1e15 && d == (double)(int64_t)d)) {
		if (signbit(d)) {
			ob_sink_byte(out, '-');
		}
		obi_json_put_uint((uint64_t)fabs(d), out);
		return ob_sink_text(out, ".0");
	}
	shortest(d, text, sizeof text);
	ob_sink_text(out, text);
	return strpbrk(text, ".e") != NULL ? !out->failed : ob_sink_text(out, ".0");
}
