/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/duration.h"

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} table[] = {
	    {"0s", 0},
	    {"250ms", 250},
	    {"2s", 2000},
	    {"1.5s", 1500},
	    {"0.001s", 1},
	    {"1.500000000s", 1500},
	    {"1m30s", 90000},
	    {"5m", 300000},
	    {"1h", 3600000},
	    {"1h2m3s4ms", 3723004},
	    {"1h4ms", 3600004},
	    {"0.25h", 900000},
	    {"90m", 5400000},
	    {"0000001s", 1000},
	    {"87840h", INT64_C(316224000000)},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int64_t ms = -1;
		print_message("%s\n", table[i].text);
		assert_int_equal(obi_duration_parse(ob_bytes_text(table[i].text), &ms, NULL),
				 OB_OK);
		assert_int_equal(ms, table[i].ms);
	}
}

static const char *const invalid_durations[] = {
    "",
    "0",
    "5",
    "s",
    "-1s",
    "+1s",
    "1 s",
    " 1s",
    "1s ",
    "1S",
    "1sec",
    "1d",
    "1.s",
    ".5s",
    "1..5s",
    "1e3s",
    "1s1m",
    "1s1s",
    "1ms1s",
    "0.5ms",
    "1.0005s",
    "0.1h1x",
    "1,5s",
    "\xc2\xb5s",
    "87841h",
    "87840h1ms",
    "9999999999999999s",
    "999999999999999h",
    "0.3333333333333h",
    "0.0000000000000001s",
};

static void refuses_invalid_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof invalid_durations / sizeof invalid_durations[0]; i++) {
		int64_t ms = -7;
		struct ob_error err = {0};
		print_message("%s\n", invalid_durations[i]);
		assert_int_equal(obi_duration_parse(ob_bytes_text(invalid_durations[i]), &ms, &err),
				 OB_EINVAL);
		assert_int_equal(ms, -7);
		assert_true(err.text[0] != '\0');
	}
}

static void written_text_reads_back_the_same(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} table[] = {
	    {0, "0s"},		{1, "1ms"},	      {250, "250ms"},
	    {1000, "1s"},	{1500, "1.5s"},	      {1050, "1.05s"},
	    {59999, "59.999s"}, {60000, "1m"},	      {90000, "1m30s"},
	    {3600000, "1h"},	{3600250, "1h250ms"}, {INT64_C(316224000000), "87840h"},
	    {5400000, "1h30m"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[32];
		int64_t ms = -1;
		obi_duration_text(table[i].ms, text, sizeof text);
		assert_string_equal(text, table[i].text);
		assert_int_equal(obi_duration_parse(ob_bytes_text(text), &ms, NULL), OB_OK);
		assert_int_equal(ms, table[i].ms);
	}
	for (int64_t ms = 1; ms < INT64_C(316224000000); ms = ms * 7 / 3 + 1) {
		char text[32];
		int64_t back = -1;
		obi_duration_text(ms, text, sizeof text);
		assert_int_equal(obi_duration_parse(ob_bytes_text(text), &back, NULL), OB_OK);
		assert_int_equal(back, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_durations),
	    cmocka_unit_test(refuses_invalid_durations),
	    cmocka_unit_test(written_text_reads_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
