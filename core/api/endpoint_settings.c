/* SPDX-License-Identifier: MIT */
/* The settings of the plugins of an endpoint. */
#include "api/endpoint.h"

#include "base/error.h"
#include "json/json.h"

enum { SETTINGS_DEPTH = 16, SETTINGS_VALUES = 16 * 1024 };

static const char *const kinds[] = {
    [OB_PLUGIN_TRANSPORT] = "transport",
    [OB_PLUGIN_CODEC] = "codec",
    [OB_PLUGIN_AUTH] = "auth",
};

/* Configure one plugin. settings may be NULL: none. */
static int configure(struct obi_endpoint *ep, const struct obi_plugin *plugin,
		     const struct ob_value *settings, void **ret_state, struct ob_error *reterr)
{
	const struct ob_value none = ob_nil();
	struct ob_error err = {0};
	*ret_state = NULL;
	settings = settings != NULL ? settings : &none;
	if (!ob_is_nil(settings) && settings->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s %s: settings: not an object",
				kinds[plugin->kind], plugin->name);
	}
	if (plugin->configure == NULL) {
		ep->configured++;
		return ob_is_nil(settings)
			   ? OB_OK
			   : obi_fail(reterr, OB_EINVAL, 0, "%s %s takes no settings",
				      kinds[plugin->kind], plugin->name);
	}
	int r = plugin->configure(ep->host, settings, ret_state, &err);
	if (r < 0) {
		obi_wrap(&err, "%s %s: settings", kinds[plugin->kind], plugin->name);
		if (reterr != NULL) {
			*reterr = err;
		}
		return r;
	}
	ep->configured++;
	return OB_OK;
}

static struct ob_bytes text_of(const struct ob_value *key)
{
	return ob_bytes_of(key->as.string, key->count);
}

/* Where the settings of an endpoint are; the codec is shared. */
static const char *auth_key(bool of_clients)
{
	return of_clients ? "client_auth" : "auth";
}

static const char *transport_key(bool of_clients)
{
	return of_clients ? "client_transport" : "transport";
}

static bool is_for_clients(const struct obi_endpoint *ep)
{
	return ep->use == OBI_ENDPOINT_CLIENTS;
}

static bool has_mechanism(const struct obi_endpoint *ep, struct ob_bytes name)
{
	for (uint32_t i = 0; i < ep->auth.count; i++) {
		if (ob_bytes_is(name, ep->mechanisms[i].name)) {
			return true;
		}
	}
	return false;
}

/* Keys of the other endpoint of a child are not read here. */
static bool is_known(const struct obi_endpoint *ep, struct ob_bytes key)
{
	bool clients = is_for_clients(ep);
	return ob_bytes_is(key, "codec") || ob_bytes_is(key, auth_key(clients)) ||
	       ob_bytes_is(key, transport_key(clients)) ||
	       ((clients || ep->has_clients) && (ob_bytes_is(key, auth_key(!clients)) ||
						 ob_bytes_is(key, transport_key(!clients))));
}

static int check_auth(const struct obi_endpoint *ep, const char *key, const struct ob_value *auth,
		      struct ob_error *reterr)
{
	if (!ob_is_nil(auth) && auth->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "settings: %s: not an object", key);
	}
	for (uint32_t i = 0; !ob_is_nil(auth) && i < auth->count; i++) {
		struct ob_bytes name = text_of(&auth->as.pairs[i].key);
		if (!has_mechanism(ep, name)) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"settings: %s: %.*s is not among the authenticators", key,
					(int)name.len, (const char *)name.data);
		}
	}
	return OB_OK;
}

/* A mistyped name must not leave a mechanism without its settings. */
static int check_names(const struct obi_endpoint *ep, const struct ob_value *tree,
		       struct ob_error *reterr)
{
	const char *auth = auth_key(is_for_clients(ep));
	if (!ob_is_nil(tree) && tree->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "settings: not an object");
	}
	for (uint32_t i = 0; tree->type == OB_MAP && i < tree->count; i++) {
		const struct ob_value *key = &tree->as.pairs[i].key;
		if (!is_known(ep, text_of(key))) {
			return obi_fail(reterr, OB_EINVAL, 0, "settings: unknown key \"%.*s\"",
					(int)key->count, key->as.string);
		}
	}
	return check_auth(ep, auth, ob_value_find(tree, auth), reterr);
}

static int configure_all(struct obi_endpoint *ep, const struct ob_value *tree,
			 struct ob_error *reterr)
{
	bool clients = is_for_clients(ep);
	const struct ob_value *auth = ob_value_find(tree, auth_key(clients));
	int r = check_names(ep, tree, reterr);
	r = r == OB_OK ? configure(ep, ep->transport, ob_value_find(tree, transport_key(clients)),
				   &ep->transport_state, reterr)
		       : r;
	r = r == OB_OK
		? configure(ep, ep->codec, ob_value_find(tree, "codec"), &ep->codec_state, reterr)
		: r;
	for (uint32_t i = 0; r == OB_OK && i < ep->auth.count; i++) {
		struct obi_mechanism *m = &ep->mechanisms[i];
		r = configure(ep, m->plugin, ob_value_find(auth, m->name), &m->state, reterr);
	}
	return r;
}

int obi_endpoint_configure(struct obi_endpoint *ep, const char *settings, struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = SETTINGS_DEPTH, .values = SETTINGS_VALUES};
	struct ob_value tree = ob_nil();
	struct obi_arena arena;
	struct ob_error err = {0};
	int r = OB_OK;
	obi_arena_init(&arena, 4 << 20);
	if (settings != NULL) {
		r = obi_json_parse(ob_bytes_text(settings), &arena.ob, &limits, &tree, &err);
		r = r < 0 ? obi_fail(reterr, OB_EINVAL, 0, "settings: %s", err.text) : r;
	}
	r = r == OB_OK ? configure_all(ep, &tree, reterr) : r;
	obi_arena_free(&arena);
	return r;
}

static void unconfigure(const struct obi_plugin *plugin, void *state)
{
	if (plugin->unconfigure != NULL) {
		plugin->unconfigure(state);
	}
}

void obi_endpoint_unconfigure(struct obi_endpoint *ep)
{
	while (ep->configured > 0) {
		uint32_t last = --ep->configured;
		const struct obi_mechanism *m = last >= 2 ? &ep->mechanisms[last - 2] : NULL;
		if (m != NULL) {
			unconfigure(m->plugin, m->state);
		} else if (last == 1) {
			unconfigure(ep->codec, ep->codec_state);
		} else {
			unconfigure(ep->transport, ep->transport_state);
		}
	}
}
