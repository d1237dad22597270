/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/value.h"
#include "server/server.h"

/* Ask every probe; the reasons of those that say no, joined, in text. */
static bool is_healthy(const struct ob_server *s, char *text, size_t size)
{
	size_t len = 0;
	text[0] = '\0';
	bool healthy = true;
	for (const struct obi_probe *p = s->probes; p != NULL; p = p->next) {
		struct ob_error why = {0};
		if (p->fn(p->user, &why)) {
			continue;
		}
		healthy = false;
		int n = len < size
			    ? snprintf(text + len, size - len, "%s%s: %s", len > 0 ? "; " : "",
				       p->name, why.text[0] != '\0' ? why.text : "not healthy")
			    : 0;
		len += n > 0 ? (size_t)n : 0;
	}
	return healthy;
}

static void on_health(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	struct timespec now;
	char last_error[256];
	(void)params;
	bool healthy = is_healthy(s, last_error, sizeof last_error);
	obi_text_clean(last_error);
	clock_gettime(CLOCK_REALTIME, &now);
	ob_call_replyf(call, "{s:b,s:{s:I,s:I},s:i,s:I,s:s}", "healthy", healthy, "timestamp",
		       "seconds", (int64_t)now.tv_sec, "nanoseconds", (int64_t)now.tv_nsec, "pid",
		       (int)getpid(), "uptime", obi_clock_ns(CLOCK_BOOTTIME) - s->opened_ns,
		       "last_error", last_error);
}

/* True only if more is expected than we are; then we end, once the answer is out. */
static void on_check_version(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	uint64_t expected = 0;
	if (!ob_get_uint(ob_params_get(params, 0, "expected_version"), &expected)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS,
			     "expected_version must be a non-negative integer");
		return;
	}
	bool restart = expected > s->options.version;
	ob_call_replyf(call, "{s:U,s:b}", "current_version", s->options.version, "needs_restart",
		       restart);
	if (restart && obi_server_may_end(s, call)) {
		obi_server_end_after(s, call);
	}
}

static void on_interfaces(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	struct ob_builder b;
	struct ob_value list = ob_nil();
	(void)params;
	ob_builder_init(&b, &call->arena.ob);
	ob_build_array(&b);
	for (const struct obi_interface *i = s->interfaces.first; i != NULL; i = i->next) {
		ob_build_string(&b, i->name);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	ob_call_reply(call, &list);
}

static void on_shutdown(void *user, ob_call *call, const struct ob_value *params)
{
	(void)params;
	ob_call_reply(call, NULL);
	obi_server_end_after(user, call);
}

int obi_control_expose(struct ob_server *s, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {
	    {"health", on_health},
	    {"checkVersion", on_check_version},
	    {"interfaces", on_interfaces},
	    {"shutdown", on_shutdown},
	    {NULL, NULL},
	};
	return obi_interfaces_add(&s->interfaces, "outboard-control", methods, s, reterr);
}
