/* SPDX-License-Identifier: MIT */
#include "support/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <outboard/runtime.h>
#include <string.h>

void expect(int code, int want, const struct ob_error *err, const char *text)
{
	if (code != want || (text != NULL && strstr(err->text, text) == NULL)) {
		fail_msg("%s \"%s\", wanted %s \"%s\"", ob_result_name(code),
			 code < 0 ? err->text : "", ob_result_name(want), text != NULL ? text : "");
	}
}
