/* SPDX-License-Identifier: MIT */
#include "log/line.h"

#include <stdio.h>

#include "json/json.h"
#include "base/value.h"
#include "log/time.h"

/* ---- Levels ---- */

static const struct level {
	const char *name;
	int value;
} levels[] = {
    {"DEBUG", OB_LOG_DEBUG}, {"INFO", OB_LOG_INFO}, {"WARN", OB_LOG_WARN}, {"ERROR", OB_LOG_ERROR}};

enum { LEVELS = sizeof levels / sizeof levels[0], OFFSET_DIGITS = 6 };

/* "+2", "-14"; an empty offset is 0. */
static bool parse_level_offset(const uint8_t *at, const uint8_t *end, int *ret)
{
	int value = 0;
	bool minus = at < end && *at == '-';
	if (at == end) {
		*ret = 0;
		return true;
	}
	if ((*at != '+' && *at != '-') || end - at < 2 || end - at > 1 + OFFSET_DIGITS) {
		return false;
	}
	for (at++; at < end; at++) {
		if (*at < '0' || *at > '9') {
			return false;
		}
		value = value * 10 + (*at - '0');
	}
	*ret = minus ? -value : value;
	return true;
}

static bool begins_with(struct ob_bytes text, const char *name)
{
	size_t i = 0;
	for (; name[i] != '\0'; i++) {
		if (i == text.len || (text.data[i] & 0xdf) != (uint8_t)name[i]) {
			return false;
		}
	}
	return true;
}

bool obi_log_level_parse(struct ob_bytes text, int *ret_level)
{
	for (size_t i = 0; i < LEVELS; i++) {
		int offset;
		if (begins_with(text, levels[i].name)) {
			const uint8_t *rest = text.data + strlen(levels[i].name);
			if (!parse_level_offset(rest, text.data + text.len, &offset)) {
				return false;
			}
			*ret_level = levels[i].value + offset;
			return true;
		}
	}
	return false;
}

void obi_log_level_text(int level, char *text, size_t cap)
{
	size_t i = LEVELS - 1;
	while (i > 0 && level < levels[i].value) {
		i--;
	}
	if (level == levels[i].value && strlen(levels[i].name) < cap) {
		memcpy(text, levels[i].name, strlen(levels[i].name) + 1);
	} else {
		snprintf(text, cap, "%s%+lld", levels[i].name, (long long)level - levels[i].value);
	}
}

/* ---- Keys with a meaning: each function takes its value, or leaves it as an attribute ---- */

static bool take_time(const struct ob_value *value, struct ob_log_record *record)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) ||
	    !obi_log_time_parse(text, &record->time, &record->utc_offset)) {
		return false;
	}
	record->flags |= OB_LOG_HAS_TIME;
	return true;
}

static bool take_level(const struct ob_value *value, struct ob_log_record *record)
{
	struct ob_bytes text;
	return ob_get_string(value, &text) && obi_log_level_parse(text, &record->level);
}

static bool take_message(const struct ob_value *value, struct ob_log_record *record)
{
	return ob_get_string(value, &record->message);
}

/* {"function": string, "file": string, "line": integer}, each at most once, and no other
 * keys. */
static bool take_source(const struct ob_value *value, struct ob_log_record *record)
{
	static const char *const keys[] = {"function", "file", "line"};
	const struct ob_value *found[3];
	struct ob_bytes function = {NULL, 0}, file = {NULL, 0};
	int64_t line = 0;
	uint32_t n = 0;
	for (size_t i = 0; i < 3; i++) {
		found[i] = ob_value_find(value, keys[i]);
		n += found[i] != NULL;
	}
	if (value->type != OB_MAP || n == 0 || n != value->count) {
		return false;
	}
	if ((found[0] != NULL && !ob_get_string(found[0], &function)) ||
	    (found[1] != NULL && !ob_get_string(found[1], &file)) ||
	    (found[2] != NULL && !ob_get_int(found[2], &line))) {
		return false;
	}
	record->source_function = function;
	record->source_file = file;
	record->source_line = line;
	return true;
}

static const struct meaning {
	struct ob_bytes key;
	bool (*take)(const struct ob_value *value, struct ob_log_record *record);
} meanings[] = {{{(const uint8_t *)"time", 4}, take_time},
		{{(const uint8_t *)"level", 5}, take_level},
		{{(const uint8_t *)"msg", 3}, take_message},
		{{(const uint8_t *)"source", 6}, take_source}};

enum { MEANINGS = sizeof meanings / sizeof meanings[0] };

/* Whether the pair was taken; *seen records the keys that came already. */
static bool take_pair(const struct ob_pair *pair, uint32_t *seen, struct ob_log_record *record)
{
	struct ob_bytes key = ob_bytes_of(pair->key.as.string, pair->key.count);
	for (uint32_t i = 0; i < MEANINGS; i++) {
		if (ob_bytes_equal(key, meanings[i].key)) {
			bool first = (*seen & 1u << i) == 0;
			*seen |= 1u << i;
			return first && meanings[i].take(&pair->value, record);
		}
	}
	return false;
}

static void take_object(const struct ob_value *object, struct ob_log_record *record)
{
	/* The tree is not shared: the remaining pairs can stay in place. */
	struct ob_pair *pairs = (struct ob_pair *)(uintptr_t)object->as.pairs;
	uint32_t kept = 0, seen = 0;
	for (uint32_t i = 0; i < object->count; i++) {
		if (!take_pair(&pairs[i], &seen, record)) {
			pairs[kept++] = pairs[i];
		}
	}
	record->attrs = ob_map(kept > 0 ? pairs : NULL, kept);
	record->flags |= OB_LOG_PARSED;
}

/* ---- The line ---- */

enum { ESC = 0x1b, BEL = 0x07 };

/* The first byte from `at` on that is not in the range. */
static const uint8_t *pass(const uint8_t *at, const uint8_t *end, uint8_t low, uint8_t high)
{
	while (at < end && *at >= low && *at <= high) {
		at++;
	}
	return at;
}

/* Behind the end of a control string: BEL, or ESC and a backslash. NULL: it has no end. */
static const uint8_t *pass_string(const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at++) {
		if (*at == BEL) {
			return at + 1;
		}
		if (*at == ESC) {
			return end - at > 1 && at[1] == '\\' ? at + 2 : NULL;
		}
	}
	return NULL;
}

/* Behind the escape sequence (ECMA-48) that begins at `at` with ESC; NULL: it is not one. */
static const uint8_t *pass_escape(const uint8_t *at, const uint8_t *end)
{
	bool csi = end - at > 1 && at[1] == '[';
	if (end - at > 1 && at[1] != '\0' && strchr("]PX^_", at[1]) != NULL) {
		return pass_string(at + 2, end);
	}
	at = csi ? pass(at + 2, end, 0x30, 0x3f) : at + 1;
	at = pass(at, end, 0x20, 0x2f);
	return at < end && *at >= (csi ? 0x40 : 0x30) && *at <= 0x7e ? at + 1 : NULL;
}

size_t obi_log_line_skip(struct ob_bytes line)
{
	const uint8_t *at = line.data, *end = at + line.len;
	while (at < end) {
		const uint8_t *next = *at == ESC ? pass_escape(at, end) : at + 1;
		bool blank = *at == ' ' || *at == '\t' || *at == '\r' || *at == '\0';
		if (next == NULL || (*at != ESC && !blank)) {
			break;
		}
		at = next;
	}
	return (size_t)(at - line.data);
}

static bool parse_object(struct ob_bytes line, struct ob_arena *arena, struct ob_value *ret)
{
	static const struct obi_json_limits limits = {.depth = OBI_VALUE_DEPTH_MAX,
						      .flags = OBI_JSON_KEEP_DUPLICATES,
						      .values = OBI_LOG_LINE_VALUES};
	size_t i = obi_log_line_skip(line);
	/* Detects most lines that are not records. */
	if (i == line.len || line.data[i] != '{') {
		return false;
	}
	return obi_json_parse(ob_bytes_of(line.data + i, line.len - i), arena, &limits, ret,
			      NULL) == OB_OK &&
	       ret->type == OB_MAP;
}

struct ob_log_record obi_log_line_text(const char *name, int stream, struct timespec read_at)
{
	return (struct ob_log_record){
	    .size = sizeof(struct ob_log_record),
	    .name = name,
	    .stream = stream,
	    .time = read_at,
	    .level = OB_LOG_INFO,
	    .attrs = ob_map(NULL, 0),
	};
}

bool obi_log_line_parse(const struct obi_log_line_from *from, struct ob_bytes line,
			struct ob_arena *arena, struct ob_log_record *ret)
{
	struct ob_value object;
	line.len -= line.len > 0 && line.data[line.len - 1] == '\r' ? 1 : 0;
	bool truncated = (from->flags & OB_LOG_TRUNCATED) != 0;
	if (line.len == 0 && !truncated) {
		return false;
	}
	*ret = obi_log_line_text(from->name, from->stream, from->read_at);
	ret->flags = from->flags;
	line = line.len > 0 ? line : ob_bytes_text("");
	ret->line = line;
	if (!truncated && parse_object(line, arena, &object)) {
		take_object(&object, ret);
	} else {
		ret->message = line;
	}
	return true;
}
