/* SPDX-License-Identifier: MIT */
/* Clients of a child that its files lead to. */
#include <outboard/child.h>

#include "api/child_directory.h"
#include "api/endpoint.h"
#include "base/error.h"
#include "base/string_list.h"
#include "place/agent_place.h"
#include "place/attached.h"
#include "rpc/limits.h"

/* What leads to the child; the options borrow from the rest. */
struct target {
	struct obi_child_directory dir;
	struct ob_config config; /* the child's own word, where there is no state for us */
	char **auth;
	struct ob_client_options options;
};

static void clear(struct target *t)
{
	ob_config_clear(&t->config);
	obi_string_list_free(t->auth);
	obi_child_directory_close(&t->dir);
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

/* What the parent saved. */
static int believe_state(struct target *t, struct ob_error *reterr)
{
	const struct obi_statefile *state = &t->dir.state;
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	struct obi_procid known = obi_statefile_procid(state);
	int r = obi_statedir_probe(&t->dir.state_dir, &known, &runner, reterr);
	bool lives = runner.alive || runner.held || strcmp(state->record, OBI_ATTACHED_RECORD) == 0;
	obi_process_close(&runner.process);
	if (r < 0) {
		return r;
	}
	if (obi_is_agent_record(state->record)) {
		return obi_fail(reterr, OB_ENOTSUP, 0,
				"%s: the child is behind an agent: only its parent can call it",
				t->dir.state_dir.path);
	}
	if (!lives) {
		return obi_fail(reterr, OB_EDOWN, 0, "%s: no child is running",
				t->dir.state_dir.path);
	}
	if (state->address[0] == '\0' && state->accept[0] != '\0') {
		return not_dialled(t->dir.state_dir.path, reterr);
	}
	if (state->address[0] == '\0') {
		return no_address(t->dir.state_dir.path, reterr);
	}
	t->options.address = state->address;
	t->options.codec = text_or_null(state->codec);
	t->options.token = text_or_null(state->token);
	t->options.transport = text_or_null(state->transport);
	t->options.allow_plaintext = state->allow_plaintext; /* what its parent allows */
	t->options.message_max = state->message_max;
	t->auth = state->auth[0] != '\0' ? obi_string_list_split(state->auth, ',') : NULL;
	return state->auth[0] == '\0' || t->auth != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* What the child wrote, for its own user. */
static int believe_child(struct target *t, struct ob_error *reterr)
{
	const char *path = t->dir.data.path;
	int r = obi_datadir_read_config(&t->dir.data, &t->config, reterr);
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
	t->options.address = t->config.rpc_addr;
	t->options.codec = t->config.codec;
	t->options.token = t->config.token;
	t->options.transport = t->config.transport;
	t->options.allow_plaintext = t->config.allow_plaintext;
	r = obi_rpc_limits_message(t->config.message_max, 0, &t->options.message_max, reterr);
	if (r < 0) {
		return r;
	}
	t->auth = t->config.auth != NULL ? obi_string_list_split(t->config.auth, ',') : NULL;
	return t->config.auth == NULL || t->auth != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* On failure *t needs no clear(). */
static int find_target(struct ob_runtime *rt, const char *data_path, const char *state_path,
		       const char *settings, int64_t timeout_ms, struct target *t,
		       struct ob_error *reterr)
{
	*t = (struct target){.config = {.size = sizeof t->config},
			     .options = {.size = sizeof t->options,
					 .connect_timeout_ms = timeout_ms,
					 .settings = settings}};
	int r = obi_child_directory_open(data_path, state_path, &t->dir, reterr);
	if (r < 0) {
		return r;
	}
	r = t->dir.state_dir.fd >= 0 ? believe_state(t, reterr) : believe_child(t, reterr);
	r = r == OB_OK ? obi_runtime_take_trust(rt, t->config.plugin_trust, reterr) : r;
	if (r < 0) {
		clear(t);
		return r;
	}
	t->options.auth = (const char *const *)t->auth;
	t->options.allowed_uid = t->dir.believed_uid;
	obi_enter(rt);
	t->options.transport =
	    obi_endpoint_transport_of(rt, t->options.transport, t->options.address);
	obi_leave(rt);
	return OB_OK;
}

int ob_child_connect(ob_runtime *rt, const char *data_path, const char *state_path,
		     const char *settings, int64_t timeout_ms, ob_cancel *cancel,
		     ob_client **ret_client, struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, data_path, state_path, settings, timeout_ms, &t, reterr);
	if (r == OB_OK) {
		r = ob_client_connect(rt, &t.options, cancel, ret_client, reterr);
		clear(&t);
	}
	return r;
}

int ob_child_connect_async(ob_runtime *rt, const char *data_path, const char *state_path,
			   const char *settings, int64_t timeout_ms, ob_client_fn *done, void *user,
			   struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, data_path, state_path, settings, timeout_ms, &t, reterr);
	if (r == OB_OK) {
		r = ob_client_connect_async(rt, &t.options, done, user, reterr);
		clear(&t);
	}
	return r;
}
