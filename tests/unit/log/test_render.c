/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "log/line.h"
#include "log/render.h"

static struct obi_arena arena;
static struct obi_buf buf;

static const struct obi_log_line_from from = {
    .name = "child", .stream = 1, .read_at = {1700000000, 5}};

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 32 << 20);
	obi_buf_init(&buf, 32 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	obi_buf_free(&buf);
	return 0;
}

static struct ob_log_record parse(const char *line)
{
	struct ob_log_record record;
	assert_true(obi_log_line_parse(&from, ob_bytes_text(line), &arena.ob, &record));
	return record;
}

static struct ob_sink *empty_sink(void)
{
	obi_buf_consume(&buf, obi_buf_len(&buf));
	return obi_buf_sink(&buf);
}

static const char *ended(struct ob_sink *sink)
{
	ob_sink_byte(sink, '\0');
	return (const char *)sink->data;
}

static const char *as_json(struct ob_log_record record)
{
	struct ob_sink *sink = empty_sink();
	assert_true(obi_log_render_json(&record, sink));
	return ended(sink);
}

static const char *as_text(struct ob_log_record record, bool color)
{
	struct ob_sink *sink = empty_sink();
	assert_true(obi_log_render_human(&record, color, sink));
	return ended(sink);
}

static void json_has_everything_and_the_name(void **state)
{
	(void)state;
	assert_string_equal(
	    as_json(parse(
		"{\"b\":[1,{\"c\":2.0}],\"msg\":\"a\\tb\",\"time\":\"2024-05-01T10:20:30.5+02:00\","
		"\"source\":{\"function\":\"f\",\"file\":\"g\",\"line\":3},\"level\":\"INFO+2\","
		"\"x\":18446744073709551615,\"x\":null}")),
	    "{\"outboard\":\"child\",\"stream\":\"stdout\",\"time\":\"2024-05-01T10:20:30.5+02:"
	    "00\","
	    "\"level\":\"INFO+2\",\"msg\":\"a\\tb\","
	    "\"source\":{\"function\":\"f\",\"file\":\"g\",\"line\":3},\"b\":[1,{\"c\":2.0}],"
	    "\"x\":18446744073709551615,\"x\":null}\n");
	assert_string_equal(as_json(parse("bytes \xff \x1b[0m")),
			    "{\"outboard\":\"child\",\"stream\":\"stdout\","
			    "\"time\":\"2023-11-14T22:13:20.000000005Z\",\"level\":\"INFO\","
			    "\"msg\":\"bytes \xef\xbf\xbd \\u001b[0m\"}\n");
}

static void json_of_a_childs_own_record_has_no_name(void **state)
{
	struct ob_log_record record = parse("{\"msg\":\"x\",\"level\":\"ERROR\",\"event\":1}");
	(void)state;
	record.name = NULL;
	record.flags |= OB_LOG_TRUNCATED;
	assert_string_equal(as_json(record),
			    "{\"truncated\":true,\"time\":\"2023-11-14T22:13:20.000000005Z\","
			    "\"level\":\"ERROR\",\"msg\":\"x\",\"event\":1}\n");
}

/* ---- What a child prints, and what its parent says ---- */

static void stream_and_marks_stand_with_the_name(void **state)
{
	struct ob_log_record record = parse("m");
	(void)state;
	record.stream = 2;
	record.flags = OB_LOG_PARTIAL | OB_LOG_CONTINUED | OB_LOG_TRUNCATED;
	assert_string_equal(as_json(record),
			    "{\"outboard\":\"child\",\"stream\":\"stderr\",\"partial\":true,"
			    "\"continued\":true,\"truncated\":true,"
			    "\"time\":\"2023-11-14T22:13:20.000000005Z\",\"level\":\"INFO\","
			    "\"msg\":\"m\"}\n");
	assert_string_equal(
	    as_text(record, false),
	    "2023-11-14T22:13:20.000Z INFO  [child stderr partial continued truncated] m\n");
}

/* The text of an event, but not its shape. */
static void fault_86_a_child_cannot_print_an_event(void **state)
{
	struct ob_log_record printed =
	    parse("{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"INFO\",\"msg\":\"exited\","
		  "\"event\":\"exited\",\"pid\":7,\"outboard\":\"other\"}");
	struct ob_log_record event = parse("{\"time\":\"1970-01-01T00:00:00Z\",\"msg\":\"exited\","
					   "\"event\":\"exited\",\"pid\":7}");
	(void)state;
	event.name = "other";
	event.stream = 0;
	assert_string_equal(as_json(event),
			    "{\"outboard\":\"other\",\"time\":\"1970-01-01T00:00:00Z\",\"level\":"
			    "\"INFO\",\"msg\":\"exited\",\"event\":\"exited\",\"pid\":7}\n");
	assert_string_equal(
	    as_json(printed),
	    "{\"outboard\":\"child\",\"stream\":\"stdout\","
	    "\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"INFO\",\"msg\":\"exited\","
	    "\"child.event\":\"exited\",\"pid\":7,\"child.outboard\":\"other\"}\n");
	assert_string_equal(as_text(event, false),
			    "1970-01-01T00:00:00.000Z INFO  [other] exited event=exited pid=7\n");
	assert_string_equal(as_text(printed, false),
			    "1970-01-01T00:00:00.000Z INFO  [child stdout] exited "
			    "child.event=exited pid=7 child.outboard=other\n");
}

static void fault_86_no_attribute_has_a_name_of_the_parents(void **state)
{
	static const char *const names[] = {"outboard",	 "stream",    "event",	   "partial",
					    "continued", "truncated", "discarded", "time",
					    "level",	 "msg",	      "source"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		/* The first of each name may have its meaning. The second never has. */
		char line[128], key[64];
		snprintf(line, sizeof line, "{\"%s\":-1,\"%s\":-2,\"a\":{\"%s\":3}}", names[i],
			 names[i], names[i]);
		snprintf(key, sizeof key, ",\"child.%s\":-1,\"child.%s\":-2,\"a\":{\"%s\":3}}\n",
			 names[i], names[i], names[i]);
		assert_non_null(strstr(as_json(parse(line)), key));
		snprintf(key, sizeof key, " child.%s=-1 child.%s=-2 a.%s=3\n", names[i], names[i],
			 names[i]);
		assert_non_null(strstr(as_text(parse(line), false), key));
	}
	assert_non_null(strstr(as_json(parse("{\"events\":1,\"times\":2,\"str\":3,\"Time\":4}")),
			       "\"msg\":\"\",\"events\":1,\"times\":2,\"str\":3,\"Time\":4}\n"));
}

/* The attribute of a cut line is added by the parent. */
static void discarded_of_a_cut_line_keeps_its_name(void **state)
{
	struct ob_log_record record = parse("line");
	struct ob_pair discarded = {ob_string("discarded"), ob_uint(5)};
	(void)state;
	record.flags = OB_LOG_TRUNCATED;
	record.attrs = ob_map(&discarded, 1);
	assert_non_null(strstr(as_json(record), "\"msg\":\"line\",\"discarded\":5}\n"));
}

static void json_loses_no_record_over_a_bad_value(void **state)
{
	struct ob_log_record record = parse("{\"msg\":\"x\",\"time\":\"1970-01-01T00:00:00Z\"}");
	struct ob_value bad = ob_stringn("\xff", 1);
	struct ob_pair pairs[3] = {{ob_string("nan"), ob_double(NAN)},
				   {ob_stringn("\xfe", 1), bad},
				   {ob_string("list"), ob_array(&bad, 1)}};
	(void)state;
	record.attrs = ob_map(pairs, 3);
	assert_string_equal(as_json(record),
			    "{\"outboard\":\"child\",\"stream\":\"stdout\","
			    "\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"INFO\",\"msg\":\"x\","
			    "\"nan\":\"!ERROR:JSON cannot represent a number that is not "
			    "finite\",\"\xef\xbf\xbd\":\"\xef\xbf\xbd\","
			    "\"list\":\"!ERROR:JSON cannot represent a string that is not "
			    "UTF-8\"}\n");
}

static void text_is_for_people(void **state)
{
	(void)state;
	assert_string_equal(
	    as_text(parse("{\"time\":\"2024-05-01T10:20:30.123456+02:00\",\"level\":\"WARN\","
			  "\"msg\":\"two words\","
			  "\"source\":{\"function\":\"f\",\"file\":\"a.go\",\"line\":3},\"n\":1.5,"
			  "\"s\":\"word\","
			  "\"t\":\"two "
			  "words\",\"e\":\"\",\"z\":null,\"g\":{\"h\":{\"i\":true},\"j\":\"a=b\"},"
			  "\"o\":{},"
			  "\"l\":[1,\"x\",{\"k\":[]}],\"odd key\":1}"),
		    false),
	    "2024-05-01T10:20:30.123+02:00 WARN  [child stdout] two words source=a.go:3 n=1.5 "
	    "s=word "
	    "t=\"two words\" e=\"\" "
	    "z=null g.h.i=true g.j=\"a=b\" o={} l=[1,\"x\",{\"k\":[]}] \"odd key\"=1\n");
	assert_string_equal(as_text(parse("{\"level\":\"ERROR+12\",\"msg\":\"m\"}"), false),
			    "2023-11-14T22:13:20.000Z ERROR+12 [child stdout] m\n");
}

static void fault_86_nothing_in_a_record_reaches_the_terminal_as_a_command(void **state)
{
	const char *text;
	(void)state;
	assert_string_equal(
	    as_text(
		parse("red \x1b[31m\x07 \x7f caf\xc3\xa9 \xc2\x9b \xe2\x80\xae \x9b \xff \\ \"q\""),
		false),
	    "2023-11-14T22:13:20.000Z INFO  [child stdout] red \\x1b[31m\\x07 \\x7f caf\xc3\xa9 "
	    "\\u009b "
	    "\\u202e \\x9b \\xff "
	    "\\ \"q\"\n");
	text = as_text(
	    parse("{\"msg\":\"a\\nb\\u001b\",\"k\\u001b\\n\":\"v\\u001b\\r\\u009b\\\"\","
		  "\"l\":[\"\\u001b\\u009b\",{\"\\u001b\":1}],\"source\":{\"file\":\"\\u001b\"}}"),
	    false);
	assert_string_equal(
	    text, "2023-11-14T22:13:20.000Z INFO  [child stdout] a\\nb\\x1b source=\\x1b:0 "
		  "\"k\\x1b\\n\"=\"v\\x1b\\r\\u009b\\\"\" l=[\"\\x1b\\u009b\",{\"\\x1b\":1}]\n");
}

static void escape_sequences_of_the_record_are_escaped_in_color(void **state)
{
	(void)state;
	assert_string_equal(
	    as_text(parse("{\"msg\":\"m\\u001b[1m\",\"level\":\"ERROR\",\"a\":1}"), true),
	    "\033[2m2023-11-14T22:13:20.000Z\033[0m \033[31mERROR\033[0m [child stdout] m\\x1b[1m "
	    "\033[2ma=\033[0m1\n");
}

static void a_record_that_does_not_fit_leaves_nothing(void **state)
{
	struct ob_log_record record = parse("{\"msg\":\"some message\",\"a\":[1,2,3]}");
	size_t need = strlen(as_json(record));
	uint8_t room[512];
	(void)state;
	for (size_t cap = 4; cap < need + 4; cap++) {
		struct ob_sink sink = ob_sink_fixed(room, cap);
		ob_sink_text(&sink, "kept");
		assert_false(obi_log_render_json(&record, &sink));
		assert_int_equal(sink.len, 4);
		sink = ob_sink_fixed(room, cap);
		assert_true(cap >= 60 || !obi_log_render_human(&record, true, &sink));
	}
	struct ob_sink sink = ob_sink_fixed(room, need);
	assert_true(obi_log_render_json(&record, &sink));
}

/* One megabyte of nested groups must not become gigabytes of dotted names. */
static void dotted_names_cannot_flood(void **state)
{
	struct ob_log_record record;
	char *line = malloc(1 << 20), *at = line;
	assert_non_null(line);
	(void)state;
	for (int i = 0; i < 500; i++) {
		at = stpcpy(at, "{\"a\":");
	}
	*at++ = '{';
	for (int i = 0; i < 15000; i++) {
		at = stpcpy(at, i > 0 ? ",\"b\":1" : "\"b\":1");
	}
	memset(at, '}', 501);
	at[501] = '\0';
	record = parse(line);
	assert_int_equal(record.flags, OB_LOG_PARSED);
	struct ob_sink sink = ob_sink_fixed(malloc(1 << 20), 1 << 20);
	assert_false(obi_log_render_human(&record, false, &sink));
	free(sink.data);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_has_everything_and_the_name),
	    cmocka_unit_test(json_of_a_childs_own_record_has_no_name),
	    cmocka_unit_test(stream_and_marks_stand_with_the_name),
	    cmocka_unit_test(fault_86_a_child_cannot_print_an_event),
	    cmocka_unit_test(fault_86_no_attribute_has_a_name_of_the_parents),
	    cmocka_unit_test(discarded_of_a_cut_line_keeps_its_name),
	    cmocka_unit_test(json_loses_no_record_over_a_bad_value),
	    cmocka_unit_test(text_is_for_people),
	    cmocka_unit_test(fault_86_nothing_in_a_record_reaches_the_terminal_as_a_command),
	    cmocka_unit_test(escape_sequences_of_the_record_are_escaped_in_color),
	    cmocka_unit_test(a_record_that_does_not_fit_leaves_nothing),
	    cmocka_unit_test(dotted_names_cannot_flood),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
