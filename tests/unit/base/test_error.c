/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the headers above first */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void every_errno_has_a_code(void **state)
{
	static const struct {
		int sys, code;
	} table[] = {
	    {0, OB_OK},
	    {ENOMEM, OB_ENOMEM},
	    {EMFILE, OB_ENOMEM},
	    {ENFILE, OB_ENOMEM},
	    {ENOBUFS, OB_ENOMEM},
	    {EAGAIN, OB_EAGAIN},
	    {ENOENT, OB_ENOENT},
	    {EEXIST, OB_EEXIST},
	    {EADDRINUSE, OB_EEXIST},
	    {EACCES, OB_EPERM},
	    {EPERM, OB_EPERM},
	    {EINVAL, OB_EINVAL},
	    {ENAMETOOLONG, OB_EINVAL},
	    {ECONNREFUSED, OB_EREFUSED},
	    {ECONNRESET, OB_ECONNLOST},
	    {EPIPE, OB_ECONNLOST},
	    {ENOTCONN, OB_ECONNLOST},
	    {ETIMEDOUT, OB_ETIMEDOUT},
	    {EIO, OB_EIO},
	    {ENOSPC, OB_EIO},
	    {99999, OB_EIO},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(obi_code_of_errno(table[i].sys), table[i].code);
	}
}

static void an_error_has_the_text_of_its_errno(void **state)
{
	struct ob_error err = {.remote_code = 7};
	(void)state;
	assert_int_equal(obi_fail(&err, OB_EPERM, EACCES, "opening %s", "x"), OB_EPERM);
	assert_int_equal(err.code, OB_EPERM);
	assert_int_equal(err.sys, EACCES);
	assert_int_equal(err.remote_code, 0);
	assert_string_equal(err.text, "opening x: Permission denied");
	obi_fail(&err, OB_EIO, 99999, "opening");
	assert_string_equal(err.text, "opening: unknown error");
	obi_fail(&err, OB_EBUSY, 0, "busy");
	assert_string_equal(err.text, "busy");
}

static void the_error_may_be_null(void **state)
{
	(void)state;
	assert_int_equal(obi_fail(NULL, OB_EBUSY, EBUSY, "busy"), OB_EBUSY);
	assert_int_equal(obi_wrap(NULL, "more"), OB_EINVAL);
}

static void a_prefix_keeps_the_code(void **state)
{
	struct ob_error err;
	(void)state;
	obi_fail(&err, OB_ENOENT, ENOENT, "opening y");
	assert_int_equal(obi_wrap(&err, "reading the config of %s", "c"), OB_ENOENT);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.text,
			    "reading the config of c: opening y: No such file or directory");
}

/* A text that is too long is cut, and ends with a NUL. */
static void long_texts_are_cut(void **state)
{
	struct ob_error err;
	char text[2 * sizeof err.text];
	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	obi_fail(&err, OB_EIO, EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	obi_fail(&err, OB_EIO, 0, "short");
	obi_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	obi_fail(&err, OB_EIO, 0, "%s", text);
	obi_wrap(&err, "before");
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_memory_equal(err.text, "before: aaa", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_errno_has_a_code),
	    cmocka_unit_test(an_error_has_the_text_of_its_errno),
	    cmocka_unit_test(the_error_may_be_null),
	    cmocka_unit_test(a_prefix_keeps_the_code),
	    cmocka_unit_test(long_texts_are_cut),
	};
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
