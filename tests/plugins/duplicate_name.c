/* SPDX-License-Identifier: MIT */
/* A plugin with two authenticators of the same name. */
#include <outboard/auth.h>

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	(void)params;
	return host->fail(reterr, OB_EAUTH, 0, "nobody is admitted");
}

static const struct ob_auth_ops ops = {.size = sizeof ops, .admit = admit};
static const struct ob_plugin one = {.size = sizeof one,
				     .kind = OB_PLUGIN_AUTH,
				     .name = "duplicate_name",
				     .version = "1",
				     .ops = &ops};
static const struct ob_plugin other = {.size = sizeof other,
				       .kind = OB_PLUGIN_AUTH,
				       .name = "duplicate_name",
				       .version = "2",
				       .ops = &ops};

OB_PLUGIN_ENTRY(&one, &other);
