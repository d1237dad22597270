/* SPDX-License-Identifier: MIT */
/* An agent is asked what it would refuse: ob_agent_check(). */
#include <outboard/client.h>

#include "base/arena.h"
#include "base/error.h"
#include "place/agent_faults.h"
#include "place/agent_options.h"
#include "place/agent_wire.h"

enum { PARAMS_MAX = 4 << 20 };

static int build(struct ob_builder *b, const struct ob_connector_options *options,
		 struct ob_value *ret, struct ob_error *reterr)
{
	ob_build_map(b);
	if (options != NULL) {
		ob_build_key(b, "name");
		ob_build_string(b, options->name);
		ob_build_key(b, "options");
		obi_agent_options_build(b, options);
	}
	ob_build_end(b);
	int r = ob_builder_finish(b, ret);
	return r == OB_OK ? OB_OK : obi_fail(reterr, r, 0, "too many options, or out of memory");
}

int ob_agent_check(ob_client *agent, const struct ob_connector_options *options, int64_t timeout_ms,
		   ob_fault_fn *fault, void *user, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value params = ob_nil();
	ob_reply *reply = NULL;
	if (fault == NULL ||
	    (options != NULL && (options->name == NULL || options->argv == NULL))) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"fault, and of options name and argv, are required");
	}
	obi_arena_init(&arena, PARAMS_MAX);
	ob_builder_init(&b, &arena.ob);
	int r = build(&b, options, &params, reterr);
	r = r == OB_OK ? ob_reply_new(&reply, reterr) : r;
	r = r == OB_OK ? ob_client_call(agent, OBI_AGENT_INTERFACE ".check", &params, timeout_ms,
					NULL, reply, reterr)
		       : r;
	r = r == OB_OK ? obi_agent_faults_read(ob_reply_value(reply), fault, user, reterr) : r;
	ob_reply_free(reply);
	obi_arena_free(&arena);
	return r;
}
