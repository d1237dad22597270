/* SPDX-License-Identifier: MIT */
/* The helper process: which suite runs on a plugin, and with what. */
#include "cli/plugin/check_worker.h"

#include <stdio.h>
#include <unistd.h>

#include "conformance/auth.h"
#include "conformance/codec.h"
#include "conformance/transport.h"
#include "plugin/registry.h"

static void tell(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	obi_check_worker_verdict(user, promise, (int)verdict, why);
}

/* ---- Codecs ---- */

/* What it carries is compared with what one of ours carries, if that can be found. */
static void try_codec(struct obi_check_worker_run *run, const struct obi_plugin *plugin)
{
	const char *name = strcmp(plugin->name, "json") == 0 ? "msgpack" : "json";
	const struct obi_plugin *other = NULL;
	bool found =
	    obi_registry_codec(run->registry, name, &other, NULL) == OB_OK && other != plugin;
	struct obi_conform_codec it = {
	    .ops = &plugin->as.codec,
	    .other = found ? &other->as.codec : NULL,
	    .begin = obi_check_worker_try,
	};
	(void)obi_conform_codec(&it, tell, run);
}

/* ---- Transports ---- */

static void try_transport_at(struct obi_check_worker_run *run, const struct obi_plugin *plugin,
			     const char *listen, const char *dial)
{
	struct obi_conform_transport it = {
	    .ops = &plugin->as.transport,
	    .host = obi_registry_host(run->registry),
	    .listen = listen,
	    .dial = dial != NULL && *dial != '\0' ? dial : NULL,
	    .begin = obi_check_worker_try,
	};
	run->address = listen;
	(void)obi_conform_transport(&it, tell, run);
	run->address = "";
}

/* A claim that ends in '+' is for all schemes that begin so. */
static bool is_of(const char *uri, const char *scheme)
{
	size_t len = strlen(scheme);
	return strncmp(uri, scheme, len) == 0 &&
	       (scheme[len - 1] == '+' || strncmp(uri + len, "://", 3) == 0);
}

/* Where such a transport can listen on any machine and harm nobody. A wrapper, "x+tcp" or "x+",
 * goes where the one within can. */
static bool address_of(const struct obi_check_worker_run *run, const char *scheme, char *uri,
		       size_t size)
{
	const char *plus = strrchr(scheme, '+');
	const char *inner = plus != NULL ? plus + 1 : scheme;
	if (strcmp(inner, "unix") == 0) {
		snprintf(uri, size, "%s://%s/s", scheme, run->dir);
	} else if (strcmp(inner, "tcp") == 0 || *inner == '\0') {
		snprintf(uri, size, "%s%s://127.0.0.1:0", scheme, *inner == '\0' ? "tcp" : "");
	} else {
		return false;
	}
	return true;
}

/* "{dir}" in what was given stands for the trial's own directory. */
static void expand(const struct obi_check_worker_run *run, const char *given, char *uri,
		   size_t size)
{
	const char *mark = strstr(given, "{dir}");
	snprintf(uri, size, "%.*s%s%s", mark != NULL ? (int)(mark - given) : (int)strlen(given),
		 given, mark != NULL ? run->dir : "", mark != NULL ? mark + strlen("{dir}") : "");
}

static void try_scheme(struct obi_check_worker_run *run, const struct obi_plugin *plugin,
		       const char *scheme)
{
	char uri[4300], dial[4300], why[128];
	bool given = false;
	for (char **at = run->addresses; *at != NULL && at[1] != NULL; at += 2) {
		if (is_of(*at, scheme)) {
			expand(run, *at, uri, sizeof uri);
			expand(run, at[1], dial, sizeof dial);
			try_transport_at(run, plugin, uri, dial);
			given = true;
		}
	}
	if (!given && address_of(run, scheme, uri, sizeof uri)) {
		try_transport_at(run, plugin, uri, NULL);
	} else if (!given && obi_check_worker_try(run, "connects")) {
		snprintf(why, sizeof why, "say where it can listen: --listen %s://...", scheme);
		obi_check_worker_verdict(run, "", OBI_VERDICT_SKIP, why);
	}
}

static void try_transport(struct obi_check_worker_run *run, const struct obi_plugin *plugin)
{
	for (const char *const *scheme = plugin->as.transport.schemes; *scheme != NULL; scheme++) {
		try_scheme(run, plugin, *scheme);
	}
}

static void try_auth(struct obi_check_worker_run *run, const struct obi_plugin *plugin)
{
	struct obi_conform_auth it = {
	    .ops = &plugin->as.auth,
	    .host = obi_registry_host(run->registry),
	    .begin = obi_check_worker_try,
	};
	(void)obi_conform_auth(&it, tell, run);
}

void obi_check_worker_plugin(struct obi_check_worker_run *run, const struct obi_plugin *plugin)
{
	run->kind = obi_plugin_kind_text(plugin->kind);
	run->name = plugin->name;
	switch (plugin->kind) {
	case OB_PLUGIN_TRANSPORT:
		try_transport(run, plugin);
		break;
	case OB_PLUGIN_CODEC:
		try_codec(run, plugin);
		break;
	default:
		try_auth(run, plugin);
		break;
	}
	run->kind = run->name = "";
}
