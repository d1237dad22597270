/* SPDX-License-Identifier: MIT */
#include "api/client_agent.h"

#include "base/error.h"

enum { TEXTS_MAX = 64 * 1024 };

static const char *keep(struct obi_client_agent *agent, const char *text)
{
	return text != NULL ? obi_arena_text(&agent->texts, text, strlen(text)) : NULL;
}

static int find_plugins(struct ob_runtime *rt, const struct ob_client_options *o,
			struct obi_endpoint *ep, struct ob_error *reterr)
{
	const struct obi_endpoint_names names = {.use = OBI_ENDPOINT_DIALER,
						 .uri = o->address,
						 .transport = o->transport,
						 .codec = o->codec,
						 .auth = o->auth,
						 .allow_plaintext = o->allow_plaintext,
						 .parent_dials = true,
						 .allowed_uid = o->allowed_uid != 0 ? o->allowed_uid
										    : UINT32_MAX};
	int r = obi_endpoint_init(rt, &names, ep, reterr);
	r = r == OB_OK ? obi_endpoint_set_token(ep, o->token, reterr) : r;
	return r == OB_OK ? obi_endpoint_configure(ep, o->settings, reterr) : r;
}

int obi_client_agent_begin(struct ob_runtime *rt, const struct obi_client_way *way,
			   struct obi_client_agent *ret, struct ob_error *reterr)
{
	struct obi_endpoint *ep = &ret->endpoint;
	obi_arena_init(&ret->texts, TEXTS_MAX);
	int r = find_plugins(rt, way->agent, ep, reterr);
	if (r < 0) {
		return reterr != NULL ? obi_wrap(reterr, "agent %s", way->name) : r;
	}
	uint32_t owner =
	    way->any_owner || way->agent->allowed_uid == 0 ? UINT32_MAX : way->agent->allowed_uid;
	ret->setup = obi_endpoint_via(ep);
	ret->setup.uri = keep(ret, way->agent->address);
	ret->setup.owner = owner;
	ret->setup.agent = keep(ret, way->name);
	ret->setup.child = keep(ret, way->child);
	ret->setup.instance = keep(ret, way->instance);
	bool kept = ret->setup.uri != NULL && ret->setup.agent != NULL && ret->setup.child != NULL;
	return kept && (ret->setup.instance != NULL) == (way->instance != NULL)
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

void obi_client_agent_use(struct obi_client_agent *agent, struct obi_connection_setup *setup)
{
	setup->transport = obi_via_transport();
	setup->transport_state = &agent->setup;
}

void obi_client_agent_end(struct obi_client_agent *agent)
{
	obi_endpoint_clear(&agent->endpoint);
	obi_arena_free(&agent->texts);
}
