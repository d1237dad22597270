/* SPDX-License-Identifier: MIT */
/* Clients of a child that its files lead to. */
#include <outboard/child.h>

#include <stdio.h>
#include <unistd.h>

#include "api/child_directory.h"
#include "api/client_agent.h"
#include "api/endpoint.h"
#include "base/error.h"
#include "base/names.h"
#include "base/options.h"
#include "base/string_list.h"
#include "place/agent_place.h"
#include "place/attached.h"
#include "rpc/limits.h"

enum { NAME_SIZE = 65, VIA_SCHEME = 6 };

/* What leads to one server; the options borrow from the rest. */
struct way {
	struct obi_child_directory dir;
	char **auth;
	struct ob_client_options options;
};

/* What leads to the child. */
struct target {
	struct way child;
	struct ob_config config; /* the child's own word, where there is no state for us */
	bool behind;		 /* an agent, which is: */
	struct way agent;
	char agent_name[NAME_SIZE];
	char child_name[NAME_SIZE];
	struct obi_client_way by;
};

static void clear_way(struct way *w)
{
	obi_string_list_free(w->auth);
	obi_child_directory_close(&w->dir);
}

static void clear(struct target *t)
{
	ob_config_clear(&t->config);
	clear_way(&t->child);
	if (t->behind) {
		clear_way(&t->agent);
	}
}

static const char *text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* The ready mode `none` does not ask for one. */
static int no_address(const char *path, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EDOWN, 0,
			"%s: the child has reported no address: it is not ready, or takes no calls",
			path);
}

/* Only its parent has a connection to it. */
static int not_dialled(const char *path, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EDOWN, 0,
			"%s: the child dials its parent and does not listen: give it a listen of "
			"its own for others",
			path);
}

static bool is_attached(const struct way *w)
{
	return strcmp(w->dir.state.record, OBI_ATTACHED_RECORD) == 0;
}

/* Of one behind an agent nothing is known here. */
static int must_live(const struct way *w, struct ob_error *reterr)
{
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	struct obi_procid known = obi_statefile_procid(&w->dir.state);
	int r = obi_statedir_probe(&w->dir.state_dir, &known, &runner, reterr);
	bool lives = runner.alive || runner.held || is_attached(w) ||
		     obi_is_agent_record(w->dir.state.record);
	obi_process_close(&runner.process);
	if (r < 0) {
		return r;
	}
	return lives ? OB_OK
		     : obi_fail(reterr, OB_EDOWN, 0, "%s: no child is running",
				w->dir.state_dir.path);
}

/* What the parent saved. */
static int believe_state(struct way *w, struct ob_error *reterr)
{
	const struct obi_statefile *state = &w->dir.state;
	int r = must_live(w, reterr);
	if (r < 0) {
		return r;
	}
	if (!w->dir.has_state) {
		return obi_fail(reterr, OB_EPERM, 0,
				"%s: there is no state.json that belongs to user %u, who asks",
				w->dir.state_dir.path, (unsigned)geteuid());
	}
	if (state->address[0] == '\0' && state->accept[0] != '\0') {
		return not_dialled(w->dir.state_dir.path, reterr);
	}
	if (state->address[0] == '\0') {
		return no_address(w->dir.state_dir.path, reterr);
	}
	w->options.address = state->address;
	w->options.codec = text_or_null(state->codec);
	w->options.token = text_or_null(state->token);
	w->options.transport = text_or_null(state->transport);
	w->options.allow_plaintext = state->allow_plaintext; /* what its parent allows */
	w->options.message_max = state->message_max;
	w->auth = state->auth[0] != '\0' ? obi_string_list_split(state->auth, ',') : NULL;
	return state->auth[0] == '\0' || w->auth != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* What the child wrote, for its own user. */
static int believe_child(struct target *t, struct ob_error *reterr)
{
	struct way *w = &t->child;
	const char *path = w->dir.data.path;
	int r = obi_datadir_read_config(&w->dir.data, &t->config, reterr);
	if (r == OB_ENOENT) {
		return obi_fail(reterr, OB_EDOWN, 0,
				"%s: no child is running: there is no outboard.json", path);
	}
	if (r < 0) {
		return r;
	}
	if (t->config.dial != NULL && t->config.listen == NULL) {
		return not_dialled(path, reterr);
	}
	if (t->config.rpc_addr == NULL || !t->config.ready) {
		return no_address(path, reterr);
	}
	w->options.address = t->config.rpc_addr;
	w->options.codec = t->config.codec;
	w->options.token = t->config.token;
	w->options.transport = t->config.transport;
	w->options.allow_plaintext = t->config.allow_plaintext;
	r = obi_rpc_limits_message(t->config.message_max, 0, &w->options.message_max, reterr);
	if (r < 0) {
		return r;
	}
	w->auth = t->config.auth != NULL ? obi_string_list_split(t->config.auth, ',') : NULL;
	return t->config.auth == NULL || w->auth != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* ---- The agent ---- */

/* The address of a child behind an agent is via://AGENT/CHILD. */
static bool read_names(struct target *t)
{
	const char *address = t->child.options.address;
	const char *slash =
	    strncmp(address, "via://", VIA_SCHEME) == 0 ? strchr(address + VIA_SCHEME, '/') : NULL;
	if (slash == NULL) {
		return false;
	}
	snprintf(t->agent_name, sizeof t->agent_name, "%.*s", (int)(slash - address - VIA_SCHEME),
		 address + VIA_SCHEME);
	snprintf(t->child_name, sizeof t->child_name, "%s", slash + 1);
	return obi_name_is_child(ob_bytes_text(t->child_name));
}

static int read_agent(struct target *t, struct ob_error *reterr)
{
	struct way *w = &t->agent;
	const char *path = t->child.dir.state.agent;
	int r = obi_child_directory_open_state(path, &w->dir, reterr);
	if (r < 0) {
		return r;
	}
	t->behind = true;
	r = believe_state(w, reterr);
	if (r == OB_OK && obi_is_agent_record(w->dir.state.record)) {
		r = obi_fail(reterr, OB_EINVAL, 0, "%s: is behind an agent itself", path);
	}
	return r;
}

static int find_agent(struct target *t, const struct ob_child_connect_options *o,
		      struct ob_error *reterr)
{
	const struct obi_statefile *state = &t->child.dir.state;
	if (!obi_is_agent_record(state->record)) {
		return OB_OK;
	}
	if (state->agent[0] == '\0' || !read_names(t)) {
		return obi_fail(reterr, OB_ENOTSUP, 0,
				"%s: the child is behind an agent, and how that is reached was not "
				"saved",
				t->child.dir.state_dir.path);
	}
	t->agent.options.size = sizeof t->agent.options;
	t->agent.options.settings = o->agent_settings;
	int r = read_agent(t, reterr);
	if (r < 0) {
		return reterr != NULL ? obi_wrap(reterr, "agent %s", t->agent_name) : r;
	}
	t->by = (struct obi_client_way){.agent = &t->agent.options,
					.any_owner = is_attached(&t->agent),
					.name = t->agent_name,
					.child = t->child_name,
					.instance = text_or_null(state->instance)};
	return OB_OK;
}

/* ---- Connecting ---- */

/* Complete what was read. */
static void finish_way(struct ob_runtime *rt, struct way *w)
{
	w->options.auth = (const char *const *)w->auth;
	w->options.allowed_uid = w->dir.believed_uid;
	obi_enter(rt);
	w->options.transport =
	    obi_endpoint_transport_of(rt, w->options.transport, w->options.address);
	obi_leave(rt);
}

static int read_child(struct ob_runtime *rt, const struct ob_child_connect_options *o,
		      struct target *t, struct ob_error *reterr)
{
	bool has_state = t->child.dir.state_dir.fd >= 0;
	int r = has_state ? believe_state(&t->child, reterr) : believe_child(t, reterr);
	r = r == OB_OK ? obi_runtime_take_trust(rt, t->config.plugin_trust, reterr) : r;
	return r == OB_OK && has_state ? find_agent(t, o, reterr) : r;
}

/* On failure *t needs no clear(). */
static int find_target(struct ob_runtime *rt, const struct ob_child_connect_options *given,
		       struct target *t, struct ob_error *reterr)
{
	struct ob_child_connect_options o;
	*t = (struct target){.config = {.size = sizeof t->config}};
	int r = obi_options_copy(&o, sizeof o, given, reterr);
	if (r == OB_OK && o.data_path == NULL) {
		r = obi_fail(reterr, OB_EINVAL, 0, "options: data_path is not set");
	}
	r = r == OB_OK ? obi_child_directory_open(o.data_path, o.state_path, &t->child.dir, reterr)
		       : r;
	if (r < 0) {
		return r;
	}
	t->child.options = (struct ob_client_options){.size = sizeof t->child.options,
						      .connect_timeout_ms = o.timeout_ms,
						      .settings = o.settings};
	r = read_child(rt, &o, t, reterr);
	if (r < 0) {
		clear(t);
		return r;
	}
	finish_way(rt, &t->child);
	if (t->behind) {
		finish_way(rt, &t->agent);
	}
	return OB_OK;
}

int ob_child_connect_with(ob_runtime *rt, const struct ob_child_connect_options *options,
			  ob_cancel *cancel, ob_client **ret_client, struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, options, &t, reterr);
	if (r == OB_OK) {
		r = obi_client_connect_by(rt, &t.child.options, t.behind ? &t.by : NULL, cancel,
					  ret_client, reterr);
		clear(&t);
	}
	return r;
}

int ob_child_connect_with_async(ob_runtime *rt, const struct ob_child_connect_options *options,
				ob_client_fn *done, void *user, struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, options, &t, reterr);
	if (r == OB_OK) {
		r = obi_client_connect_by_async(rt, &t.child.options, t.behind ? &t.by : NULL, done,
						user, reterr);
		clear(&t);
	}
	return r;
}

int ob_child_connect(ob_runtime *rt, const char *data_path, const char *state_path,
		     const char *settings, int64_t timeout_ms, ob_cancel *cancel,
		     ob_client **ret_client, struct ob_error *reterr)
{
	const struct ob_child_connect_options options = {.size = sizeof options,
							 .data_path = data_path,
							 .state_path = state_path,
							 .settings = settings,
							 .timeout_ms = timeout_ms};
	return ob_child_connect_with(rt, &options, cancel, ret_client, reterr);
}

int ob_child_connect_async(ob_runtime *rt, const char *data_path, const char *state_path,
			   const char *settings, int64_t timeout_ms, ob_client_fn *done, void *user,
			   struct ob_error *reterr)
{
	const struct ob_child_connect_options options = {.size = sizeof options,
							 .data_path = data_path,
							 .state_path = state_path,
							 .settings = settings,
							 .timeout_ms = timeout_ms};
	return ob_child_connect_with_async(rt, &options, done, user, reterr);
}
