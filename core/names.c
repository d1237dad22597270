/* SPDX-License-Identifier: MIT */
/* The names of numbers, and the library's own version. */
#include <outboard/outboard.h>

#define TEXT_(x) #x
#define TEXT(x)	 TEXT_(x)

const char *ob_version(void)
{
	return TEXT(OB_VERSION_MAJOR) "." TEXT(OB_VERSION_MINOR) "." TEXT(OB_VERSION_PATCH);
}

static const char *look_up(const char *const *names, size_t count, size_t i)
{
	return i < count && names[i] != NULL ? names[i] : "?";
}
#define LOOK_UP(names, i) look_up(names, sizeof(names) / sizeof(names)[0], (size_t)(i))

const char *ob_result_name(int code)
{
	static const char *const names[] = {
	    "OB_OK",	    "OB_EINVAL",    "OB_ENOMEM",  "OB_EIO",	 "OB_EAGAIN",	 "OB_EBUSY",
	    "OB_ETIMEDOUT", "OB_ECANCELED", "OB_EDEADLK", "OB_EREFUSED", "OB_ECONNLOST", "OB_EAUTH",
	    "OB_EPROTO",    "OB_ETOOBIG",   "OB_ENOENT",  "OB_EEXIST",	 "OB_EPERM",	 "OB_EDOWN",
	    "OB_EREMOTE",   "OB_EEXITED",   "OB_EPLUGIN", "OB_ENOTSUP",	 "OB_ECLOSED",
	};
	const char *name = code <= 0 && code > -64 ? LOOK_UP(names, -code) : "?";
	return name[0] == '?' ? "OB_?" : name;
}

const char *ob_event_name(uint32_t type)
{
	static const char *const names[] = {NULL,	  "starting", "ready",	 "unhealthy", "unresponsive", "exited",
					    "restarting", "failed",   "adopted", "detached",  "stopped"};
	return LOOK_UP(names, type);
}

const char *ob_state_name(uint32_t state)
{
	static const char *const names[] = {"idle",	"waiting", "starting", "adopting", "ready",
					    "stopping", "stopped", "backoff",  "failed",   "detached"};
	return LOOK_UP(names, state);
}

const char *ob_link_name(uint32_t link)
{
	static const char *const names[] = {"down", "dialing", "up", "unresponsive"};
	return LOOK_UP(names, link);
}
