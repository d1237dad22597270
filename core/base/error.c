/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>

static const char *sys_text(int sys)
{
	const char *text = strerrordesc_np(sys);
	return text != NULL ? text : "unknown error";
}

int obi_failv(struct ob_error *reterr, int code, int sys, const char *format, va_list args)
{
	if (reterr == NULL) {
		return code;
	}
	reterr->code = code;
	reterr->sys = sys;
	reterr->remote_code = 0;
	int n = vsnprintf(reterr->text, sizeof reterr->text, format, args);
	if (sys != 0 && n >= 0 && (size_t)n < sizeof reterr->text) {
		snprintf(reterr->text + n, sizeof reterr->text - (size_t)n, ": %s", sys_text(sys));
	}
	return code;
}

int obi_fail(struct ob_error *reterr, int code, int sys, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	obi_failv(reterr, code, sys, format, args);
	va_end(args);
	return code;
}

int obi_wrap(struct ob_error *err, const char *format, ...)
{
	char was[sizeof err->text];
	if (err == NULL) {
		return OB_EINVAL;
	}
	memcpy(was, err->text, sizeof was);
	va_list args;
	va_start(args, format);
	int n = vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof err->text) {
		size_t room = sizeof err->text - (size_t)n;
		snprintf(err->text + n, room, ": %.*s", (int)room, was);
	}
	return err->code;
}

int obi_code_of_errno(int sys)
{
	switch (sys) {
	case 0:
		return OB_OK;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
		return OB_ENOMEM;
	case EAGAIN:
		return OB_EAGAIN;
	case ENOENT:
		return OB_ENOENT;
	case EEXIST:
	case EADDRINUSE:
		return OB_EEXIST;
	case EACCES:
	case EPERM:
		return OB_EPERM;
	case EINVAL:
	case ENAMETOOLONG:
		return OB_EINVAL;
	case ECONNREFUSED:
		return OB_EREFUSED;
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
		return OB_ECONNLOST;
	case ETIMEDOUT:
		return OB_ETIMEDOUT;
	default:
		return OB_EIO;
	}
}
