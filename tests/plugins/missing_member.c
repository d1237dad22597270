/* SPDX-License-Identifier: MIT */
/* An authenticator with create, but without destroy, which create requires. */
#include <outboard/auth.h>

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	(void)params, (void)ret_auth;
	return host->fail(reterr, OB_EAUTH, 0, "never");
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)auth, (void)in, (void)out, (void)reterr;
	return OB_EAUTH;
}

static const struct ob_auth_ops ops = {.size = sizeof ops, .create = create, .step = step};
static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_AUTH,
					.name = "missing_member",
					.version = "1",
					.ops = &ops};

OB_PLUGIN_ENTRY(&plugin);
