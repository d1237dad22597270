/* SPDX-License-Identifier: MIT */
#include "log/render.h"

#include "json/json.h"
#include "json/json_scan.h"
#include "base/text.h"
#include "base/value.h"
#include "log/line.h"
#include "log/printable.h"
#include "log/time.h"

/* All or nothing: part of a line would corrupt the next one. */
#define RENAMED "child."

static const struct ob_bytes reserved[] = {
    {(const uint8_t *)"outboard", 8},  {(const uint8_t *)"stream", 6},
    {(const uint8_t *)"event", 5},     {(const uint8_t *)"partial", 7},
    {(const uint8_t *)"continued", 9}, {(const uint8_t *)"truncated", 9},
    {(const uint8_t *)"discarded", 9}, {(const uint8_t *)"time", 4},
    {(const uint8_t *)"level", 5},     {(const uint8_t *)"msg", 3},
    {(const uint8_t *)"source", 6},
};

static struct ob_bytes text_of(const struct ob_value *string)
{
	return ob_bytes_of(string->as.string, string->count);
}

/* A bit for each letter that a reserved name begins with: most keys end the search here. */
static bool may_be_reserved(struct ob_bytes key)
{
	static const char first[] = "oseptcdlm";
	uint32_t letters = 0;
	for (size_t i = 0; i < sizeof first - 1; i++) {
		letters |= 1u << (first[i] - 'a');
	}
	return key.len >= 3 && key.len <= 9 && key.data[0] >= 'a' && key.data[0] <= 'z' &&
	       (letters >> (key.data[0] - 'a') & 1) != 0;
}

static bool is_printed_by_child(const struct ob_log_record *record)
{
	return record->name != NULL && record->stream != 0;
}

/* key is constant: plain text, with quotes, comma and colon. */
static bool is_renamed(const struct ob_log_record *record, struct ob_bytes key)
{
	if (!is_printed_by_child(record) || (record->flags & OB_LOG_PARSED) == 0 ||
	    !may_be_reserved(key)) {
		return false;
	}
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		if (ob_bytes_equal(key, reserved[i])) {
			return true;
		}
	}
	return false;
}

static const struct stream {
	const char *text, *json;
} streams[] = {{"stdout", ",\"stream\":\"stdout\","},
	       {"stderr", ",\"stream\":\"stderr\","},
	       {"cleanup", ",\"stream\":\"cleanup\","},
	       {"other", ",\"stream\":\"other\","}};

static const struct stream *stream_of(int stream)
{
	return &streams[stream >= 1 && stream <= 3 ? stream - 1 : 3];
}

const char *obi_log_stream_name(int stream)
{
	return stream_of(stream)->text;
}

static const struct mark {
	uint32_t flag;
	const char *text, *json;
} marks[] = {{OB_LOG_PARTIAL, " partial", "\"partial\":true,"},
	     {OB_LOG_CONTINUED, " continued", "\"continued\":true,"},
	     {OB_LOG_TRUNCATED, " truncated", "\"truncated\":true,"}};

enum { MARKS = sizeof marks / sizeof marks[0] };

/* All or nothing: half a line would spoil the next one. */
static bool finish(struct ob_sink *out, size_t start)
{
	ob_sink_byte(out, '\n');
	if (out->failed) {
		out->len = start;
	}
	return !out->failed;
}

/* A malformed byte, or a control character. */

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

/* The length of the printable character at `at`; 0: it must be escaped. quoted: so must '"' and
 * '\\'. */
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

static void json_attrs(const struct ob_log_record *record, struct ob_sink *out)
{
	const struct ob_value *attrs = &record->attrs;
	for (uint32_t i = 0; attrs->type == OB_MAP && i < attrs->count && !out->failed; i++) {
		const struct ob_pair *pair = &attrs->as.pairs[i];
		struct ob_bytes key = text_of(&pair->key);
		if (is_renamed(record, key)) {
			ob_sink_text(out, ",\"" RENAMED);
			ob_sink_put(out, key.data, key.len);
			ob_sink_byte(out, '"');
		} else {
			json_text(",", key, out);
		}
		ob_sink_byte(out, ':');
		json_value(&pair->value, out);
	}
}

/* U+0080 to U+009F: terminals interpret them as escape sequences. */
static void json_head(const struct ob_log_record *record, struct ob_sink *out)
{
	ob_sink_byte(out, '{');
	if (record->name != NULL) {
		json_text("\"outboard\":", ob_bytes_text(record->name), out);
		ob_sink_text(out,
			     is_printed_by_child(record) ? stream_of(record->stream)->json : ",");
	}
	for (size_t i = 0; i < MARKS && record->flags != 0; i++) {
		ob_sink_text(out, (record->flags & marks[i].flag) != 0 ? marks[i].json : "");
	}
}

/* Up to the key of the message. */
static void json_beginning(const struct ob_log_record *record, struct ob_sink *out)
{
	char level[24];
	obi_log_level_text(record->level, level, sizeof level);
	json_head(record, out);
	ob_sink_text(out, "\"time\":\"");
	obi_log_time_put(record->time, record->utc_offset, OBI_LOG_TIME_NANO, out);
	ob_sink_text(out, "\",\"level\":\"");
	ob_sink_text(out, level);
	ob_sink_text(out, "\",\"msg\":");
}

bool obi_log_render_json(const struct ob_log_record *record, struct ob_sink *out)
{
	size_t start = out->len;
	json_beginning(record, out);
	obi_json_quote(record->message, out);
	json_source(record, out);
	json_attrs(record, out);
	ob_sink_byte(out, '}');
	return finish(out, start);
}

/* Append the escape of the character at `at`; returns its length. */

/* The end of the plain run at `at`: most of any text, and it needs no further check. */
static size_t put_escape(const uint8_t *at, const uint8_t *end, struct ob_sink *out)
{
	char escape[OBI_TEXT_ESCAPE_MAX] = {'\\', (char)*at};
	size_t len = 2;
	size_t step = *at == '"' || *at == '\\' ? 1 : obi_text_escape(at, end, escape, &len);
	ob_sink_put(out, escape, len);
	return step;
}

/* Whether the value of key=value can be read back without quotes. */
static void put_safe(struct ob_bytes text, bool quoted, struct ob_sink *out)
{
	static const uint8_t nothing[1];
	const uint8_t *run = text.len > 0 ? text.data : nothing, *end = run + text.len,
		      *at = obi_text_plain(run, end);
	while (at < end) {
		bool mark = quoted && (*at == '"' || *at == '\\');
		size_t step = mark ? 0 : obi_text_shown(at, end);
		if (step == 0) {
			ob_sink_put(out, run, (size_t)(at - run));
			at += put_escape(at, end, out);
			run = at;
		}
		at = obi_text_plain(at + step, end);
	}
	ob_sink_put(out, run, (size_t)(end - run));
}

/* The printable ASCII characters other than: space " \ = [ ] { } , */
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
	const struct ob_log_record *record;
	struct ob_sink *out;
	bool color;
};

/* The items of an array: as JSON, but with the escapes of text. */
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

static void put_nested(const struct ob_value *value, uint32_t depth, struct ob_sink *out);

/* key=value, or the members of a group, each prefixed with the name of the group. */
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

static void put_group_name(const struct human *h, const struct group *group)
{
	struct ob_bytes key = text_of(group->key);
	if (group->outer != NULL) {
		put_group_name(h, group->outer);
		ob_sink_byte(h->out, '.');
	} else if (is_renamed(h->record, key)) {
		ob_sink_text(h->out, RENAMED);
	}
	put_word(key, h->out);
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
	put_group_name(h, &group);
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

static void put_source(const struct human *h)
{
	const struct ob_log_record *record = h->record;
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

/* "[name] ", or of what a child printed "[name stream] " with its marks. */
static void put_name(const struct human *h)
{
	const struct ob_log_record *record = h->record;
	if (record->name == NULL) {
		return;
	}
	ob_sink_byte(h->out, '[');
	put_safe(ob_bytes_text(record->name), false, h->out);
	if (is_printed_by_child(record)) {
		ob_sink_byte(h->out, ' ');
		ob_sink_text(h->out, stream_of(record->stream)->text);
	}
	for (size_t i = 0; i < MARKS; i++) {
		ob_sink_text(h->out, (record->flags & marks[i].flag) != 0 ? marks[i].text : "");
	}
	ob_sink_text(h->out, "] ");
}

static void put_beginning(const struct human *h)
{
	const struct ob_log_record *record = h->record;
	color(h, SGR_FAINT);
	obi_log_time_put(record->time, record->utc_offset, OBI_LOG_TIME_MILLI, h->out);
	color(h, SGR_PLAIN);
	ob_sink_byte(h->out, ' ');
	put_level(h, record->level);
	put_name(h);
}

bool obi_log_render_human(const struct ob_log_record *record, bool with_color, struct ob_sink *out)
{
	struct human h = {record, out, with_color};
	size_t start = out->len;
	put_beginning(&h);
	put_safe(record->message, false, out);
	put_source(&h);
	for (uint32_t i = 0;
	     record->attrs.type == OB_MAP && i < record->attrs.count && !out->failed; i++) {
		put_attr(&h, &record->attrs.as.pairs[i], NULL);
	}
	return finish(out, start);
}

/* ---- Lines that share their head ---- */

bool obi_log_render_head(const struct ob_log_record *record, bool json, bool with_color,
			 struct ob_sink *out)
{
	struct human h = {record, out, with_color};
	size_t start = out->len;
	if (json) {
		json_beginning(record, out);
		ob_sink_byte(out, '"');
	} else {
		put_beginning(&h);
	}
	if (out->failed) {
		out->len = start;
	}
	return !out->failed;
}

bool obi_log_is_plain(const struct ob_log_record *record, bool json)
{
	const struct ob_bytes *message = &record->message;
	bool alone = record->attrs.type == OB_MAP && record->attrs.count == 0 &&
		     record->source_file.len == 0 && record->source_function.len == 0 &&
		     record->source_line == 0;
	if (!alone || message->len == 0) {
		return false;
	}
	const uint8_t *at = message->data, *end = at + message->len;
	return json ? obi_text_plain(at, end) == end : obi_log_is_printable(at, end);
}

/* ---- A part of a message ---- */

/* How many bytes the character, or the byte, at `at` takes. */
static size_t form_len(const uint8_t *at, const uint8_t *end, size_t step, bool json)
{
	uint8_t form[16];
	struct ob_sink out = ob_sink_fixed(form, sizeof form);
	if (obi_text_shown(at, end) > 1) {
		return step;
	}
	if (json) {
		obi_json_quote(ob_bytes_of(at, step), &out);
		return out.len - 2;
	}
	put_safe(ob_bytes_of(at, step), false, &out);
	return out.len;
}

size_t obi_log_message_fit(struct ob_bytes message, bool json, size_t room)
{
	const uint8_t *at = message.data, *end = at + message.len;
	while (message.len > 0) {
		size_t run = (size_t)(obi_text_plain(at, end) - at);
		if (run >= room || at + run == end) {
			return (size_t)(at - message.data) + (run < room ? run : room);
		}
		at += run;
		room -= run;
		size_t step = obi_utf8_step(at, end), len;
		step = step > 0 ? step : 1;
		len = form_len(at, end, step, json);
		if (len > room) {
			return (size_t)(at - message.data);
		}
		at += step;
		room -= len;
	}
	return 0;
}
