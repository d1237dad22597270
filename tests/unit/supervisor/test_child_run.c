/* SPDX-License-Identifier: MIT */
/* Which process answers, by what it says. */
#include "supervisor/child_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define RUN   "0123456789abcdef0123456789ABCDEF"
#define OTHER "fedcba9876543210fedcba9876543210"

static struct obi_child_run run_of(const char *id, int32_t pid, int64_t uptime_ms)
{
	struct obi_child_run run = {.pid = pid, .uptime_ms = uptime_ms};
	snprintf(run.id, sizeof run.id, "%s", id);
	return run;
}

static void expect_change(struct obi_child_run before, struct obi_child_run now,
			  enum obi_run_change want, const char *text)
{
	char why[128];
	assert_int_equal(obi_child_run_compare(&before, &now, why), want);
	assert_non_null(strstr(why, text));
	assert_int_equal(why[0] == '\0', want == OBI_RUN_SAME);
}

static void with_a_run_only_the_run_makes_another_process(void **unused)
{
	(void)unused;
	expect_change(run_of(RUN, 5, 100), run_of(RUN, 5, 100), OBI_RUN_SAME, "");
	expect_change(run_of(RUN, 5, 100), run_of(RUN, 6, 200), OBI_RUN_SAME, "");
	expect_change(run_of(RUN, 5, 100), run_of(RUN, 0, 0), OBI_RUN_SAME, "");
	expect_change(run_of(RUN, 5, 100), run_of(OTHER, 5, 200), OBI_RUN_REPLACED, "run id");
	expect_change(run_of(RUN, 5, 100), run_of(OTHER, 5, 50), OBI_RUN_REPLACED, "run id");
	expect_change(run_of(RUN, 5, 100), run_of(RUN, 5, 99), OBI_RUN_REWOUND,
		      "the same process answers: its uptime went back from 100 ms to 99 ms");
}

static void a_process_neither_gets_nor_loses_a_run(void **unused)
{
	(void)unused;
	expect_change(run_of(RUN, 5, 100), run_of("", 5, 200), OBI_RUN_REPLACED, "lacks a run id");
	expect_change(run_of("", 5, 100), run_of(RUN, 5, 200), OBI_RUN_REPLACED, "has a run id");
}

static void without_a_run_the_pid_and_the_uptime_tell(void **unused)
{
	(void)unused;
	expect_change(run_of("", 5, 100), run_of("", 5, 200), OBI_RUN_SAME, "");
	expect_change(run_of("", 5, 100), run_of("", 6, 200), OBI_RUN_REPLACED, "was 5 and is 6");
	expect_change(run_of("", 5, 100), run_of("", 5, 99), OBI_RUN_REPLACED, "another process");
	/* What is not known is not compared. */
	expect_change(run_of("", 5, 100), run_of("", 0, 200), OBI_RUN_SAME, "");
	expect_change(run_of("", 0, 100), run_of("", 5, 200), OBI_RUN_SAME, "");
	expect_change(run_of("", 5, 100), run_of("", 5, 0), OBI_RUN_SAME, "");
	expect_change(run_of("", 5, 0), run_of("", 5, 1), OBI_RUN_SAME, "");
}

static void nothing_is_compared_with_nothing(void **unused)
{
	(void)unused;
	expect_change(run_of("", 0, 0), run_of(RUN, 5, 100), OBI_RUN_SAME, "");
	expect_change(run_of("", 0, 0), run_of("", 5, 100), OBI_RUN_SAME, "");
}

/* ---- Reading ---- */

static struct obi_child_run read_member(const char *key, struct ob_value value, bool is_known)
{
	struct ob_pair members[] = {{ob_string("healthy"), ob_bool(true)}, {ob_string(key), value}};
	struct ob_value map = ob_map(members, 2);
	struct obi_child_run run = {.pid = 77};
	assert_int_equal(obi_child_run_read(&map, &run), is_known);
	return run;
}

static void good_values_are_read(void **unused)
{
	(void)unused;
	assert_string_equal(read_member("run", ob_string(RUN), true).id, RUN);
	assert_int_equal(read_member("pid", ob_int(1), true).pid, 1);
	assert_int_equal(read_member("pid", ob_uint(INT32_MAX), true).pid, INT32_MAX);
	/* A process that is younger than a millisecond has an uptime, too. */
	assert_int_equal(read_member("uptime", ob_int(0), true).uptime_ms, 1);
	assert_int_equal(read_member("uptime", ob_int(5999999), true).uptime_ms, 6);
	assert_int_equal(read_member("uptime", ob_uint(UINT64_MAX), true).uptime_ms,
			 (int64_t)(UINT64_MAX / 1000000) + 1);
}

static void bad_values_are_not_known(void **unused)
{
	(void)unused;
	const struct ob_value runs[] = {ob_string(""),	     ob_string("0123"),	   ob_int(5),
					ob_string(RUN "0"),  ob_string("g" OTHER), ob_nil(),
					ob_stringn(RUN, 31), ob_array(NULL, 0)};
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
		assert_string_equal(read_member("run", runs[i], false).id, "");
	}
	const struct ob_value numbers[] = {ob_int(-1),	   ob_int(INT64_MIN), ob_double(1.5),
					   ob_string("7"), ob_nil(),	      ob_bool(true)};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		assert_int_equal(read_member("pid", numbers[i], false).pid, 0);
		assert_int_equal(read_member("uptime", numbers[i], false).uptime_ms, 0);
	}
	read_member("pid", ob_uint((uint64_t)INT32_MAX + 1), false);
	read_member("pid", ob_uint(UINT64_MAX), false);
	struct obi_child_run run;
	struct ob_value text = ob_string(RUN), nil = ob_nil();
	assert_false(obi_child_run_read(&text, &run));
	assert_false(obi_child_run_read(&nil, &run));
	assert_false(obi_child_run_read(NULL, &run));
}

static void the_inner_pid_is_shown_where_it_differs(void **unused)
{
	(void)unused;
	struct obi_child_run run = run_of(RUN, 5, 1);
	assert_int_equal(obi_child_run_inner_pid(&run, 4), 5);
	assert_int_equal(obi_child_run_inner_pid(&run, 5), 0);
	assert_int_equal(obi_child_run_inner_pid(&run, 0), 0);
	run.pid = 0;
	assert_int_equal(obi_child_run_inner_pid(&run, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(with_a_run_only_the_run_makes_another_process),
	    cmocka_unit_test(a_process_neither_gets_nor_loses_a_run),
	    cmocka_unit_test(without_a_run_the_pid_and_the_uptime_tell),
	    cmocka_unit_test(nothing_is_compared_with_nothing),
	    cmocka_unit_test(good_values_are_read),
	    cmocka_unit_test(bad_values_are_not_known),
	    cmocka_unit_test(the_inner_pid_is_shown_where_it_differs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
