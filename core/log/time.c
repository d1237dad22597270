/* SPDX-License-Identifier: MIT */
#include "log/time.h"

enum {
	DAY = 86400,
	YEAR_DAYS = 365,
	ERA_YEARS = 400,
	ERA_DAYS = 146097,
	EPOCH_DAYS = 719468,
	DATE_TIME = 19
};

/* ---- The calendar, counted from 1 March of year 0: the leap day is the last of a year ---- */

static int64_t days_of(int32_t year, int32_t month, int32_t day)
{
	int32_t y = year + ERA_YEARS - (month <= 2); /* shifted by one era: never negative */
	int32_t era = y / ERA_YEARS, of_era = y % ERA_YEARS;
	int32_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int32_t days = of_era * YEAR_DAYS + of_era / 4 - of_era / 100 + of_year;
	return (int64_t)(era - 1) * ERA_DAYS + days - EPOCH_DAYS;
}

static void date_of(int64_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day)
{
	int64_t since = days + EPOCH_DAYS;
	int64_t era = (since >= 0 ? since : since - (ERA_DAYS - 1)) / ERA_DAYS;
	int32_t of_era = (int32_t)(since - era * ERA_DAYS);
	int32_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / YEAR_DAYS;
	int32_t of_year = of_era - (YEAR_DAYS * y + y / 4 - y / 100);
	int32_t m = (5 * of_year + 2) / 153;
	*ret_day = of_year - (153 * m + 2) / 5 + 1;
	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = (int32_t)(era * ERA_YEARS) + y + (*ret_month <= 2);
}

static int32_t days_in(int32_t year, int32_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % ERA_YEARS == 0;
	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* ---- Reading ---- */

/* n digits as a number; -1 if one is not a digit. */
static int32_t digits(const uint8_t *at, size_t n)
{
	int32_t value = 0;
	for (size_t i = 0; i < n; i++) {
		if (at[i] < '0' || at[i] > '9') {
			return -1;
		}
		value = value * 10 + (at[i] - '0');
	}
	return value;
}

/* 2006-01-02T15:04:05 */
static bool parse_date_time(const uint8_t *at, int64_t *ret)
{
	int32_t year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
	int32_t hour = digits(at + 11, 2), minute = digits(at + 14, 2), second = digits(at + 17, 2);
	if (at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':') {
		return false;
	}
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) {
		return false;
	}
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
		return false;
	}
	*ret = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
	return true;
}

/* .123456789, of any length; returns the place behind it, or NULL without digits. */
static const uint8_t *parse_fraction(const uint8_t *at, const uint8_t *end, long *ret)
{
	long unit = 100000000;
	const uint8_t *start = ++at;
	*ret = 0;
	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		*ret += (*at - '0') * unit;
		unit /= 10;
	}
	return at > start ? at : NULL;
}

static bool parse_offset(const uint8_t *at, const uint8_t *end, int32_t *ret)
{
	if (end - at == 1 && *at == 'Z') {
		*ret = 0;
		return true;
	}
	if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':') {
		return false;
	}
	int32_t hours = digits(at + 1, 2), minutes = digits(at + 4, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
		return false;
	}
	*ret = (hours * 3600 + minutes * 60) * (*at == '-' ? -1 : 1);
	return true;
}

bool obi_log_time_parse(struct ob_bytes text, struct timespec *ret_time, int32_t *ret_offset)
{
	const uint8_t *at = text.data, *end = text.data + text.len;
	int64_t seconds;
	int32_t offset;
	long nanoseconds = 0;
	if (text.len <= DATE_TIME || !parse_date_time(at, &seconds)) {
		return false;
	}
	at += DATE_TIME;
	at = *at == '.' ? parse_fraction(at, end, &nanoseconds) : at;
	if (at == NULL || !parse_offset(at, end, &offset)) {
		return false;
	}
	ret_time->tv_sec = (time_t)(seconds - offset);
	ret_time->tv_nsec = nanoseconds;
	*ret_offset = offset;
	return true;
}

/* ---- Writing ---- */

/* Write n digits at `at`. */
static void put_digits(char *at, size_t n, int64_t value)
{
	while (n-- > 0) {
		at[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void put_two(char *at, char before, int32_t value)
{
	at[0] = before;
	put_digits(at + 1, 2, value);
}

static size_t put_fraction(char *at, long nanoseconds, enum obi_log_time_style style)
{
	size_t n = style == OBI_LOG_TIME_MILLI ? 3 : 9;
	put_digits(at + 1, 9, nanoseconds);
	while (style == OBI_LOG_TIME_NANO && n > 0 && at[n] == '0') {
		n--;
	}
	at[0] = '.';
	return n > 0 ? n + 1 : 0;
}

static size_t put_offset(char *at, int32_t offset)
{
	int32_t minutes = (offset < 0 ? -offset : offset) / 60 % (24 * 60);
	if (minutes == 0) {
		at[0] = 'Z';
		return 1;
	}
	put_two(at, offset < 0 ? '-' : '+', minutes / 60);
	put_two(at + 3, ':', minutes % 60);
	return 6;
}

bool obi_log_time_put(struct timespec time, int32_t offset, enum obi_log_time_style style,
		      struct ob_sink *out)
{
	char text[DATE_TIME + 10 + 6];
	int64_t local = (int64_t)time.tv_sec + offset - offset % 60;
	int64_t days = local / DAY - (local % DAY < 0);
	int32_t second = (int32_t)(local - days * DAY), year, month, day;
	size_t len = DATE_TIME;
	date_of(days, &year, &month, &day);
	put_digits(text, 4, year < 0 ? 0 : year);
	put_two(text + 4, '-', month);
	put_two(text + 7, '-', day);
	put_two(text + 10, 'T', second / 3600);
	put_two(text + 13, ':', second / 60 % 60);
	put_two(text + 16, ':', second % 60);
	len += put_fraction(text + len, time.tv_nsec, style);
	len += put_offset(text + len, offset);
	return ob_sink_put(out, text, len);
}
