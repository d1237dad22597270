/* SPDX-License-Identifier: MIT */
/* What the text of a config cannot tell: asked of the system, the plugins and the library. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/uri.h"
#include "cli/config/load.h"
#include "process/environ.h"
#include "process/user.h"
#include "api/connector.h"
#include "api/runtime.h"

/* The children of a config are told of one by one. */
struct child {
	const struct ob_connector_options *options;
	struct obi_faults *faults;
	struct obi_faults *warnings;
	ob_runtime *rt;
};

static void note(const struct child *c, struct obi_faults *where, const char *key,
		 const char *reason)
{
	char path[256];
	snprintf(path, sizeof path, "children.%s%s%s", c->options->name, *key != '\0' ? "." : "",
		 key);
	obi_faults_add(where, path, reason);
}

static void fault(const struct child *c, const char *key, const char *reason)
{
	note(c, c->faults, key, reason);
}

/* ---- Users ---- */

static void verify_user(const struct child *c)
{
	struct ob_connector_options user_only = *c->options;
	struct obi_user user;
	struct ob_error err;
	user_only.group = NULL;
	if (user_only.user != NULL && obi_spawn_user(&user_only, &user, &err) < 0) {
		fault(c, "user", err.text);
	} else if (c->options->group != NULL && obi_spawn_user(c->options, &user, &err) < 0) {
		fault(c, "group", err.text);
	}
}

/* ---- Plugins ---- */

/* Whether there is one for the address: that of this name, or, where that is NULL, of its scheme.
 */
static void verify_transport(const struct child *c, const char *key, const char *name,
			     const char *address)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, 64 * 1024);
	int r = obi_uri_parse(address, &arena.ob, &uri, &err);
	r = r == OB_OK ? obi_registry_transport(c->rt->registry, name, uri.scheme, &plugin, &err)
		       : r;
	if (r < 0) {
		fault(c, key, err.text);
	}
	obi_arena_free(&arena);
}

/* `transport` is for the address whose scheme it claims, and must be for one. */
static void verify_transports(const struct child *c)
{
	const struct ob_connector_options *o = c->options;
	const char *listen = o->listen != NULL ? o->listen : "unix:///",
		   *connect = o->connect != NULL ? o->connect : listen;
	const char *hears = obi_endpoint_transport_of(c->rt, o->transport, listen);
	const char *dials = obi_endpoint_transport_of(c->rt, o->transport, connect);
	verify_transport(c, "listen", hears, listen);
	if (o->connect != NULL) {
		verify_transport(c, "connect", dials, connect);
	}
	if (o->transport != NULL && hears == NULL && dials == NULL) {
		verify_transport(c, "transport", o->transport, connect);
	}
}

static void verify_plugins(const struct child *c)
{
	const struct ob_connector_options *o = c->options;
	const struct obi_plugin *plugin;
	struct ob_error err;
	verify_transports(c);
	if (obi_registry_codec(c->rt->registry, o->codec != NULL ? o->codec : "msgpack", &plugin,
			       &err) < 0) {
		fault(c, "codec", err.text);
	}
	for (const char *const *name = o->auth; name != NULL && *name != NULL; name++) {
		if (obi_registry_auth(c->rt->registry, *name, &plugin, &err) < 0) {
			fault(c, "auth", err.text);
		}
	}
}

/* ---- The whole ---- */

/* The kernel shows this user in place of any that has no number in a user namespace. */
enum { OVERFLOW_UID = 65534 };

static bool has_mechanism(const struct obi_endpoint *ep, const char *name)
{
	for (uint32_t i = 0; i < ep->auth.count; i++) {
		if (strcmp(ep->mechanisms[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void judge_connector(const struct child *c, const struct ob_connector *connector)
{
	if (connector->settings.child_uid == OVERFLOW_UID &&
	    has_mechanism(&connector->endpoint, "peercred")) {
		fault(c, "user",
		      "is 65534, which stands for any unknown user: peercred refuses it, so leave "
		      "that out of auth");
	}
	if (connector->endpoint.plaintext) {
		note(c, c->warnings, "allow_plaintext",
		     "what crosses this transport is not encrypted: who can reach it can read and "
		     "change it");
	}
}

/* What is left is for the library to say: it judges options as it will when the child is started.
 */
static void verify_connector(const struct child *c)
{
	ob_connector *connector;
	struct ob_error err;
	if (ob_connector_new(c->rt, c->options, &connector, &err) == OB_OK) {
		judge_connector(c, connector);
		ob_connector_close(connector);
		return;
	}
	fault(c, err.code == OB_EPERM ? "auth" : "", err.text);
}

static void verify_place(const struct child *c, const char *root)
{
	static const char *const taken[] = {"", "/" OBI_ROOT_SOCKET, "/" OBI_ROOT_LOCK,
					    "/" OBI_ROOT_RECORD};
	size_t len = strlen(root);
	if (strncmp(c->options->data_path, root, len) != 0) {
		return;
	}
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		if (strcmp(c->options->data_path + len, taken[i]) == 0) {
			fault(c, "data_path", "is where outboard run keeps its own files");
		}
	}
}

void obi_config_check(ob_runtime *rt, const struct obi_run_config *config,
		      struct obi_faults *faults, struct obi_faults *warnings)
{
	if (config->data_root == NULL) {
		obi_faults_add(faults, "data_root",
			       "must be there: outboard run keeps its socket and its record in it");
	}
	for (uint32_t i = 0; i < config->count; i++) {
		struct child c = {&config->children[i], faults, warnings, rt};
		uint32_t before = faults->count;
		if (config->data_root != NULL) {
			verify_place(&c, config->data_root);
		}
		verify_user(&c);
		verify_plugins(&c);
		if (faults->count == before) {
			verify_connector(&c);
		}
	}
}

/* ---- Files ---- */

static void verify_command(const struct child *c)
{
	struct obi_arena arena;
	struct ob_error err;
	const char *file;
	obi_arena_init(&arena, 64 * 1024);
	int r = obi_environ_find(c->options->argv[0], &arena, &file, &err);
	if (r == OB_OK && access(file, X_OK) < 0) {
		r = obi_fail(&err, OB_ENOENT, errno, "%s", file);
	}
	if (r < 0) {
		fault(c, "command", err.text);
	}
	obi_arena_free(&arena);
}

static void verify_other_files(const struct child *c)
{
	struct stat st;
	if (c->options->cwd != NULL && (stat(c->options->cwd, &st) < 0 || !S_ISDIR(st.st_mode))) {
		fault(c, "cwd", "is no directory");
	}
	if (c->options->stdin_path != NULL && access(c->options->stdin_path, R_OK) < 0) {
		fault(c, "stdin", "is not there, or cannot be read");
	}
}

void obi_config_check_files(const struct obi_run_config *config, struct obi_faults *faults)
{
	for (uint32_t i = 0; i < config->count; i++) {
		struct child c = {&config->children[i], faults, NULL, NULL};
		verify_command(&c);
		verify_other_files(&c);
	}
}
