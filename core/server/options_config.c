/* SPDX-License-Identifier: MIT */
#include "server/options_config.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/string_list.h"
#include "rpc/limits.h"

void obi_server_options_fill(struct ob_server_options *o)
{
	struct obi_rpc_limits limits = obi_rpc_limits_default();
	o->calls_max = o->calls_max != 0 ? o->calls_max : limits.calls;
	o->queue_max = o->queue_max != 0 ? o->queue_max : limits.queue;
	o->preauth_max = o->preauth_max != 0 ? o->preauth_max : 64;
	o->auth_timeout_ms = o->auth_timeout_ms != 0 ? o->auth_timeout_ms : 5000;
}

static int take_clients(const struct ob_server_options *o, struct ob_config *config)
{
	char *auth = o->client_auth != NULL ? obi_string_list_join(o->client_auth, ",") : NULL;
	int r = o->client_auth == NULL || auth != NULL ? ob_config_set(&config->client_auth, auth)
						       : OB_ENOMEM;
	free(auth);
	return r == OB_OK ? ob_config_set(&config->client_listen, o->client_listen) : r;
}

int obi_config_of_options(const struct ob_server_options *o, struct ob_config *config,
			  struct ob_error *reterr)
{
	char *auth = o->auth != NULL ? obi_string_list_join(o->auth, ",") : NULL;
	int r = o->auth == NULL || auth != NULL ? ob_config_set(&config->auth, auth) : OB_ENOMEM;
	r = r == OB_OK ? ob_config_set(&config->listen, o->listen) : r;
	r = r == OB_OK ? ob_config_set(&config->codec, o->codec != NULL ? o->codec : "msgpack") : r;
	r = r == OB_OK ? ob_config_set(&config->token, o->token) : r;
	r = r == OB_OK ? ob_config_set(&config->parent_address, o->parent_address) : r;
	r = r == OB_OK ? ob_config_set(&config->settings, o->settings) : r;
	r = r == OB_OK ? ob_config_set(&config->dial, o->dial) : r;
	r = r == OB_OK ? ob_config_set(&config->instance, o->instance) : r;
	free(auth);
	r = r == OB_OK ? take_clients(o, config) : r;
	return r == OB_OK ? OB_OK : obi_fail(reterr, r, 0, "out of memory");
}
