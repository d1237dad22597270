/* SPDX-License-Identifier: MIT */
/* Which conformance suite runs on a plugin, and with what. */
#include "cli/plugin/check_worker.h"

#include <stdio.h>

#include "conformance/auth.h"
#include "conformance/codec.h"
#include "conformance/transport.h"

static void tell(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	(void)promise;
	obi_check_worker_verdict(user, (int)verdict, why);
}

/* ---- Codecs ---- */

/* It is compared with a shipped codec, if that can be loaded. */
static void try_codec(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
		      const struct obi_check_settings *settings)
{
	const char *name = strcmp(plugin->name, "json") == 0 ? "msgpack" : "json";
	struct ob_plugin_info other = {.size = sizeof other};
	bool found = ob_plugin_find(worker->rt, OB_PLUGIN_CODEC, name, &other, NULL) == OB_OK &&
		     other.ops != plugin->ops;
	struct obi_conform_codec it = {
	    .ops = plugin->ops,
	    .other = found ? other.ops : NULL,
	    .host = ob_plugin_host(worker->rt),
	    .state = settings->state[0],
	    .begin = obi_check_worker_try,
	};
	(void)obi_conform_codec(&it, tell, worker);
}

/* ---- Transports ---- */

static void try_transport_at(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
			     const struct obi_check_settings *settings, const char *listen,
			     const char *dial)
{
	struct obi_conform_transport it = {
	    .ops = plugin->ops,
	    .host = ob_plugin_host(worker->rt),
	    .state = {settings->state[0], settings->state[1]},
	    .listen = listen,
	    .dial = dial != NULL && *dial != '\0' ? dial : NULL,
	    .begin = obi_check_worker_try,
	};
	worker->address = listen;
	(void)obi_conform_transport(&it, tell, worker);
	worker->address = "";
}

/* A scheme that ends in '+' stands for all schemes that begin like it. */
static bool is_of(const char *uri, const char *scheme)
{
	size_t len = strlen(scheme);
	return strncmp(uri, scheme, len) == 0 &&
	       (scheme[len - 1] == '+' || strncmp(uri + len, "://", 3) == 0);
}

/* An address that is safe to listen at on any machine. A wrapper ("x+tcp" or "x+") uses that of the
 * transport inside. */
static bool address_of(const struct obi_check_worker *worker, const char *scheme, char *uri,
		       size_t size)
{
	const char *plus = strrchr(scheme, '+');
	const char *inner = plus != NULL ? plus + 1 : scheme;
	if (strcmp(inner, "unix") == 0) {
		snprintf(uri, size, "%s://%s/s", scheme, worker->dir);
	} else if (strcmp(inner, "tcp") == 0 || *inner == '\0') {
		snprintf(uri, size, "%s%s://127.0.0.1:0", scheme, *inner == '\0' ? "tcp" : "");
	} else {
		return false;
	}
	return true;
}

/* Replace "{dir}" by the directory of the check. */
static void expand(const struct obi_check_worker *worker, const char *given, char *uri, size_t size)
{
	const char *mark = strstr(given, "{dir}");
	snprintf(uri, size, "%.*s%s%s", mark != NULL ? (int)(mark - given) : (int)strlen(given),
		 given, mark != NULL ? worker->dir : "",
		 mark != NULL ? mark + strlen("{dir}") : "");
}

static void try_scheme(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
		       const struct obi_check_settings *settings, const char *scheme)
{
	char uri[4300], dial[4300], why[128];
	bool given = false;
	for (char **at = worker->addresses; *at != NULL && at[1] != NULL; at += 2) {
		if (is_of(*at, scheme)) {
			expand(worker, *at, uri, sizeof uri);
			expand(worker, at[1], dial, sizeof dial);
			try_transport_at(worker, plugin, settings, uri, dial);
			given = true;
		}
	}
	if (!given && address_of(worker, scheme, uri, sizeof uri)) {
		try_transport_at(worker, plugin, settings, uri, NULL);
	} else if (!given && obi_check_worker_try(worker, "connects")) {
		snprintf(why, sizeof why,
			 "no address to listen at; give one with --listen %s://...", scheme);
		obi_check_worker_verdict(worker, OBI_VERDICT_SKIP, why);
	}
}

static void try_transport(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
			  const struct obi_check_settings *settings)
{
	for (const char *const *scheme = plugin->schemes; *scheme != NULL; scheme++) {
		try_scheme(worker, plugin, settings, *scheme);
	}
}

static void try_auth(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
		     const struct obi_check_settings *settings)
{
	struct obi_conform_auth it = {
	    .ops = plugin->ops,
	    .host = ob_plugin_host(worker->rt),
	    .state = {settings->state[0], settings->state[1]},
	    .begin = obi_check_worker_try,
	};
	(void)obi_conform_auth(&it, tell, worker);
}

void obi_check_worker_suite(struct obi_check_worker *worker, const struct ob_plugin_info *plugin)
{
	struct obi_check_settings settings;
	worker->kind = ob_plugin_kind_name(plugin->kind);
	worker->name = plugin->name;
	if (obi_check_settings_begin(worker, plugin, &settings)) {
		switch (plugin->kind) {
		case OB_PLUGIN_TRANSPORT:
			try_transport(worker, plugin, &settings);
			break;
		case OB_PLUGIN_CODEC:
			try_codec(worker, plugin, &settings);
			break;
		default:
			try_auth(worker, plugin, &settings);
			break;
		}
		obi_check_settings_end(&settings);
	}
	worker->kind = worker->name = "";
}
