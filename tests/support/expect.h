/* SPDX-License-Identifier: MIT */
/* support/expect - the result of a call, checked together with its error. */
#ifndef OB_TESTS_SUPPORT_EXPECT_H
#define OB_TESTS_SUPPORT_EXPECT_H

#include <outboard/abi.h>

/* The test fails unless code is want and, where text is not NULL, err's text contains it. */
void expect(int code, int want, const struct ob_error *err, const char *text);

#endif
