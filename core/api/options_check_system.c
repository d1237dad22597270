/* SPDX-License-Identifier: MIT */
/* What the options of a connector refer to: users, plugins and files; and what every start needs of
 * the machine. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/cgroup_options.h"
#include "api/connector.h"
#include "api/dial_home.h"
#include "api/options_check.h"
#include "api/options_expand.h"
#include "base/error.h"
#include "base/id_map.h"
#include "base/proc_mount.h"
#include "base/options.h"
#include "base/uri.h"
#include "process/environ.h"
#include "files/token_file.h"
#include "process/kernel_calls.h"
#include "process/user.h"

enum { EXPANDED_MAX = 64 << 20 };

struct checking {
	struct ob_runtime *rt;
	const struct ob_connector_options *options;
	struct obi_option_faults *faults;
};

static void error(const struct checking *c, const char *option, const char *reason)
{
	obi_option_fault(c->faults, OB_FAULT_ERROR, option, "%s", reason);
}

/* ---- Users ---- */

static void check_user(const struct checking *c)
{
	const struct ob_connector_options *o = c->options;
	struct obi_user user;
	struct ob_error err;
	uint32_t uid;
	if (o->user != NULL && obi_user_number(o->user, &uid, &err) < 0) {
		error(c, "user", err.text);
	} else if (obi_child_user(o, &user, &err) < 0) {
		error(c, o->group != NULL ? "group" : "user", err.text);
	} else {
		obi_options_check_paths(o, &user, c->faults);
	}
}

static void check_peers(const struct checking *c, const char *option, const char *const *names,
			int (*number)(const char *name, uint32_t *ret, struct ob_error *reterr))
{
	struct ob_error err;
	uint32_t id;
	size_t count = 0;
	for (; names != NULL && names[count] != NULL; count++) {
		if (number(names[count], &id, &err) < 0) {
			error(c, option, err.text);
		}
	}
	if (count > OBI_PEERS_MAX) {
		obi_option_fault(c->faults, OB_FAULT_ERROR, option, "more than %d", OBI_PEERS_MAX);
	}
}

/* ---- Plugins ---- */

/* The plugin for an address: the one of this name, or (name NULL) the one of its scheme. */
static void check_transport(const struct checking *c, const char *option, const char *name,
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
		error(c, option, err.text);
	}
	obi_arena_free(&arena);
}

/* The option transport is for the address whose scheme the plugin claims: for one at least. */
static void check_transports(const struct checking *c)
{
	const struct ob_connector_options *o = c->options;
	bool home = obi_options_dial_home(o) && o->accept != NULL;
	const char *listen = o->listen != NULL ? o->listen : home ? o->accept : "unix:///";
	const char *connect = home ? o->accept : o->connect != NULL ? o->connect : listen;
	const char *listens = obi_endpoint_transport_of(c->rt, o->transport, listen);
	const char *dials = obi_endpoint_transport_of(c->rt, o->transport, connect);
	if (o->listen != NULL || !home) {
		check_transport(c, "listen", listens, listen);
	}
	if (home || o->connect != NULL) {
		check_transport(c, home ? "accept" : "connect", dials, connect);
	}
	if (o->client_listen != NULL) {
		check_transport(c,
				o->client_transport != NULL ? "client_transport" : "client_listen",
				o->client_transport, o->client_listen);
	}
	if (o->transport != NULL && listens == NULL && dials == NULL) {
		check_transport(c, "transport", o->transport, connect);
	}
}

static void check_list(const struct checking *c, const char *option, const char *const *list)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	for (; list != NULL && *list != NULL; list++) {
		if (obi_registry_auth(c->rt->registry, *list, &plugin, &err) < 0) {
			error(c, option, err.text);
		}
	}
}

static void check_plugins(const struct checking *c)
{
	const struct ob_connector_options *o = c->options;
	const struct obi_plugin *plugin;
	struct ob_error err;
	obi_enter(c->rt);
	check_transports(c);
	if (obi_registry_codec(c->rt->registry, o->codec != NULL ? o->codec : "msgpack", &plugin,
			       &err) < 0) {
		error(c, "codec", err.text);
	}
	check_list(c, "auth", o->auth);
	check_list(c, "client_auth", o->client_auth);
	obi_leave(c->rt);
}

/* ---- Together ---- */

static bool has_mechanism(const struct obi_endpoint *ep, const char *name)
{
	for (uint32_t i = 0; i < ep->auth.count; i++) {
		if (strcmp(ep->mechanisms[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void warn_of_plaintext(const struct checking *c, const char *what)
{
	obi_option_fault(c->faults, OB_FAULT_WARNING, "allow_plaintext",
			 "%s not encrypted: anyone on the network path can read and change the "
			 "data",
			 what);
}

static void check_connector(const struct checking *c, const struct ob_connector *connector)
{
	bool peercred = has_mechanism(&connector->endpoint, "peercred");
	if (c->options->argv != NULL && c->options->via == NULL) {
		obi_options_check_sandbox(c->options, connector->settings.child_uid, peercred,
					  c->faults);
	}
	if (connector->settings.child_uid == OBI_OVERFLOW_ID && peercred) {
		error(c, c->options->run_as != NULL ? "run_as" : "user",
		      "is 65534, the id for unknown users, which peercred refuses: use another "
		      "user, or remove peercred from auth");
	}
	if (connector->endpoint.plaintext) {
		warn_of_plaintext(c, "the connection is");
	}
}

/*
 * The plugins for clients are configured by the child, so their settings are tried here only if the
 * child runs here. As another user it may be able to read other files.
 */
static void try_settings(const struct checking *c, struct obi_endpoint *clients)
{
	struct obi_user user;
	struct ob_error err;
	if (c->options->connect != NULL || c->options->accept != NULL ||
	    obi_endpoint_configure(clients, c->options->child_settings, &err) == OB_OK) {
		return;
	}
	if (obi_child_user(c->options, &user, NULL) == OB_OK && user.uid == geteuid()) {
		error(c, "client_auth", err.text);
	} else {
		obi_option_fault(c->faults, OB_FAULT_WARNING, "client_auth",
				 "%s (tried as another user than the child's)", err.text);
	}
}

static void check_clients(const struct checking *c)
{
	struct obi_endpoint clients;
	struct ob_error err;
	obi_enter(c->rt);
	if (obi_endpoint_of_clients(c->rt, c->options, &clients, &err) < 0) {
		error(c, "client_auth", err.text);
	} else {
		try_settings(c, &clients);
		if (clients.plaintext) {
			warn_of_plaintext(c, "connections of clients are");
		}
	}
	obi_endpoint_clear(&clients);
	obi_leave(c->rt);
}

/* What is left is which mechanisms may be combined: the constructor knows. The list for clients is
 * checked apart. */
static void check_together(const struct checking *c)
{
	struct ob_connector_options options = *c->options;
	ob_connector *connector;
	struct ob_error err;
	options.client_listen = options.client_transport = NULL;
	options.client_auth = NULL;
	if (ob_connector_new(c->rt, &options, &connector, &err) == OB_OK) {
		check_connector(c, connector);
		ob_connector_close(connector);
	} else {
		bool of_token = strncmp(err.text, "token_file: ", 12) == 0;
		bool of_via = strncmp(err.text, "via: ", 5) == 0;
		error(c,
		      err.code == OB_ENOMEM ? ""
		      : of_token	    ? "token_file"
		      : of_via		    ? "via"
					    : "auth",
		      of_token ? err.text + 12
		      : of_via ? err.text + 5
			       : err.text);
	}
}

/* ---- Files ---- */

static void missing(const struct checking *c, const char *option, const char *reason)
{
	obi_option_fault(c->faults, OB_FAULT_FILE, option, "%s", reason);
}

/* argv[0] of this option. */
static void check_command(const struct checking *c, const char *option, const char *const *argv)
{
	struct obi_arena arena;
	struct ob_error err;
	const char *file;
	obi_arena_init(&arena, 1 << 20);
	int r = obi_environ_find(argv[0], c->options->env, &arena, &file, &err);
	if (r == OB_OK && access(file, X_OK) < 0) {
		r = obi_fail(&err, OB_ENOENT, errno, "%s", file);
	}
	if (r < 0) {
		missing(c, option, err.text);
	}
	obi_arena_free(&arena);
}

static void check_files(const struct checking *c)
{
	const struct ob_connector_options *o = c->options;
	struct ob_error err;
	struct stat st;
	if (o->argv != NULL && o->argv[0] != NULL) {
		check_command(c, "argv", o->argv);
	}
	if (o->cleanup != NULL && o->cleanup[0] != NULL) {
		check_command(c, "cleanup", o->cleanup);
	}
	if (o->argv == NULL && o->token_file != NULL) {
		char token[OBI_TOKEN_SIZE];
		if (obi_token_file_read(o->token_file, token, &err) < 0) {
			missing(c, "token_file", err.text);
		}
		explicit_bzero(token, sizeof token);
	}
	if (o->cwd != NULL && stat(o->cwd, &st) < 0) {
		(void)obi_fail(&err, OB_ENOENT, errno, "%s", o->cwd);
		missing(c, "cwd", err.text);
	} else if (o->cwd != NULL && !S_ISDIR(st.st_mode)) {
		missing(c, "cwd", "is not a directory");
	}
	if (o->stdin_path != NULL && access(o->stdin_path, R_OK) < 0) {
		(void)obi_fail(&err, OB_ENOENT, errno, "%s", o->stdin_path);
		missing(c, "stdin_path", err.text);
	}
}

/* ---- The machine ---- */

static void check_kernel(const struct checking *c)
{
	struct ob_error err;
	if (obi_kernel_calls_check(&err) < 0) {
		error(c, "", err.text);
	}
}

static void check_all(const struct checking *c)
{
	const struct ob_connector_options *o = c->options;
	bool here = o->via == NULL; /* else the agent knows its users and files */
	obi_options_check(o, c->faults);
	if (here) {
		check_user(c);
	}
	check_peers(c, "peer_users", o->peer_users, obi_user_number);
	check_peers(c, "peer_groups", o->peer_groups, obi_group_number);
	check_kernel(c);
	if (obi_proc_is_mounted()) { /* without it no plugin can be loaded, which is told already */
		check_plugins(c);
	}
	if (c->faults->count == 0) {
		check_together(c);
		if (o->client_listen != NULL) {
			check_clients(c);
		}
	}
	if (here) {
		check_files(c);
		obi_cgroup_options_check_system(c->options->cgroup, c->faults);
	}
}

int ob_connector_options_check(ob_runtime *rt, const struct ob_connector_options *options,
			       ob_fault_fn *fault, void *user, struct ob_error *reterr)
{
	struct obi_option_faults faults = {.fn = fault, .user = user};
	struct ob_connector_options own;
	struct obi_arena arena;
	struct obi_expansion expansion;
	int r = obi_options_copy(&own, sizeof own, options, reterr);
	if (r < 0) {
		return r;
	}
	const struct checking c = {rt, &own, &faults};
	own.size = sizeof own;
	obi_arena_init(&arena, EXPANDED_MAX);
	if (own.via == NULL) { /* else the agent replaces them */
		obi_options_expand_first(&own, &arena, &expansion, &faults);
		own.placeholders = false; /* they are replaced */
	}
	check_all(&c);
	obi_arena_free(&arena);
	if (faults.count == 0) {
		return OB_OK;
	}
	return faults.count == 1 ? obi_fail(reterr, OB_EINVAL, 0, "%s", faults.first.text)
				 : obi_fail(reterr, OB_EINVAL, 0, "%u faults; the first: %s",
					    faults.count, faults.first.text);
}
