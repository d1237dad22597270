/* SPDX-License-Identifier: MIT */
/* Who is let in by outboard.hello, as a table. */
#include "supervisor/hello_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define THIS  "00112233445566778899aabbccddeeff"
#define OTHER "ffeeddccbbaa99887766554433221100"
#define ONE   "11111111111111111111111111111111"
#define TWO   "22222222222222222222222222222222"

static const struct {
	const char *instance; /* that the parent knows */
	bool connected;
	const char *run; /* of the present connection */
	const char *says, *says_run;
	const char *refusal; /* NULL: let in */
} cases[] = {
    {THIS, false, "", THIS, ONE, NULL},
    {THIS, false, "", THIS, "", NULL},
    {THIS, false, ONE, THIS, TWO, NULL}, /* the first has gone */
    {THIS, true, ONE, THIS, ONE, NULL},	 /* its last connection is dead, unnoticed */
    {THIS, true, ONE, THIS, TWO, "another process of this instance is connected already"},
    {THIS, true, ONE, THIS, "", "no run id to compare"},
    {THIS, true, "", THIS, ONE, "no run id to compare"},
    {THIS, true, "", THIS, "", "no run id to compare"},
    {THIS, true, ONE, THIS, "1111", "no run id to compare"},
    {THIS, true, ONE, THIS, ONE "0", "no run id to compare"},
    {THIS, false, "", THIS, "no hex digits, though 32 letters", NULL},
    {THIS, false, "", OTHER, ONE, "an earlier start"},
    {THIS, true, ONE, OTHER, ONE, "an earlier start"},
    {THIS, false, "", THIS "0", ONE, "an earlier start"},
    {THIS, false, "", "", ONE, "names no instance"},
    {"", false, "", "", ONE, "no child is expected"},
    {NULL, false, "", THIS, ONE, "no child is expected"},
};

static void each_hello_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct obi_hello_known known = {.instance = cases[i].instance,
						.connected = cases[i].connected};
		char run[OBI_RUN_SIZE];
		struct ob_error err = {0};
		strcpy(known.run, cases[i].run);
		int r = obi_hello_judge(&known, ob_bytes_text(cases[i].says),
					ob_bytes_text(cases[i].says_run), run, &err);
		if (cases[i].refusal == NULL) {
			assert_int_equal(r, OB_OK);
			bool is_run = strspn(cases[i].says_run, "12") == 32;
			assert_string_equal(run, is_run ? cases[i].says_run : "");
		} else {
			assert_int_equal(r, OB_EPERM);
			assert_non_null(strstr(err.text, cases[i].refusal));
		}
	}
}

static const struct {
	const char *instance; /* that the parent knows */
	bool connected;
	const char *run; /* of the present connection */
	const char *says, *says_run;
	const char *refusal; /* NULL: let in */
} streams[] = {
    {THIS, true, ONE, THIS, ONE, NULL},
    {THIS, true, ONE, THIS, TWO, "of another process"},
    {THIS, true, ONE, THIS, "", "of another process"},
    {THIS, true, "", THIS, "", "of another process"},
    {THIS, false, ONE, THIS, ONE, "of another process"},
    {THIS, true, ONE, OTHER, ONE, "of another instance"},
    {THIS, true, ONE, "", ONE, "of another instance"},
    {"", true, ONE, "", ONE, "of another instance"},
    {NULL, true, ONE, THIS, ONE, "of another instance"},
};

static void each_stream_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		struct obi_hello_known known = {.instance = streams[i].instance,
						.connected = streams[i].connected};
		struct ob_error err = {0};
		strcpy(known.run, streams[i].run);
		int r = obi_hello_judge_stream(&known, ob_bytes_text(streams[i].says),
					       ob_bytes_text(streams[i].says_run), &err);
		assert_int_equal(r, streams[i].refusal == NULL ? OB_OK : OB_EPERM);
		if (streams[i].refusal != NULL) {
			assert_non_null(strstr(err.text, streams[i].refusal));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_hello_is_judged),
					   cmocka_unit_test(each_stream_is_judged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
