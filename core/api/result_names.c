/* SPDX-License-Identifier: MIT */
/* The names of result codes, and the library's own version. */
#include <outboard/outboard.h>

#define TEXT_(x) #x
#define TEXT(x)	 TEXT_(x)

const char *ob_version(void)
{
	return TEXT(OB_VERSION_MAJOR) "." TEXT(OB_VERSION_MINOR) "." TEXT(OB_VERSION_PATCH);
}

const char *ob_result_name(int code)
{
	static const char *const names[] = {
	    "OB_OK",	    "OB_EINVAL",    "OB_ENOMEM",  "OB_EIO",	 "OB_EAGAIN",	 "OB_EBUSY",
	    "OB_ETIMEDOUT", "OB_ECANCELED", "OB_EDEADLK", "OB_EREFUSED", "OB_ECONNLOST", "OB_EAUTH",
	    "OB_EPROTO",    "OB_ETOOBIG",   "OB_ENOENT",  "OB_EEXIST",	 "OB_EPERM",	 "OB_EDOWN",
	    "OB_EREMOTE",   "OB_EEXITED",   "OB_EPLUGIN", "OB_ENOTSUP",	 "OB_ECLOSED",
	};
	const int count = (int)(sizeof names / sizeof names[0]);
	return code <= 0 && -code < count ? names[-code] : "OB_?";
}
