/* SPDX-License-Identifier: MIT */
#include "chaos/params.h"

#include <stdio.h>

/* The unread part of a value. */
struct rest {
	const uint8_t *at;
	const uint8_t *end;
};

/* ---- Words and numbers ---- */

static bool take_text(struct rest *rest, const char *text)
{
	size_t len = strlen(text);
	if ((size_t)(rest->end - rest->at) < len || memcmp(rest->at, text, len) != 0) {
		return false;
	}
	rest->at += len;
	return true;
}

static bool take_number(struct rest *rest, uint64_t least, uint64_t most, uint64_t *ret)
{
	const uint8_t *start = rest->at;
	uint64_t n = 0;
	for (; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
		uint64_t digit = (uint64_t)(*rest->at - '0');
		if (n > (most - digit) / 10) {
			return false;
		}
		n = n * 10 + digit;
	}
	*ret = n;
	return rest->at > start && n >= least && n <= most;
}

/* 0, or a number with a unit. */
static bool take_time(struct rest *rest, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
	if (!take_number(rest, 0, OBI_CHAOS_TIME_MAX, ret_ms)) {
		return false;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (take_text(rest, units[i].name)) {
			*ret_ms *= units[i].ms;
			return *ret_ms <= OBI_CHAOS_TIME_MAX;
		}
	}
	return *ret_ms == 0;
}

static bool take_size(struct rest *rest, uint64_t *ret)
{
	return take_number(rest, 1, OBI_CHAOS_CHOP_MAX, ret);
}

/* One value, or two with ".." between them. */
static bool take_range(struct rest *rest, bool (*take)(struct rest *rest, uint64_t *ret),
		       struct obi_chaos_range *ret)
{
	if (!take(rest, &ret->least)) {
		return false;
	}
	ret->most = ret->least;
	return !take_text(rest, "..") || (take(rest, &ret->most) && ret->most >= ret->least);
}

/* 1/N or @N. The limit keeps twice N from overflowing. */
static bool take_when(struct rest *rest, struct obi_chaos_when *ret)
{
	if (take_text(rest, "@")) {
		ret->kind = OBI_CHAOS_ONCE;
		return take_number(rest, 0, INT64_MAX / 2, &ret->bytes);
	}
	ret->kind = OBI_CHAOS_OFTEN;
	return take_text(rest, "1/") && take_number(rest, 1, INT64_MAX / 2, &ret->bytes);
}

/* One of three words; the third is "both". */
static bool take_choice(struct rest *rest, const char *first, const char *second, uint32_t *ret)
{
	const char *const words[] = {first, second, "both"};
	for (uint32_t i = 0; i < 3; i++) {
		if (take_text(rest, words[i])) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

/* ---- The parameters ---- */

static bool read_seed(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_number(rest, 0, UINT64_MAX, &ret->seed);
}

static bool read_delay(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_range(rest, take_time, &ret->delay);
}

static bool read_chop(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_range(rest, take_size, &ret->chop);
}

static bool read_pause(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_when(rest, &ret->pause) && take_text(rest, ":") &&
	       take_range(rest, take_time, &ret->pause_for);
}

static bool read_reset(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_when(rest, &ret->reset);
}

static bool read_drop(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_when(rest, &ret->drop);
}

static bool read_side(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_choice(rest, "dialer", "acceptor", &ret->sides);
}

static bool read_way(struct rest *rest, struct obi_chaos_params *ret)
{
	return take_choice(rest, "out", "in", &ret->ways);
}

static const struct parameter {
	const char *name;
	bool (*take)(struct rest *rest, struct obi_chaos_params *ret);
	const char *wanted;
} parameters[] = {
    {"seed", read_seed, "a number of at most 64 bits"},
    {"delay", read_delay, "a time or a range of times, as in 5ms or 0..20ms, of at most 10m"},
    {"chop", read_chop, "a number of bytes or a range, as in 1 or 1..7, from 1 to 65536"},
    {"pause", read_pause,
     "how often and for how long, as in 1/200:50ms or @300:1s..2s, of at most 10m"},
    {"reset", read_reset, "how often or where, as in 1/5000 or @300"},
    {"drop", read_drop, "how often or where, as in 1/5000 or @300"},
    {"side", read_side, "dialer, acceptor or both"},
    {"way", read_way, "in, out or both"},
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

static size_t find(struct ob_bytes name)
{
	size_t i = 0;
	while (i < PARAMETERS && !ob_bytes_is(name, parameters[i].name)) {
		i++;
	}
	return i;
}

static bool refuse(char why[OBI_CHAOS_WHY], struct ob_bytes shown, const char *before,
		   const char *behind)
{
	int len = shown.len < 60 ? (int)shown.len : 60;
	snprintf(why, OBI_CHAOS_WHY, "chaos: %s%.*s%s%s", before, len, (const char *)shown.data,
		 shown.len > 60 ? "..." : "", behind);
	return false;
}

/* Read name=value. seen has a bit for each parameter that was read. */
static bool take_item(struct ob_bytes item, uint32_t *seen, struct obi_chaos_params *ret,
		      char why[OBI_CHAOS_WHY])
{
	char wanted[OBI_CHAOS_WHY / 2];
	const uint8_t *equals = item.len > 0 ? memchr(item.data, '=', item.len) : NULL;
	struct ob_bytes name = {item.data,
				equals != NULL ? (size_t)(equals - item.data) : item.len};
	size_t which = find(name);
	if (which == PARAMETERS) {
		return refuse(
		    why, name, "unknown parameter '",
		    "'; the parameters are seed, delay, chop, pause, reset, drop, side, way");
	}
	if ((*seen & 1U << which) != 0) {
		return refuse(why, name, "parameter ", " is given twice");
	}
	*seen |= 1U << which;
	struct rest rest = {equals != NULL ? equals + 1 : item.data + item.len,
			    item.data + item.len};
	if (!parameters[which].take(&rest, ret) || rest.at != rest.end) {
		snprintf(wanted, sizeof wanted, ": expected %s", parameters[which].wanted);
		return refuse(why, item, "parameter ", wanted);
	}
	return true;
}

bool obi_chaos_parse(struct ob_bytes query, struct obi_chaos_params *ret, char why[OBI_CHAOS_WHY])
{
	struct obi_chaos_params params = {.sides = OBI_CHAOS_DIALER | OBI_CHAOS_ACCEPTOR,
					  .ways = OBI_CHAOS_OUT | OBI_CHAOS_IN};
	uint32_t seen = 0;
	bool more = query.len > 0;
	while (more) {
		const uint8_t *end = memchr(query.data, '&', query.len);
		struct ob_bytes item = {query.data,
					end != NULL ? (size_t)(end - query.data) : query.len};
		if (!take_item(item, &seen, &params, why)) {
			return false;
		}
		more = end != NULL;
		query = more ? ob_bytes_of(end + 1, query.len - item.len - 1) : query;
		if (more && query.len == 0) {
			return take_item(query, &seen, &params, why); /* refuses an empty item */
		}
	}
	*ret = params;
	return true;
}
