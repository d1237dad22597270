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
static const struct ob_plugin one = {sizeof one, OB_PLUGIN_AUTH, "duplicate_name", "1", &ops};
static const struct ob_plugin other = {sizeof other, OB_PLUGIN_AUTH, "duplicate_name", "2", &ops};

OB_PLUGIN_ENTRY(&one, &other);
