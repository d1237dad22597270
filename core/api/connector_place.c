/* SPDX-License-Identifier: MIT */
#include "api/connector_place.h"

#include "api/connector_via.h"
#include "base/error.h"
#include "files/token_file.h"
#include "place/attached.h"
#include "place/local.h"

int obi_settings_local_place(struct ob_runtime *rt, const struct obi_connector_settings *settings,
			     struct obi_place **ret, struct ob_error *reterr)
{
	const struct obi_place_local_setup setup = {
	    .loop = rt->loop,
	    .watches = &rt->watches,
	    .orphans = &rt->strays,
	    .remains = &rt->remains,
	    .options = &settings->options,
	    .plugin_path = rt->plugin_path_text,
	    .token_file = obi_expansion_uses(&settings->expansion, OBI_PLACEHOLDER_TOKEN_FILE),
	};
	return obi_place_local_new(&setup, ret, reterr);
}

int obi_connector_place(struct ob_connector *c, struct obi_place **ret, struct ob_error *reterr)
{
	const struct ob_connector_options *options = &c->settings.options;
	if (options->via != NULL) {
		return obi_via_place(c, ret, reterr);
	}
	return options->argv != NULL ? obi_settings_local_place(c->rt, &c->settings, ret, reterr)
				     : obi_place_attached_new(c->rt->loop, options, ret, reterr);
}

int obi_connector_check_token(const struct ob_connector *c, struct ob_error *reterr)
{
	const struct ob_connector_options *o = &c->settings.options;
	const struct obi_endpoint *ep = &c->endpoint;
	for (uint32_t i = 0; o->argv == NULL && o->token_file == NULL && i < ep->auth.count; i++) {
		if ((ep->mechanisms[i].ops->flags & OB_AUTH_NEEDS_SECRET) != 0) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"token_file: is required without a command: mechanism %s "
					"needs the token of the child",
					ep->mechanisms[i].name);
		}
	}
	return OB_OK;
}

int obi_connector_renew_token(void *user, char ret_token[OBI_TOKEN_SIZE], struct ob_error *reterr)
{
	struct ob_connector *c = user;
	const char *path = c->settings.options.token_file;
	if (path == NULL) {
		return OB_OK;
	}
	int r = obi_token_file_read(path, ret_token, reterr);
	if (r < 0) {
		return reterr != NULL ? obi_wrap(reterr, "token_file") : r;
	}
	c->endpoint.auth.allowed_uid = c->settings.child_uid;
	return obi_endpoint_set_token(&c->endpoint, ret_token, reterr);
}
