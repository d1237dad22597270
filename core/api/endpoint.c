/* SPDX-License-Identifier: MIT */
#include "api/endpoint.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/uri.h"

/* On a local transport the kernel vouches for the user of the peer. Other connections must be
 * sealed. What a transport that seals proves of a peer need not mean that it may come in. */
static const char *const local_auth[] = {"peercred", "token", NULL};
static const char *const sealed_auth[] = {"token", NULL};
static const char *const remote_auth[] = {"noise", NULL};

static bool is_local(const struct obi_plugin *transport)
{
	return (transport->as.transport.flags & OB_TRANSPORT_LOCAL) != 0;
}

static bool is_sealed(const struct obi_plugin *transport)
{
	return (transport->as.transport.flags & OB_TRANSPORT_SEALED) != 0;
}

static const char *const *default_auth(const struct obi_plugin *transport)
{
	return is_local(transport) ? local_auth : is_sealed(transport) ? sealed_auth : remote_auth;
}

static int find_transport(struct ob_runtime *rt, const struct obi_endpoint_names *names,
			  struct obi_endpoint *ep, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, 64 * 1024);
	int r = obi_uri_parse(names->uri, &arena.ob, &uri, reterr);
	if (r == OB_OK) {
		r = obi_registry_transport(rt->registry, names->transport, uri.scheme,
					   &ep->transport, reterr);
	}
	obi_arena_free(&arena);
	return r;
}

static int find_mechanisms(struct ob_runtime *rt, const char *const *list, struct obi_endpoint *ep,
			   struct ob_error *reterr)
{
	for (uint32_t i = 0; list[i] != NULL; i++) {
		const struct obi_plugin *plugin;
		if (i == OBI_MECHANISMS_MAX) {
			return obi_fail(reterr, OB_EINVAL, 0, "more than %d authenticators",
					OBI_MECHANISMS_MAX);
		}
		int r = obi_registry_auth(rt->registry, list[i], &plugin, reterr);
		if (r < 0) {
			return r;
		}
		if (ep->use == OBI_ENDPOINT_PARENT &&
		    (plugin->as.auth.flags & OB_AUTH_CLIENTS_ONLY) != 0) {
			return obi_fail(reterr, OB_EPERM, 0,
					"authenticator %s may only be in client_auth: it must not "
					"stand between parent and child",
					plugin->name);
		}
		ep->mechanisms[i] = (struct obi_mechanism){
		    .name = plugin->name, .ops = &plugin->as.auth, .plugin = plugin};
		ep->auth.count = i + 1;
	}
	return ep->auth.count > 0
		   ? OB_OK
		   : obi_fail(reterr, OB_EINVAL, 0, "the list of authenticators is empty");
}

const char *obi_endpoint_transport_of(struct ob_runtime *rt, const char *name, const char *uri)
{
	struct obi_endpoint_names names = {.uri = uri, .transport = name};
	struct obi_endpoint ep = {0};
	struct ob_error err;
	return name != NULL && find_transport(rt, &names, &ep, &err) == OB_OK ? name : NULL;
}

static const char *const *default_auth_at(struct ob_runtime *rt, const char *uri,
					  const char *transport)
{
	struct obi_endpoint_names names = {.uri = uri, .transport = transport};
	struct obi_endpoint ep = {0};
	struct ob_error err;
	return find_transport(rt, &names, &ep, &err) == OB_OK ? default_auth(ep.transport)
							      : remote_auth;
}

const char *const *obi_endpoint_default_auth(struct ob_runtime *rt, const char *listen,
					     const char *connect, const char *transport)
{
	const char *const *heard =
	    default_auth_at(rt, listen, obi_endpoint_transport_of(rt, transport, listen));
	if (connect == NULL) {
		return heard;
	}
	const char *const *dialled =
	    default_auth_at(rt, connect, obi_endpoint_transport_of(rt, transport, connect));
	if (heard == remote_auth || dialled == remote_auth) {
		return remote_auth;
	}
	return heard == sealed_auth || dialled == sealed_auth ? sealed_auth : local_auth;
}

/* At most one mechanism may seal, and no other may exchange messages before it. */
static int check_sealing(struct obi_endpoint *ep, bool *ret_seals, struct ob_error *reterr)
{
	const char *exchanged = NULL, *sealing = NULL;
	for (uint32_t i = 0; i < ep->auth.count; i++) {
		const struct obi_mechanism *m = &ep->mechanisms[i];
		if (m->ops->seal != NULL && sealing != NULL) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"authenticators %s and %s both seal records: only one may",
					sealing, m->name);
		}
		if (m->ops->seal != NULL && exchanged != NULL) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"authenticator %s seals, so it must come before %s",
					m->name, exchanged);
		}
		sealing = m->ops->seal != NULL ? m->name : sealing;
		exchanged = m->ops->create != NULL ? m->name : exchanged;
	}
	*ret_seals = sealing != NULL;
	return OB_OK;
}

/* On a transport that others can reach: some mechanisms must not be used there, and some only
 * behind one that seals. */
static int check_mechanisms(const struct obi_endpoint *ep, struct ob_error *reterr)
{
	bool sealed = is_sealed(ep->transport);
	for (uint32_t i = 0; i < ep->auth.count; i++) {
		const struct ob_auth_ops *ops = ep->mechanisms[i].ops;
		if ((ops->flags & OB_AUTH_LOCAL_ONLY) != 0) {
			return obi_fail(reterr, OB_EPERM, 0,
					"authenticator %s is refused on transport %s: it is for "
					"local transports only",
					ep->mechanisms[i].name, ep->transport->name);
		}
		if ((ops->flags & OB_AUTH_NEEDS_SEAL) != 0 && !sealed) {
			return obi_fail(reterr, OB_EPERM, 0,
					"authenticator %s is refused on transport %s without "
					"encryption: put noise before it",
					ep->mechanisms[i].name, ep->transport->name);
		}
		sealed = sealed || ops->seal != NULL;
	}
	return OB_OK;
}

/* On transports that others can reach, connections must be sealed. */
static int check_policy(const struct obi_endpoint_names *names, struct obi_endpoint *ep,
			struct ob_error *reterr)
{
	bool local = is_local(ep->transport), seals = false;
	int r = check_sealing(ep, &seals, reterr);
	r = r == OB_OK && !local ? check_mechanisms(ep, reterr) : r;
	if (r < 0) {
		return r;
	}
	seals = seals || is_sealed(ep->transport);
	if (!local && !seals && !names->allow_plaintext) {
		return obi_fail(reterr, OB_EPERM, 0,
				"transport %s without encryption is refused: use noise, or set "
				"allow_plaintext",
				ep->transport->name);
	}
	ep->plaintext = !local && !seals;
	return OB_OK;
}

/* "1,22,333" */
static int read_numbers(const char *text, uint32_t *list, uint32_t *ret_count,
			struct ob_error *reterr)
{
	uint32_t count = 0;
	for (const char *at = text; at != NULL && *at != '\0';) {
		char *end;
		unsigned long number = strtoul(at, &end, 10);
		if (*at < '0' || *at > '9' || number >= UINT32_MAX ||
		    (*end != ',' && *end != '\0') || count == OBI_PEERS_MAX) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"\"%s\" is not a list of at most %d user or group ids",
					text, OBI_PEERS_MAX);
		}
		list[count++] = (uint32_t)number;
		at = *end == ',' ? end + 1 : end;
	}
	*ret_count = count;
	return OB_OK;
}

static int set_peers(const struct obi_endpoint_names *names, struct obi_endpoint *ep,
		     struct ob_error *reterr)
{
	if (names->peer_uids == NULL && names->peer_gids == NULL) {
		return OB_OK;
	}
	ep->peers = calloc((size_t)2 * OBI_PEERS_MAX, sizeof *ep->peers);
	if (ep->peers == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	uint32_t *gids = ep->peers + OBI_PEERS_MAX;
	ep->auth.uids = ep->peers;
	ep->auth.gids = gids;
	int r = read_numbers(names->peer_uids, ep->peers, &ep->auth.uid_count, reterr);
	return r == OB_OK ? read_numbers(names->peer_gids, gids, &ep->auth.gid_count, reterr) : r;
}

static bool says_none(const char *const *list)
{
	return list[0] != NULL && strcmp(list[0], "none") == 0;
}

int obi_endpoint_init(struct ob_runtime *rt, const struct obi_endpoint_names *names,
		      struct obi_endpoint *ret, struct ob_error *reterr)
{
	const char *codec = names->codec != NULL ? names->codec : "msgpack";
	memset(ret, 0, sizeof *ret);
	ret->host = obi_registry_host(rt->registry);
	ret->use = names->use;
	ret->has_clients = names->has_clients;
	int r = find_transport(rt, names, ret, reterr);
	r = r == OB_OK ? obi_registry_codec(rt->registry, codec, &ret->codec, reterr) : r;
	if (r < 0) {
		return r;
	}
	ret->auth.host = ret->host;
	ret->auth.mechanisms = ret->mechanisms;
	ret->auth.codec = ret->codec->name;
	ret->auth.target = names->target;
	ret->auth.allowed_uid = names->allowed_uid;
	ret->auth.parent_dials = names->parent_dials;
	const char *const *list = names->auth != NULL ? names->auth : default_auth(ret->transport);
	if (says_none(list)) {
		ret->foreign = names->allow_none && list[1] == NULL;
		return ret->foreign ? OB_OK
				    : obi_fail(reterr, OB_EINVAL, 0,
					       "authenticator none is for foreign servers only");
	}
	r = find_mechanisms(rt, list, ret, reterr);
	r = r == OB_OK ? set_peers(names, ret, reterr) : r;
	return r == OB_OK ? check_policy(names, ret, reterr) : r;
}

int obi_endpoint_of_clients(struct ob_runtime *rt, const struct ob_connector_options *options,
			    struct obi_endpoint *ret, struct ob_error *reterr)
{
	struct obi_endpoint_names names = {.use = OBI_ENDPOINT_CLIENTS,
					   .uri = options->client_listen,
					   .transport = options->client_transport,
					   .codec = options->codec,
					   .auth = options->client_auth,
					   .allow_plaintext = options->allow_plaintext,
					   .parent_dials = true,
					   .allowed_uid = UINT32_MAX};
	return obi_endpoint_init(rt, &names, ret, reterr);
}

int obi_endpoint_set_token(struct obi_endpoint *ep, const char *token, struct ob_error *reterr)
{
	size_t len = 0;
	ep->auth.secret = ob_bytes_of(NULL, 0);
	if (token == NULL) {
		return OB_OK;
	}
	if (strlen(token) != 2 * sizeof ep->secret ||
	    sodium_hex2bin(ep->secret, sizeof ep->secret, token, 2 * sizeof ep->secret, NULL, &len,
			   NULL) != 0 ||
	    len != sizeof ep->secret) {
		return obi_fail(reterr, OB_EINVAL, 0, "the token is not 64 hex digits");
	}
	ep->auth.secret = ob_bytes_of(ep->secret, sizeof ep->secret);
	return OB_OK;
}

void obi_endpoint_clear(struct obi_endpoint *ep)
{
	obi_endpoint_unconfigure(ep);
	free(ep->peers);
	ep->peers = NULL;
	sodium_memzero(ep->secret, sizeof ep->secret);
}

struct obi_via_setup obi_endpoint_via(const struct obi_endpoint *ep)
{
	return (struct obi_via_setup){
	    .host = ep->host,
	    .transport = &ep->transport->as.transport,
	    .transport_state = ep->transport_state,
	    .codec = &ep->codec->as.codec,
	    .codec_state = ep->codec_state,
	    .auth = &ep->auth,
	};
}

struct obi_connection_setup obi_endpoint_connection(struct ob_runtime *rt,
						    const struct obi_endpoint *ep)
{
	struct obi_connection_setup setup = {
	    .loop = rt->loop,
	    .host = ep->host,
	    .transport = &ep->transport->as.transport,
	    .transport_state = ep->transport_state,
	    .codec = &ep->codec->as.codec,
	    .codec_state = ep->codec_state,
	    .auth = ep->foreign ? NULL : &ep->auth,
	    .limits = obi_rpc_limits_default(),
	    .call_owner = rt,
	};
	return setup;
}
