/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/json.h"
#include "base/value.h"
#include "log/line.h"
#include "log/time.h"

static struct obi_arena arena;
static struct ob_log_record record;

static const struct obi_log_line_from from = {
    .name = "child", .stream = 1, .read_at = {1700000000, 5}};

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 32 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	return 0;
}

static void parse(const char *line)
{
	obi_arena_reset(&arena);
	assert_true(obi_log_line_parse(&from, ob_bytes_text(line), &arena.ob, &record));
}

static bool same(struct ob_bytes bytes, const char *text)
{
	return ob_bytes_is(bytes, text);
}

static void attrs_are(const char *want)
{
	struct obi_buf buf;
	obi_buf_init(&buf, 1 << 20);
	assert_int_equal(obi_json_write(&record.attrs, obi_buf_sink(&buf), NULL), OB_OK);
	ob_sink_byte(obi_buf_sink(&buf), 0);
	assert_string_equal((const char *)obi_buf_bytes(&buf).data, want);
	obi_buf_free(&buf);
}

static void a_whole_record_keeps_everything(void **state)
{
	static const char line[] = "{\"time\":\"2024-05-01T10:20:30.123456789+02:00\",\"level\":"
				   "\"WARN\",\"msg\":\"disk \\u00e9\\n\","
				   "\"source\":{\"function\":\"main.run\",\"file\":\"/src/"
				   "main.go\",\"line\":42},\"z\":1,\"a\":-2.50,"
				   "\"g\":{\"h\":{\"i\":[1,null,true,{\"j\":\"k\"}]}},\"n\":null,"
				   "\"big\":18446744073709551615,\"z\":3}";
	(void)state;
	parse(line);
	assert_int_equal(record.size, sizeof record);
	assert_int_equal(record.flags, OB_LOG_PARSED | OB_LOG_HAS_TIME);
	assert_string_equal(record.name, "child");
	assert_int_equal(record.stream, 1);
	assert_int_equal(record.level, OB_LOG_WARN);
	assert_int_equal(record.time.tv_sec, 1714551630);
	assert_int_equal(record.time.tv_nsec, 123456789);
	assert_int_equal(record.utc_offset, 7200);
	assert_true(same(record.message, "disk \xc3\xa9\n"));
	assert_true(same(record.source_function, "main.run"));
	assert_true(same(record.source_file, "/src/main.go"));
	assert_int_equal(record.source_line, 42);
	assert_true(same(record.line, line));
	attrs_are(
	    "{\"z\":1,\"a\":-2.5,\"g\":{\"h\":{\"i\":[1,null,true,{\"j\":\"k\"}]}},\"n\":null,"
	    "\"big\":18446744073709551615,\"z\":3}");
}

static void is_text(struct ob_bytes line)
{
	obi_arena_reset(&arena);
	assert_true(obi_log_line_parse(&from, line, &arena.ob, &record));
	assert_int_equal(record.flags, 0);
	assert_int_equal(record.level, OB_LOG_INFO);
	assert_int_equal(record.time.tv_sec, 1700000000);
	assert_int_equal(record.time.tv_nsec, 5);
	assert_int_equal(record.utc_offset, 0);
	assert_true(ob_bytes_equal(record.message, line));
	assert_true(ob_bytes_equal(record.line, line));
	assert_int_equal(record.attrs.type, OB_MAP);
	assert_int_equal(record.attrs.count, 0);
}

/* Fault 9 of the origin, and similar ones. */
static void a_line_that_is_not_one_object_is_text(void **state)
{
	static const char *const table[] = {
	    "plain text",
	    " indented",
	    "\t",
	    "{",
	    "{}x",
	    "{\"msg\":\"a\"",
	    "{\"msg\":\"a\"} trailing",
	    "{\"msg\":\"a\"}{\"msg\":\"b\"}",
	    "{\"msg\":\"a\"} {\"msg\":\"b\"}",
	    "{\"msg\":\"a\"},",
	    "[{\"msg\":\"a\"}]",
	    "\"msg\"",
	    "null",
	    "42",
	    "{\"msg\":'a'}",
	    "{\"msg\":\"a\",}",
	    "{\"msg\":\"a\xff\"}",
	    "{\"n\":1e999}",
	    "level=info msg=x",
	    "caf\xe9 in latin 1",
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		print_message("%s\n", table[i]);
		is_text(ob_bytes_text(table[i]));
	}
	is_text(ob_bytes_of("nul \0 inside", 12));
}

static void missing_parts_have_defaults(void **state)
{
	(void)state;
	parse("{}");
	assert_int_equal(record.flags, OB_LOG_PARSED);
	assert_int_equal(record.level, OB_LOG_INFO);
	assert_int_equal(record.time.tv_sec, 1700000000);
	assert_int_equal(record.message.len, 0);
	assert_int_equal(record.source_file.len, 0);
	attrs_are("{}");
	parse(" { \"a\" : 1 } \r");
	assert_int_equal(record.flags, OB_LOG_PARSED);
	attrs_are("{\"a\":1}");
}

static void bad_parts_have_defaults_and_are_not_lost(void **state)
{
	(void)state;
	parse("{\"time\":\"yesterday\",\"level\":\"LOUD\",\"msg\":7,\"source\":\"main.go:3\",\"x\":"
	      "1}");
	assert_int_equal(record.flags, OB_LOG_PARSED);
	assert_int_equal(record.time.tv_sec, 1700000000);
	assert_int_equal(record.level, OB_LOG_INFO);
	assert_int_equal(record.message.len, 0);
	attrs_are("{\"time\":\"yesterday\",\"level\":\"LOUD\",\"msg\":7,\"source\":\"main.go:3\","
		  "\"x\":1}");
	parse("{\"time\":1714551630,\"level\":30,\"source\":{\"file\":\"a\",\"column\":1}}");
	attrs_are("{\"time\":1714551630,\"level\":30,\"source\":{\"file\":\"a\",\"column\":1}}");
	parse("{\"source\":{\"file\":\"a\",\"line\":\"1\"}}");
	attrs_are("{\"source\":{\"file\":\"a\",\"line\":\"1\"}}");
	parse("{\"source\":{\"file\":\"a\",\"file\":\"b\"}}");
	attrs_are("{\"source\":{\"file\":\"a\",\"file\":\"b\"}}");
	parse("{\"source\":{}}");
	attrs_are("{\"source\":{}}");
	parse("{\"source\":{\"file\":\"a\"},\"msg\":\"\"}");
	assert_true(same(record.source_file, "a"));
	attrs_are("{}");
}

static void of_equal_keys_the_first_has_the_meaning(void **state)
{
	(void)state;
	parse("{\"msg\":\"one\",\"level\":\"ERROR\",\"msg\":\"two\",\"level\":\"DEBUG\",\"a\":1,"
	      "\"a\":1}");
	assert_true(same(record.message, "one"));
	assert_int_equal(record.level, OB_LOG_ERROR);
	attrs_are("{\"msg\":\"two\",\"level\":\"DEBUG\",\"a\":1,\"a\":1}");
}

static void empty_lines_are_skipped(void **state)
{
	struct ob_log_record untouched = {.size = 77};
	(void)state;
	assert_false(obi_log_line_parse(&from, ob_bytes_of(NULL, 0), &arena.ob, &untouched));
	assert_false(obi_log_line_parse(&from, ob_bytes_text("\r"), &arena.ob, &untouched));
	assert_int_equal(untouched.size, 77);
	parse("text\r");
	assert_true(same(record.message, "text"));
}

static void a_cut_line_is_marked_and_not_read_as_json(void **state)
{
	struct obi_log_line_from cut = from;
	(void)state;
	cut.flags = OB_LOG_TRUNCATED;
	assert_true(obi_log_line_parse(&cut, ob_bytes_text("{\"msg\":\"x\"}"), &arena.ob, &record));
	assert_int_equal(record.flags, OB_LOG_TRUNCATED);
	assert_true(same(record.message, "{\"msg\":\"x\"}"));
}

/* What a guest's firmware and consoles write before the first record of a line. */
static void fault_98_escape_sequences_do_not_hide_a_record(void **state)
{
	static const char *const before[] = {"\033c\033[?7l\033[2J",
					     "\033[0m",
					     "\033[1;31;40m",
					     "\033]0;title\007",
					     "\033]0;title\033\\",
					     "\033Pq#0\033\\",
					     "\033_apc\033\\",
					     "\033^pm\033\\",
					     "\033Xsos\033\\",
					     "\033(B",
					     "\033 F",
					     "\033[!p",
					     "\033[?25l \t\r\033[H\033[2J",
					     "\r",
					     "\0337",
					     "\033="};
	char line[100];
	(void)state;
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
		snprintf(line, sizeof line, "%s{\"msg\":\"m\",\"level\":\"WARN\"}\r", before[i]);
		parse(line);
		assert_int_equal(record.flags, OB_LOG_PARSED);
		assert_true(same(record.message, "m"));
		assert_int_equal(record.level, OB_LOG_WARN);
		assert_int_equal(record.line.len, strlen(line) - 1);
	}
	static const char nuls[] = "\0\0{\"msg\":\"m\"}";
	assert_true(
	    obi_log_line_parse(&from, ob_bytes_of(nuls, sizeof nuls - 1), &arena.ob, &record));
	assert_true(same(record.message, "m"));
}

static void text_like_an_escape_sequence_stays_text(void **state)
{
	static const char *const before[] = {
	    "\033",	  "\033[",    "\033[1;", "\033]0;title", "\033]0;\033[m",
	    "\033Pq\033", "\033\001", "x",	 "\b",		 "\033[1\001m"};
	char line[100];
	(void)state;
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
		snprintf(line, sizeof line, "%s{\"msg\":\"m\"}", before[i]);
		parse(line);
		/* "\033[{" is a sequence, and no object is behind it. */
		assert_int_equal(record.flags, 0);
		assert_true(same(record.message, line));
	}
}

static void a_line_that_does_not_fit_the_arena_is_text(void **state)
{
	struct ob_arena none = {0};
	(void)state;
	assert_true(obi_log_line_parse(&from, ob_bytes_text("{\"a\":[1,2]}"), &none, &record));
	assert_int_equal(record.flags, 0);
	assert_true(same(record.message, "{\"a\":[1,2]}"));
}

static void groups_nest_deep(void **state)
{
	char line[4 * 600 + 32];
	(void)state;
	for (int depth = 510; depth <= 512; depth++) {
		char *at = line + sprintf(line, "{\"a\":");
		memset(at, '[', (size_t)depth);
		memset(at + depth, ']', (size_t)depth);
		strcpy(at + 2 * depth, "}");
		parse(line);
		assert_int_equal(record.flags, depth < OBI_VALUE_DEPTH_MAX ? OB_LOG_PARSED : 0);
	}
}

static const struct {
	const char *text;
	int level;
	const char *written;
} levels[] = {
    {"DEBUG", -4, "DEBUG"},
    {"INFO", 0, "INFO"},
    {"WARN", 4, "WARN"},
    {"ERROR", 8, "ERROR"},
    {"DEBUG-4", -8, "DEBUG-4"},
    {"DEBUG+1", -3, "DEBUG+1"},
    {"INFO-2", -2, "DEBUG+2"},
    {"INFO+2", 2, "INFO+2"},
    {"ERROR+999999", 1000007, "ERROR+999999"},
    {"info", 0, "INFO"},
    {"Warn+1", 5, "WARN+1"},
    {"INFO+0", 0, "INFO"},
};

static void levels_have_offsets(void **state)
{
	static const char *const bad[] = {"",	     "INF",    "INFOS",	       "INFO ",	  "INFO+",
					  "INFO-",   "INFO+x", "INFO2",	       "WARNING", "INFO+-1",
					  "INFO+1x", "+1",     "INFO+1000000", "\x09NFO"};
	(void)state;
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		char text[24];
		int level = 99;
		assert_true(obi_log_level_parse(ob_bytes_text(levels[i].text), &level));
		assert_int_equal(level, levels[i].level);
		obi_log_level_text(level, text, sizeof text);
		assert_string_equal(text, levels[i].written);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int level = 99;
		print_message("%s\n", bad[i]);
		assert_false(obi_log_level_parse(ob_bytes_text(bad[i]), &level));
	}
	char text[24];
	obi_log_level_text(INT32_MAX, text, sizeof text);
	assert_string_equal(text, "ERROR+2147483639");
	obi_log_level_text(INT32_MIN, text, sizeof text);
	assert_string_equal(text, "DEBUG-2147483644");
}

static const struct {
	const char *text;
	int64_t sec;
	long nsec;
	int32_t offset;
	const char *written;
} exact_times[] = {
    {"1970-01-01T00:00:00Z", 0, 0, 0, "1970-01-01T00:00:00Z"},
    {"2024-02-29T23:59:59.999999999Z", 1709251199, 999999999, 0, "2024-02-29T23:59:59.999999999Z"},
    {"2024-05-01T10:20:30.1+02:00", 1714551630, 100000000, 7200, "2024-05-01T10:20:30.1+02:00"},
    {"2024-05-01T10:20:30.120-09:30", 1714593030, 120000000, -34200,
     "2024-05-01T10:20:30.12-09:30"},
    {"2024-05-01T10:20:30.000000001+00:00", 1714558830, 1, 0, "2024-05-01T10:20:30.000000001Z"},
    {"2024-05-01T10:20:30.1234567899Z", 1714558830, 123456789, 0, "2024-05-01T10:20:30.123456789Z"},
    {"1969-12-31T23:59:59.5Z", -1, 500000000, 0, "1969-12-31T23:59:59.5Z"},
    {"0000-01-01T00:00:00Z", INT64_C(-62167219200), 0, 0, "0000-01-01T00:00:00Z"},
    {"0000-02-29T00:00:00Z", INT64_C(-62162121600), 0, 0, "0000-02-29T00:00:00Z"},
    {"9999-12-31T23:59:59Z", INT64_C(253402300799), 0, 0, "9999-12-31T23:59:59Z"},
    {"9999-12-31T23:59:59-23:59", INT64_C(253402387139), 0, -86340, "9999-12-31T23:59:59-23:59"},
    {"2000-03-01T00:00:00+23:59", 951782460, 0, 86340, "2000-03-01T00:00:00+23:59"},
};

static void times_are_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof exact_times / sizeof exact_times[0]; i++) {
		struct timespec time;
		int32_t offset;
		char text[64];
		struct ob_sink sink = ob_sink_fixed(text, sizeof text - 1);
		print_message("%s\n", exact_times[i].text);
		assert_true(obi_log_time_parse(ob_bytes_text(exact_times[i].text), &time, &offset));
		assert_int_equal(time.tv_sec, exact_times[i].sec);
		assert_int_equal(time.tv_nsec, exact_times[i].nsec);
		assert_int_equal(offset, exact_times[i].offset);
		assert_true(obi_log_time_put(time, offset, OBI_LOG_TIME_NANO, &sink));
		text[sink.len] = '\0';
		assert_string_equal(text, exact_times[i].written);
	}
}

static void bad_times_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2024",
	    "2024-05-01",
	    "2024-05-01T10:20:30",
	    "2024-05-01 10:20:30Z",
	    "2024-05-01t10:20:30Z",
	    "2024-05-01T10:20:30z",
	    "2024-05-01T10:20:30.Z",
	    "2024-05-01T10:20:30,5Z",
	    "2024-05-01T10:20Z",
	    "2024-13-01T10:20:30Z",
	    "2024-00-01T10:20:30Z",
	    "2024-04-31T10:20:30Z",
	    "2023-02-29T10:20:30Z",
	    "1900-02-29T10:20:30Z",
	    "2024-05-00T10:20:30Z",
	    "2024-05-01T24:00:00Z",
	    "2024-05-01T10:60:30Z",
	    "2024-05-01T10:20:60Z",
	    "2024-05-01T10:20:30+0200",
	    "2024-05-01T10:20:30+02",
	    "2024-05-01T10:20:30+24:00",
	    "2024-05-01T10:20:30+02:60",
	    "2024-05-01T10:20:30ZZ",
	    "2024-05-01T10:20:30Z ",
	    "+024-05-01T10:20:30Z",
	    "02024-05-01T10:20:30Z",
	    "2024-05-01T10:20:30.123456789",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct timespec time;
		int32_t offset;
		print_message("%s\n", bad[i]);
		assert_false(obi_log_time_parse(ob_bytes_text(bad[i]), &time, &offset));
	}
}

/* Compared with the C library's calendar, over every day of 2400 years. */
static void the_calendar_equals_that_of_the_c_library(void **state)
{
	(void)state;
	for (int64_t day = -25567 * 4; day < 25567 * 30; day++) {
		time_t when = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
		struct timespec time = {when, 0}, back;
		struct tm tm;
		char want[64], text[64];
		struct ob_sink sink = ob_sink_fixed(text, sizeof text - 1);
		int32_t offset;
		assert_non_null(gmtime_r(&when, &tm));
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
		obi_log_time_put(time, 0, OBI_LOG_TIME_NANO, &sink);
		text[sink.len] = '\0';
		if (strcmp(text, want) != 0) {
			fail_msg("%s is not %s", text, want);
		}
		assert_true(obi_log_time_parse(ob_bytes_text(text), &back, &offset));
		assert_int_equal(back.tv_sec, when);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_record_keeps_everything),
	    cmocka_unit_test(a_line_that_is_not_one_object_is_text),
	    cmocka_unit_test(missing_parts_have_defaults),
	    cmocka_unit_test(bad_parts_have_defaults_and_are_not_lost),
	    cmocka_unit_test(of_equal_keys_the_first_has_the_meaning),
	    cmocka_unit_test(empty_lines_are_skipped),
	    cmocka_unit_test(a_cut_line_is_marked_and_not_read_as_json),
	    cmocka_unit_test(fault_98_escape_sequences_do_not_hide_a_record),
	    cmocka_unit_test(text_like_an_escape_sequence_stays_text),
	    cmocka_unit_test(a_line_that_does_not_fit_the_arena_is_text),
	    cmocka_unit_test(groups_nest_deep),
	    cmocka_unit_test(levels_have_offsets),
	    cmocka_unit_test(times_are_exact),
	    cmocka_unit_test(bad_times_are_refused),
	    cmocka_unit_test(the_calendar_equals_that_of_the_c_library),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
