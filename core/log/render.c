/* SPDX-License-Identifier: MIT */
#include "log/render.h"

#include "json/json.h"
#include "json/json_scan.h"
#include "base/text.h"
#include "base/value.h"
#include "log/line.h"
#include "log/time.h"

/* All or nothing: a half line would spoil its neighbour. */
static bool finish(struct ob_sink *out, size_t start)
{
	ob_sink_byte(out, '\n');
	if (out->failed) {
		out->len = start;
	}
	return !out->failed;
}

/* ---- JSON ---- */

static void json_value(const struct ob_value *value, struct ob_sink *out)
{
	struct ob_error err;
	size_t start = out->len;
	if (value->type == OB_STRING) {
		obi_json_quote(ob_bytes_of(value->as.string, value->count), out);
		return;
	}
	if (obi_json_write(value, out, &err) == OB_OK || out->failed) {
		return;
	}
	out->len = start;
	ob_sink_text(out, "\"!ERROR:");
	ob_sink_text(out, err.text);
	ob_sink_byte(out, '"');
}

/* key is ours: plain text, with quotes, comma and colon. */
static void json_text(const char *key, struct ob_bytes text, struct ob_sink *out)
{
	ob_sink_text(out, key);
	obi_json_quote(text, out);
}

static void json_source(const struct ob_log_record *record, struct ob_sink *out)
{
	if (record->source_function.len == 0 && record->source_file.len == 0 &&
	    record->source_line == 0) {
		return;
	}
	json_text(",\"source\":{\"function\":", record->source_function, out);
	json_text(",\"file\":", record->source_file, out);
	ob_sink_text(out, ",\"line\":");
	obi_json_put_int(record->source_line, out);
	ob_sink_byte(out, '}');
}

static void json_attrs(const struct ob_value *attrs, struct ob_sink *out)
{
	for (uint32_t i = 0; attrs->type == OB_MAP && i < attrs->count && !out->failed; i++) {
		const struct ob_pair *pair = &attrs->as.pairs[i];
		json_text(",", ob_bytes_of(pair->key.as.string, pair->key.count), out);
		ob_sink_byte(out, ':');
		json_value(&pair->value, out);
	}
}

bool obi_log_render_json(const struct ob_log_record *record, struct ob_sink *out)
{
	size_t start = out->len;
	char level[24];
	obi_log_level_text(record->level, level, sizeof level);
	ob_sink_text(out, "{\"time\":\"");
	obi_log_time_put(record->time, record->utc_offset, OBI_LOG_TIME_NANO, out);
	ob_sink_text(out, "\",\"level\":\"");
	ob_sink_text(out, level);
	json_text("\",\"msg\":", record->message, out);
	json_source(record, out);
	json_attrs(&record->attrs, out);
	if (record->name != NULL) {
		json_text(",\"outboard\":", ob_bytes_text(record->name), out);
	}
	if ((record->flags & OB_LOG_TRUNCATED) != 0) {
		ob_sink_text(out, ",\"truncated\":true");
	}
	ob_sink_byte(out, '}');
	return finish(out, start);
}

/* ---- Text for people: characters ---- */

static void put_hex(const char *before, uint8_t byte, struct ob_sink *out)
{
	static const char hex[] = "0123456789abcdef";
	char two[2] = {hex[byte >> 4], hex[byte & 15]};
	ob_sink_text(out, before);
	ob_sink_put(out, two, sizeof two);
}

/* A byte that is no character, or one that is a control character. */
static void put_control(uint8_t byte, struct ob_sink *out)
{
	static const char from[] = "\n\t\r", into[] = "ntr";
	const char *found = byte != '\0' ? strchr(from, byte) : NULL;
	if (found != NULL) {
		ob_sink_byte(out, '\\');
		ob_sink_byte(out, (uint8_t)into[found - from]);
	} else {
		put_hex("\\x", byte, out);
	}
}

/* How many bytes from `at` on are one harmless character; 0: it must be escaped. quoted: '"' and
 * '\\' must be too. */
static size_t harmless(const uint8_t *at, const uint8_t *end, bool quoted)
{
	size_t step = obi_utf8_step(at, end);
	if (step == 1 && (*at < 0x20 || *at == 0x7f || (quoted && (*at == '"' || *at == '\\')))) {
		return 0;
	}
	/* U+0080 to U+009F: terminals take them for escape sequences. */
	return step == 2 && at[0] == 0xc2 && at[1] < 0xa0 ? 0 : step;
}

/* Append the escape of what is at `at`; returns its length. */
static size_t put_escape(const uint8_t *at, const uint8_t *end, struct ob_sink *out)
{
	if (*at == '"' || *at == '\\') {
		ob_sink_byte(out, '\\');
		ob_sink_byte(out, *at);
		return 1;
	}
	if (obi_utf8_step(at, end) == 2) {
		put_hex("\\u00", at[1], out);
		return 2;
	}
	put_control(*at, out);
	return 1;
}

/* The end of the run from `at` on that needs no second look, which is most of any text. */
static const uint8_t *plain_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *stop = obi_text_plain(at, end);
	const uint8_t *del = stop > at ? memchr(at, 0x7f, (size_t)(stop - at)) : NULL;
	return del != NULL ? del : stop;
}

static void put_safe(struct ob_bytes text, bool quoted, struct ob_sink *out)
{
	static const uint8_t nothing[1];
	const uint8_t *run = text.len > 0 ? text.data : nothing, *end = run + text.len,
		      *at = plain_end(run, end);
	while (at < end) {
		size_t step = harmless(at, end, quoted);
		if (step == 0) {
			ob_sink_put(out, run, (size_t)(at - run));
			at += put_escape(at, end, out);
			run = at;
		}
		at = plain_end(at + step, end);
	}
	ob_sink_put(out, run, (size_t)(end - run));
}

/* Whether key=value can be read back without quotes. */
static bool is_word(struct ob_bytes text)
{
	/* Of the printable ASCII: not space " \ = [ ] { } , */
	static const uint32_t no[4] = {0xffffffff, 0x20001005, 0x38000000, 0xa8000000};
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c >= 0x80 || (no[c / 32] >> c % 32 & 1) != 0) {
			return false;
		}
	}
	return text.len > 0;
}

static void put_quoted(struct ob_bytes text, struct ob_sink *out)
{
	ob_sink_byte(out, '"');
	put_safe(text, true, out);
	ob_sink_byte(out, '"');
}

static void put_word(struct ob_bytes text, struct ob_sink *out)
{
	if (is_word(text)) {
		ob_sink_put(out, text.data, text.len);
	} else {
		put_quoted(text, out);
	}
}

/* ---- Text for people: values ---- */

struct human {
	struct ob_sink *out;
	bool color;
};

/* The groups around a key, innermost first. */
struct group {
	const struct group *outer;
	const struct ob_value *key;
	uint32_t depth;
};

#define SGR_PLAIN "\033[0m"
#define SGR_FAINT "\033[2m"

static void color(const struct human *h, const char *sgr)
{
	if (h->color) {
		ob_sink_text(h->out, sgr);
	}
}

static struct ob_bytes text_of(const struct ob_value *string)
{
	return ob_bytes_of(string->as.string, string->count);
}

static void put_nested(const struct ob_value *value, uint32_t depth, struct ob_sink *out);

/* What is inside of an array: as JSON, but for the escapes. */
static void put_items(const struct ob_value *value, uint32_t depth, struct ob_sink *out)
{
	bool map = value->type == OB_MAP;
	ob_sink_byte(out, map ? '{' : '[');
	for (uint32_t i = 0; i < value->count && !out->failed; i++) {
		if (i > 0) {
			ob_sink_byte(out, ',');
		}
		if (map) {
			put_quoted(text_of(&value->as.pairs[i].key), out);
			ob_sink_byte(out, ':');
		}
		put_nested(map ? &value->as.pairs[i].value : &value->as.items[i], depth + 1, out);
	}
	ob_sink_byte(out, map ? '}' : ']');
}

static void put_nested(const struct ob_value *value, uint32_t depth, struct ob_sink *out)
{
	struct ob_error err;
	if (value->type == OB_STRING) {
		put_quoted(text_of(value), out);
	} else if (value->type == OB_ARRAY || value->type == OB_MAP) {
		if (depth < OBI_VALUE_DEPTH_MAX) {
			put_items(value, depth, out);
		} else {
			ob_sink_text(out, "...");
		}
	} else if (obi_json_write(value, out, &err) != OB_OK && !out->failed) {
		ob_sink_text(out, "\"!ERROR\"");
	}
}

static void put_group_name(const struct group *group, struct ob_sink *out)
{
	if (group->outer != NULL) {
		put_group_name(group->outer, out);
		ob_sink_byte(out, '.');
	}
	put_word(text_of(group->key), out);
}

/* key=value, or the members of a group, each with the group's name before its own. */
static void put_attr(const struct human *h, const struct ob_pair *pair, const struct group *outer)
{
	struct group group = {outer, &pair->key, outer != NULL ? outer->depth + 1 : 1};
	const struct ob_value *value = &pair->value;
	if (value->type == OB_MAP && value->count > 0 && group.depth < OBI_VALUE_DEPTH_MAX) {
		for (uint32_t i = 0; i < value->count && !h->out->failed; i++) {
			put_attr(h, &value->as.pairs[i], &group);
		}
		return;
	}
	ob_sink_byte(h->out, ' ');
	color(h, SGR_FAINT);
	put_group_name(&group, h->out);
	ob_sink_byte(h->out, '=');
	color(h, SGR_PLAIN);
	if (value->type == OB_STRING) {
		put_word(text_of(value), h->out);
	} else {
		put_nested(value, group.depth, h->out);
	}
}

/* ---- Text for people: the line ---- */

static const char *level_color(int level)
{
	if (level >= OB_LOG_ERROR) {
		return "\033[31m";
	}
	if (level >= OB_LOG_WARN) {
		return "\033[33m";
	}
	return level >= OB_LOG_INFO ? "\033[32m" : "\033[36m";
}

static void put_level(const struct human *h, int level)
{
	char text[24];
	obi_log_level_text(level, text, sizeof text);
	color(h, level_color(level));
	ob_sink_text(h->out, text);
	color(h, SGR_PLAIN);
	for (size_t i = strlen(text); i < sizeof "DEBUG"; i++) {
		ob_sink_byte(h->out, ' ');
	}
	if (strlen(text) >= sizeof "DEBUG") {
		ob_sink_byte(h->out, ' ');
	}
}

static void put_source(const struct human *h, const struct ob_log_record *record)
{
	if (record->source_file.len == 0) {
		return;
	}
	ob_sink_byte(h->out, ' ');
	color(h, SGR_FAINT);
	ob_sink_text(h->out, "source=");
	color(h, SGR_PLAIN);
	put_safe(record->source_file, false, h->out);
	ob_sink_byte(h->out, ':');
	obi_json_put_int(record->source_line, h->out);
}

bool obi_log_render_human(const struct ob_log_record *record, bool with_color, struct ob_sink *out)
{
	struct human h = {out, with_color};
	size_t start = out->len;
	color(&h, SGR_FAINT);
	obi_log_time_put(record->time, record->utc_offset, OBI_LOG_TIME_MILLI, out);
	color(&h, SGR_PLAIN);
	ob_sink_byte(out, ' ');
	put_level(&h, record->level);
	if (record->name != NULL) {
		ob_sink_byte(out, '[');
		put_safe(ob_bytes_text(record->name), false, out);
		ob_sink_text(out, "] ");
	}
	put_safe(record->message, false, out);
	put_source(&h, record);
	for (uint32_t i = 0;
	     record->attrs.type == OB_MAP && i < record->attrs.count && !out->failed; i++) {
		put_attr(&h, &record->attrs.as.pairs[i], NULL);
	}
	if ((record->flags & OB_LOG_TRUNCATED) != 0) {
		ob_sink_text(out, " truncated=true");
	}
	return finish(out, start);
}
