/* SPDX-License-Identifier: MIT */
/* The options of a connector, each for itself. */
#include "api/dial_home.h"

#include <limits.h>
#include <stdio.h>

#include "access/acl.h"
#include "api/cgroup_options.h"
#include "access/origin.h"
#include "base/error.h"
#include "base/uri.h"
#include "files/statefile.h"
#include "base/names.h"
#include "base/signal_names.h"
#include "supervisor/backoff.h"

void obi_option_fault(struct obi_option_faults *faults, uint32_t kind, const char *option,
		      const char *format, ...)
{
	char reason[sizeof faults->first.text];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	if (kind == OB_FAULT_ERROR && faults->count++ == 0) {
		(void)obi_fail(&faults->first, OB_EINVAL, 0, "%s%s%s", option,
			       *option != '\0' ? ": " : "", reason);
	}
	const struct ob_fault fault = {
	    .size = sizeof fault, .kind = kind, .option = option, .reason = reason};
	if (faults->fn != NULL) {
		faults->fn(faults->user, &fault);
	}
}

static void error(struct obi_option_faults *faults, const char *option, const char *reason)
{
	obi_option_fault(faults, OB_FAULT_ERROR, option, "%s", reason);
}

static void check_path(const char *option, const char *path, struct obi_option_faults *faults)
{
	if (path == NULL) {
		return;
	}
	if (path[0] != '/') {
		error(faults, option, "must be an absolute path");
	} else if (strlen(path) >= PATH_MAX) {
		error(faults, option, "is too long");
	}
}

static void check_required(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	if (o->name == NULL || !obi_name_is_child(ob_bytes_text(o->name))) {
		error(
		    faults, "name",
		    "must be 1 to 64 of A-Z a-z 0-9 . _ -, not begin with a dot or end in .state");
	}
	bool here = o->argv != NULL && o->via == NULL;
	if (o->data_path == NULL && (here || o->state_path == NULL)) {
		error(faults, "data_path", "is required");
	}
	if (o->argv != NULL && (o->argv[0] == NULL || o->argv[0][0] == '\0')) {
		error(faults, "argv", "is empty");
	}
}

static void check_env(const char *const *env, struct obi_option_faults *faults)
{
	for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
		if (strchr(env[i], '=') == NULL || env[i][0] == '=') {
			obi_option_fault(faults, OB_FAULT_ERROR, "env", "\"%s\" is not NAME=value",
					 env[i]);
		}
	}
}

static void check_limits(const struct ob_rlimit *limits, struct obi_option_faults *faults)
{
	for (size_t i = 0; limits != NULL && limits[i].name != NULL; i++) {
		if (obi_rlimit_number(ob_bytes_text(limits[i].name)) < 0) {
			obi_option_fault(faults, OB_FAULT_ERROR, "limits", "no limit \"%s\" exists",
					 limits[i].name);
		} else if (limits[i].soft > limits[i].hard) {
			obi_option_fault(faults, OB_FAULT_ERROR, "limits",
					 "%s: the soft limit is above the hard one",
					 limits[i].name);
		}
	}
}

static void check_numbers(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	const char *reason, *option = obi_backoff_check(&o->restart, &reason);
	if (o->ready > OB_READY_DIAL_HOME) {
		error(faults, "ready", "is not a ready mode");
	}
	if (o->health_action > OB_HEALTH_RESTART) {
		error(faults, "health_action", "is not a health action");
	}
	if (o->stop_signal < 0 || o->stop_signal > 64) {
		obi_option_fault(faults, OB_FAULT_ERROR, "stop_signal", "%d is not a signal",
				 o->stop_signal);
	}
	if (o->plugin_trust > OB_PLUGIN_TRUST_UNMAPPED) {
		error(faults, "plugin_trust", "is not one of owned and unmapped");
	}
	if (o->leftover > OB_LEFTOVER_FAIL) {
		error(faults, "leftover", "is not one of kill, wait and fail");
	}
	if (o->restart.on > OB_RESTART_NEVER) {
		error(faults, "restart.on", "is not one of exit, failure and never");
	}
	if (o->umask < -1 || o->umask > 0777) {
		error(faults, "umask", "must be 0 to 0777, or -1");
	}
	if (o->message_max != 0 &&
	    (o->message_max < OB_MESSAGE_MAX_LOWEST || o->message_max > OB_MESSAGE_MAX_HIGHEST)) {
		obi_option_fault(faults, OB_FAULT_ERROR, "message_max",
				 "must be from %d to %u bytes", OB_MESSAGE_MAX_LOWEST,
				 OB_MESSAGE_MAX_HIGHEST);
	}
	if (o->lock_wait_ms < 0) {
		error(faults, "lock_wait_ms", "must not be below 0");
	}
	if (option != NULL) {
		error(faults, option, reason);
	}
}

static void check_cleanup(const char *const *argv, struct obi_option_faults *faults)
{
	struct obi_cleanup_state state = {.pending = false};
	struct ob_error err;
	if (argv != NULL && argv[0] == NULL) {
		error(faults, "cleanup", "is empty");
	} else if (obi_cleanup_state_set(&state, argv, &err) < 0) {
		error(faults, "cleanup", err.text);
	}
}

/* ---- Addresses ---- */

/* Addresses that one can listen at and nobody can dial. A child that dials may listen for others.
 */
static void check_dialled(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, 64 * 1024);
	if (o->listen == NULL || o->connect != NULL || o->accept != NULL ||
	    obi_uri_parse(o->listen, &arena.ob, &uri, NULL) < 0) {
		uri = (struct ob_uri){.size = sizeof uri};
	}
	if (uri.text.len == 0) {
		/* another fault, or none */
	} else if (ob_bytes_is(obi_uri_socket(&uri), "vsock") && ob_bytes_is(uri.host, "any")) {
		obi_option_fault(faults, OB_FAULT_ERROR, "connect",
				 "is required: %s cannot be dialled, only vsock://CID:PORT",
				 o->listen);
	} else if (ob_bytes_is(obi_uri_socket(&uri), "hvsock")) {
		obi_option_fault(
		    faults, OB_FAULT_ERROR, "connect",
		    "is required: a child that listens at %s is for guests, and cannot "
		    "be dialled there",
		    o->listen);
	}
	obi_arena_free(&arena);
}

/* ---- The listener for clients ---- */

bool obi_options_default_listen(const char *data_path, char ret[OBI_LISTEN_SIZE])
{
	char path[4200];
	struct ob_sink out = ob_sink_fixed(ret, OBI_LISTEN_SIZE - 1);
	int n = snprintf(path, sizeof path, "%s/rpc.sock", data_path);
	if (n < 0 || (size_t)n >= sizeof path || !obi_uri_unix(path, &out)) {
		return false;
	}
	ret[out.len] = '\0';
	return true;
}

/* Whether nobody can listen at both. Parameters do not make another address. */
static bool is_one_address(const char *a, const char *b)
{
	struct obi_arena arena;
	struct ob_uri one, two;
	obi_arena_init(&arena, 64 * 1024);
	bool same = obi_uri_parse(a, &arena.ob, &one, NULL) == OB_OK &&
		    obi_uri_parse(b, &arena.ob, &two, NULL) == OB_OK &&
		    ob_bytes_equal(one.scheme, two.scheme) && ob_bytes_equal(one.host, two.host) &&
		    ob_bytes_equal(one.path, two.path) && one.port == two.port && one.port != 0;
	obi_arena_free(&arena);
	return same;
}

static void check_clients(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	char listen[OBI_LISTEN_SIZE] = "";
	if (o->client_listen == NULL && o->client_auth != NULL) {
		error(faults, "client_auth", "requires client_listen");
	}
	if (o->client_listen == NULL && o->client_transport != NULL) {
		error(faults, "client_transport", "requires client_listen");
	}
	if (o->listen == NULL && o->data_path != NULL && !obi_options_dial_home(o)) {
		(void)obi_options_default_listen(o->data_path, listen);
	}
	if (o->client_listen != NULL &&
	    is_one_address(o->client_listen, o->listen != NULL ? o->listen : listen)) {
		error(faults, "client_listen", "is the address of listen");
	}
}

void obi_options_check(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	struct obi_origin origin;
	struct ob_error err;
	check_required(o, faults);
	check_path("data_path", o->data_path, faults);
	check_path("state_path", o->state_path, faults);
	check_path("cwd", o->cwd, faults);
	check_path("stdin_path", o->stdin_path, faults);
	check_env(o->env, faults);
	check_limits(o->limits, faults);
	check_cleanup(o->cleanup, faults);
	check_numbers(o, faults);
	obi_cgroup_options_check(o->cgroup, faults);
	check_dialled(o, faults);
	check_clients(o, faults);
	obi_dial_home_check(o, faults);
	if (o->via == NULL) {
		obi_options_check_attached(o, faults);
	}
	obi_options_check_via(o, faults);
	if (o->parent_address != NULL && !obi_origin_parse(o->parent_address, &origin)) {
		obi_option_fault(faults, OB_FAULT_ERROR, "parent_address",
				 "\"%s\" is neither an IPv4 or IPv6 address nor a context id",
				 o->parent_address);
	}
	if (obi_acl_check(o->rules, &err) < 0) {
		error(faults, "rules", err.text);
	}
	if (o->via == NULL) { /* else it is for the user database of the agent */
		obi_options_check_run_as(o, faults);
	}
}
