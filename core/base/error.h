/* SPDX-License-Identifier: MIT */
/* base/error - a code for the program, and one line of text for a person. */
#ifndef OBI_BASE_ERROR_H
#define OBI_BASE_ERROR_H

#include <outboard/abi.h>

/* Fill *reterr (may be NULL) and return code. sys, if not 0, is an errno whose text is appended as
 * ": text". */
int obi_fail(struct ob_error *reterr, int code, int sys, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int obi_failv(struct ob_error *reterr, int code, int sys, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

/* Prefix the error's text with "prefix: ", and return its code. For callers that can add
 * context. */
int obi_wrap(struct ob_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The OB_E... code for the errno of a file or socket call; OB_EIO if there is no closer one. */
int obi_code_of_errno(int sys);

#endif
