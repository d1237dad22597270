/* SPDX-License-Identifier: MIT */
/* The agents of a config, asked: whether they answer, and what they would refuse. */
#include <stdio.h>

#include "cli/call/address.h"
#include "cli/config/load.h"
#include "cli/config/shared.h"

enum { PATIENCE_MS = 10000, NO_METHOD = -32601 };

struct asking {
	ob_runtime *rt;
	const struct obi_run_config *config;
	struct obi_faults *faults;
	struct obi_faults *warnings;
};

/* A child that is checked at its agent. */
struct checked {
	const struct ob_connector_options *child;
	const struct ob_connector_options *agent;
	struct asking *asking;
};

/* ---- The connection ---- */

static int read_token(const char *path, struct obi_buf *token, const char **ret,
		      struct ob_error *reterr)
{
	int r = path != NULL ? obi_token_read(path, token, reterr) : OB_OK;
	*ret = path != NULL && r == OB_OK ? (const char *)obi_buf_bytes(token).data : NULL;
	return r;
}

/* An agent that others start: the config says how it is reached. */
static int connect_attached(ob_runtime *rt, const struct ob_connector_options *o, ob_client **ret,
			    const char **ret_key, struct ob_error *reterr)
{
	struct obi_buf token;
	struct ob_client_options options = {.size = sizeof options,
					    .address = o->connect,
					    .codec = o->codec,
					    .auth = o->auth,
					    .connect_timeout_ms = PATIENCE_MS,
					    .allow_plaintext = o->allow_plaintext,
					    .transport = o->transport,
					    .settings = o->settings};
	obi_buf_init(&token, OBI_TOKEN_FILE_MAX);
	*ret_key = "token_file";
	int r = read_token(o->token_file, &token, &options.token, reterr);
	if (r == OB_OK) {
		r = ob_client_connect(rt, &options, NULL, ret, reterr);
		*ret_key = r == OB_EAUTH || r == OB_EPERM ? "auth" : "connect";
	}
	obi_buf_free(&token);
	return r;
}

/* One that is a child itself: it is asked if it runs. */
static int connect_child(ob_runtime *rt, const struct ob_connector_options *o, ob_client **ret,
			 struct ob_error *reterr)
{
	const struct ob_child_connect_options options = {.size = sizeof options,
							 .data_path = o->data_path,
							 .state_path = o->state_path,
							 .settings = o->settings,
							 .timeout_ms = PATIENCE_MS};
	return ob_child_connect_with(rt, &options, NULL, ret, reterr);
}

static ob_client *connect_to(struct asking *a, const struct ob_connector_options *agent)
{
	struct ob_error err = {0};
	ob_client *client = NULL;
	const char *key = "connect";
	if (agent->ready == OB_READY_DIAL_HOME) {
		obi_child_fault(a->warnings, agent, "",
				"dials home, so it was not asked what it would refuse");
		return NULL;
	}
	int r = agent->argv == NULL ? connect_attached(a->rt, agent, &client, &key, &err)
				    : connect_child(a->rt, agent, &client, &err);
	bool idle = agent->argv != NULL && (r == OB_EDOWN || r == OB_ENOENT);
	if (idle) {
		obi_child_fault(a->warnings, agent, "",
				"does not run, so it was not asked what it would refuse");
	} else if (r < 0) {
		obi_child_fault(a->faults, agent, key, "%s", err.text);
	}
	return r == OB_OK ? client : NULL;
}

/* ---- The questions ---- */

static void on_fault(void *user, const struct ob_fault *fault)
{
	const struct checked *c = user;
	struct obi_faults *where =
	    fault->kind == OB_FAULT_WARNING ? c->asking->warnings : c->asking->faults;
	obi_child_fault(where, c->child, obi_option_key(fault->option), "%s: %s", c->agent->name,
			fault->reason);
}

/* False: it need not be asked any more. */
static bool ask(struct checked *c, ob_client *client)
{
	struct asking *a = c->asking;
	struct ob_error err = {0};
	int r = ob_agent_check(client, c->child, PATIENCE_MS, on_fault, c, &err);
	if (r == OB_EREMOTE && err.remote_code == NO_METHOD) {
		obi_child_fault(a->warnings, c->agent, "",
				"is an older agent, which cannot be asked what it would refuse");
	} else if (r == OB_EREMOTE && err.remote_code == OB_RPC_INVALID_PARAMS) {
		obi_child_fault(a->faults, c->child, "", "%s: %s", c->agent->name, err.text);
		return true;
	} else if (r < 0) {
		obi_child_fault(a->faults, c->agent, "connect", "is no agent that answers: %s",
				err.text);
	}
	return r == OB_OK;
}

static bool is_behind(const struct obi_run_config *config, uint32_t child, const char *agent)
{
	const char *via = config->orders[child].via;
	return via != NULL && strcmp(via, agent) == 0;
}

static void ask_agent(struct asking *a, const struct ob_connector_options *agent)
{
	struct checked c = {NULL, agent, a};
	ob_client *client = connect_to(a, agent);
	bool answers = client != NULL && ask(&c, client);
	for (uint32_t i = 0; answers && i < a->config->count; i++) {
		c.child = &a->config->children[i];
		if (c.child->argv != NULL && is_behind(a->config, i, agent->name)) {
			answers = ask(&c, client);
		}
	}
	ob_client_free(client);
}

/* It is in "agents", or somebody is behind it. */
static bool is_agent(const struct obi_run_config *config, uint32_t i)
{
	const struct ob_connector_options *o = &config->children[i];
	bool found = o->user_data != NULL;
	for (uint32_t child = 0; !found && child < config->count; child++) {
		found = is_behind(config, child, o->name);
	}
	return found && config->orders[i].via == NULL;
}

void obi_config_check_live(ob_runtime *rt, const struct obi_run_config *config,
			   struct obi_faults *faults, struct obi_faults *warnings)
{
	struct asking a = {rt, config, faults, warnings};
	for (uint32_t i = 0; i < config->count; i++) {
		if (is_agent(config, i)) {
			ask_agent(&a, &config->children[i]);
		}
	}
}
