/* SPDX-License-Identifier: MIT */
/* An authenticator for clients only. It lets pass whom the kernel knows; the subject is the setting
 * "name", which is required on the side of the child. */
#include <outboard/auth.h>

#include <stdlib.h>

enum { ROOM = 64 };

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct ob_bytes name = {NULL, 0};
	if (!ob_is_nil(settings) && (!ob_get_string(ob_value_find(settings, "name"), &name) ||
				     name.len == 0 || name.len >= ROOM)) {
		return host->fail(reterr, OB_EINVAL, 0, "name: required, at most %d bytes",
				  ROOM - 1);
	}
	char *state = calloc(1, ROOM);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	memcpy(state, name.len > 0 ? (const char *)name.data : "", name.len);
	*ret_state = state;
	return OB_OK;
}

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	return params->peer->known != 0 ? OB_OK : host->fail(reterr, OB_EAUTH, 0, "nobody");
}

static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	const char *name = params->state;
	(void)auth;
	return ob_sink_text(out, *name != '\0' ? name : "child") ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .flags = OB_AUTH_CLIENTS_ONLY, .admit = admit, .identity = identity};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_AUTH,
					.name = "visitor",
					.version = "1",
					.ops = &ops,
					.configure = configure,
					.unconfigure = free};

OB_PLUGIN_ENTRY(&plugin);
