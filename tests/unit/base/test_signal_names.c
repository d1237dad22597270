/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/signal_names.h"

static void names_of_signals_and_limits_have_numbers(void **unused)
{
	(void)unused;
	assert_int_equal(obi_signal_number(ob_bytes_text("SIGTERM")), SIGTERM);
	assert_int_equal(obi_signal_number(ob_bytes_text("INT")), SIGINT);
	assert_int_equal(obi_signal_number(ob_bytes_text("KILL")), SIGKILL);
	assert_int_equal(obi_signal_number(ob_bytes_text("15")), 15);
	const char *bad[] = {"", "0", "65", "term", "SIG", "SIGSIGTERM", "-1", "1x", "015"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(obi_signal_number(ob_bytes_text(bad[i])), -1);
	}
	assert_int_equal(obi_rlimit_number(ob_bytes_text("nofile")), RLIMIT_NOFILE);
	assert_int_equal(obi_rlimit_number(ob_bytes_text("stack")), RLIMIT_STACK);
	assert_int_equal(obi_rlimit_number(ob_bytes_text("NOFILE")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_signals_and_limits_have_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
