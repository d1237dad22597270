/* SPDX-License-Identifier: MIT */
#include "server/control.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/value.h"

struct obi_probe {
	struct obi_probe *next;
	ob_probe_fn *fn;
	void *user;
	char name[];
};

/* Ask every probe. text gets the joined reasons of those that fail. */
static bool is_healthy(const struct obi_control *control, char *text, size_t size)
{
	size_t len = 0;
	text[0] = '\0';
	bool healthy = true;
	for (const struct obi_probe *p = control->probes; p != NULL; p = p->next) {
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
	struct obi_control *control = user;
	struct timespec now;
	char last_error[256];
	(void)params;
	bool healthy = is_healthy(control, last_error, sizeof last_error);
	obi_text_clean(last_error);
	clock_gettime(CLOCK_REALTIME, &now);
	ob_call_replyf(call, "{s:b,s:{s:I,s:I},s:i,s:I,s:s,s:s}", "healthy", healthy, "timestamp",
		       "seconds", (int64_t)now.tv_sec, "nanoseconds", (int64_t)now.tv_nsec, "pid",
		       (int)getpid(), "uptime", obi_clock_ns(CLOCK_BOOTTIME) - control->opened_ns,
		       "last_error", last_error, "run", control->run);
}

/* A restart is needed only if a newer version is expected. Then the server ends, after the answer
 * was written. */
static void on_check_version(void *user, ob_call *call, const struct ob_value *params)
{
	struct obi_control *control = user;
	uint64_t expected = 0;
	if (!ob_get_uint(ob_params_get(params, 0, "expected_version"), &expected)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS,
			     "expected_version must be a non-negative integer");
		return;
	}
	bool restart = expected > control->version;
	ob_call_replyf(call, "{s:U,s:b}", "current_version", control->version, "needs_restart",
		       restart);
	if (restart && obi_connections_may_end(control->connections, call)) {
		obi_connections_end_after(control->connections, call);
	}
}

static void on_interfaces(void *user, ob_call *call, const struct ob_value *params)
{
	struct obi_control *control = user;
	struct ob_builder b;
	struct ob_value list = ob_nil();
	(void)params;
	ob_builder_init(&b, &call->arena.ob);
	ob_build_array(&b);
	for (const struct obi_interface *i = control->connections->interfaces.first; i != NULL;
	     i = i->next) {
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
	struct obi_control *control = user;
	(void)params;
	ob_call_reply(call, NULL);
	obi_connections_end_after(control->connections, call);
}

static void on_logs(void *user, ob_call *call, const struct ob_value *params)
{
	struct obi_control *control = user;
	if (control->logs == NULL) {
		ob_call_fail(call, OB_RPC_NO_METHOD,
			     "logs are not kept here: they are written to stdout");
		return;
	}
	obi_kept_logs_call(control->logs, call, params);
}

static int keep_logs(struct obi_control *control, struct ob_logger *logger,
		     const struct ob_config *config, uint32_t log_bytes, struct ob_error *reterr)
{
	const struct obi_kept_logs_setup setup = {
	    .loop = control->connections->rt->loop,
	    .logger = logger,
	    .run = control->run,
	    .bytes = log_bytes,
	    .message_max = control->connections->limits.message,
	};
	return obi_kept_logs_new(&setup, config, &control->logs, reterr);
}

int obi_control_expose(struct obi_control *control, struct ob_logger *logger,
		       const struct ob_config *config, uint32_t log_bytes, struct ob_error *reterr)
{
	unsigned char run[16];
	static const struct ob_method methods[] = {
	    {"health", on_health},	   {"checkVersion", on_check_version},
	    {"interfaces", on_interfaces}, {"logs", on_logs},
	    {"shutdown", on_shutdown},	   {NULL, NULL},
	};
	randombytes_buf(run, sizeof run);
	sodium_bin2hex(control->run, sizeof control->run, run, sizeof run);
	control->opened_ns = obi_clock_ns(CLOCK_BOOTTIME);
	int r = obi_interfaces_add(&control->connections->interfaces, "outboard-control", methods,
				   control, reterr);
	return r == OB_OK ? keep_logs(control, logger, config, log_bytes, reterr) : r;
}

int obi_control_add_probe(struct obi_control *control, const char *name, ob_probe_fn *fn,
			  void *user, struct ob_error *reterr)
{
	size_t len = strlen(name);
	struct obi_probe *probe = malloc(sizeof *probe + len + 1);
	if (probe == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*probe = (struct obi_probe){control->probes, fn, user};
	memcpy(probe->name, name, len + 1);
	control->probes = probe;
	return OB_OK;
}

void obi_control_free(struct obi_control *control)
{
	while (control->probes != NULL) {
		struct obi_probe *next = control->probes->next;
		free(control->probes);
		control->probes = next;
	}
}
