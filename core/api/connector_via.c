/* SPDX-License-Identifier: MIT */
#include "api/connector_via.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "place/agent_place.h"
#include "rpc/via_stream.h"

/* ---- This host ---- */

/* A supervisor that starts anew is another host to its agents. */
static int make_host(struct ob_runtime *rt, struct ob_error *reterr)
{
	unsigned char id[(sizeof rt->host_id - 1) / 2];
	char name[65] = "";
	if (rt->host_id[0] != '\0') {
		return OB_OK;
	}
	if (sodium_init() < 0) {
		return obi_fail(reterr, OB_EIO, 0, "libsodium cannot start");
	}
	randombytes_buf(id, sizeof id);
	sodium_bin2hex(rt->host_id, sizeof rt->host_id, id, sizeof id);
	if (gethostname(name, sizeof name - 1) < 0) {
		strcpy(name, "a host");
	}
	snprintf(rt->host_label, sizeof rt->host_label, "pid %d on %s", (int)getpid(), name);
	return OB_OK;
}

/* ---- The connector of an agent ---- */

static int call(void *user, const char *method, const struct ob_value *params, int64_t timeout_ms,
		ob_reply_fn *fn, void *fn_user, uint64_t *ret_id, struct ob_error *reterr)
{
	struct ob_connector *agent = user;
	char whole[64];
	int n = snprintf(whole, sizeof whole, OBI_AGENT_INTERFACE ".%s", method);
	return obi_client_begin_whole(agent->client, ob_bytes_of(whole, (size_t)n), params,
				      timeout_ms, fn, fn_user, ret_id, reterr);
}

static void cancel(void *user, uint64_t id)
{
	struct ob_connector *agent = user;
	obi_client_cancel_code(agent->client, id, OB_ECANCELED);
}

static int hub_of(struct ob_connector *agent, struct ob_error *reterr)
{
	const struct obi_agent_hub_setup setup = {
	    .loop = agent->rt->loop,
	    .caller = {call, cancel, agent},
	    .name = agent->settings.options.name,
	    .host = agent->rt->host_id,
	    .label = agent->rt->host_label,
	};
	int r = agent->hub != NULL ? OB_OK : make_host(agent->rt, reterr);
	if (r < 0 || agent->hub != NULL) {
		return r;
	}
	r = obi_agent_hub_new(&setup, &agent->hub, reterr);
	if (r == OB_OK && ob_client_is_connected(agent->client)) {
		obi_via_link(agent, true);
	}
	return r;
}

void obi_via_link(struct ob_connector *agent, bool up)
{
	char why[256];
	if (agent->hub == NULL) {
		return;
	}
	if (up) {
		const char *address = obi_supervisor_address(agent->supervisor);
		snprintf(agent->via_uri, OBI_ADDRESS_SIZE, "%s", address != NULL ? address : "");
		obi_agent_hub_link_up(agent->hub);
	} else {
		obi_stream_tickets_lose(&agent->tickets);
		obi_supervisor_reason(agent->supervisor, why, sizeof why);
		obi_agent_hub_link_down(agent->hub, why);
	}
}

void obi_via_changed(struct ob_connector *agent, enum ob_link link)
{
	if (agent->hub != NULL && link == OB_LINK_UNRESPONSIVE) {
		obi_agent_hub_link_down(agent->hub, "it does not answer");
	} else if (agent->hub != NULL && link == OB_LINK_UP &&
		   ob_client_is_connected(agent->client)) {
		obi_via_link(agent, true);
	}
}

/* An agent that others start may go on without us. */
void obi_via_event(struct ob_connector *agent, const struct ob_event *event)
{
	bool ended = event->type == OB_EVENT_STOPPED || event->type == OB_EVENT_FAILED ||
		     event->type == OB_EVENT_DONE;
	if (agent->hub != NULL && ended && agent->settings.options.argv != NULL) {
		obi_agent_hub_gone(agent->hub, event->cause);
	}
}

void obi_via_agent_free(struct ob_connector *agent)
{
	if (agent->hub != NULL) {
		obi_agent_hub_close(agent->hub);
		obi_agent_hub_unref(agent->hub);
		agent->hub = NULL;
	}
	free(agent->via_uri);
	agent->via_uri = NULL;
}

/* ---- The connector of a child ---- */

void obi_via_end(struct ob_connector *child)
{
	struct ob_connector *agent = child->settings.options.via;
	if (child->counted && --agent->via_children == 0 && agent->via_last != NULL) {
		agent->via_last(agent);
	}
}

static int check(const struct ob_connector *child, struct ob_error *reterr)
{
	const struct ob_connector *agent = child->settings.options.via;
	const char *name = agent->settings.options.name;
	if (agent->rt != child->rt) {
		return obi_fail(reterr, OB_EINVAL, 0, "via: %s is of another runtime", name);
	}
	if (agent->settings.options.via != NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "via: %s is behind an agent itself", name);
	}
	return OB_OK;
}

int obi_via_begin(struct ob_connector *child, struct ob_error *reterr)
{
	struct ob_connector *agent = child->settings.options.via;
	int r = agent != NULL ? check(child, reterr) : OB_OK;
	if (r == OB_OK && agent != NULL && agent->via_uri == NULL) {
		agent->via_uri = calloc(1, OBI_ADDRESS_SIZE);
		r = agent->via_uri != NULL ? OB_OK
					   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (r == OB_OK && agent != NULL) {
		agent->via_children++;
		child->counted = true;
	}
	return r;
}

int obi_via_place(struct ob_connector *child, struct obi_place **ret, struct ob_error *reterr)
{
	struct ob_connector *agent = child->settings.options.via;
	int r = hub_of(agent, reterr);
	if (r < 0) {
		return r;
	}
	const struct obi_place_agent_setup setup = {
	    .loop = child->rt->loop,
	    .hub = agent->hub,
	    .options = &child->settings.options,
	    .raw = &child->settings.raw,
	    .answer_max = agent->settings.options.message_max,
	    .agent_state = agent->settings.options.state_path,
	};
	return obi_place_agent_new(&setup, ret, reterr);
}

/* The agent is to dial home for a stream. */
static int ask_home(void *user, const struct ob_value *params, int64_t timeout_ms, ob_reply_fn *fn,
		    void *fn_user, struct ob_error *reterr)
{
	uint64_t id;
	return call(user, "connect_home", params, timeout_ms, fn, fn_user, &id, reterr);
}

void obi_via_connection(struct ob_connector *child, struct obi_connection_setup *setup)
{
	struct ob_connector *agent = child->settings.options.via;
	bool started = agent->settings.options.connect == NULL;
	child->via = obi_endpoint_via(&agent->endpoint);
	child->via.uri = agent->via_uri;
	child->via.owner = started ? agent->settings.child_uid : UINT32_MAX;
	child->via.agent = agent->settings.options.name;
	child->via.child = child->settings.options.name;
	child->via.host_id = agent->rt->host_id;
	if (agent->settings.options.ready == OB_READY_DIAL_HOME) {
		agent->via_home = (struct obi_via_home){&agent->tickets, ask_home, agent};
		child->via.home = &agent->via_home;
	}
	setup->transport = obi_via_transport();
	setup->transport_state = &child->via;
}
