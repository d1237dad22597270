/* SPDX-License-Identifier: MIT */
/*
 * endpoint - from the names in a config to what a link needs: transport, codec, authenticators,
 * secret. Here is decided what may be combined with what; a combination that cannot be safe is
 * refused by name.
 */
#ifndef OBI_API_ENDPOINT_H
#define OBI_API_ENDPOINT_H

#include "rpc/handshake.h"
#include "rpc/connection.h"
#include "api/runtime.h"

enum { OBI_PEERS_MAX = 32 };

struct obi_endpoint_names {
	const char *uri;	 /* its scheme selects the transport */
	const char *transport;	 /* or this does; NULL: by scheme */
	const char *codec;	 /* NULL: "msgpack" */
	const char *const *auth; /* NULL: obi_endpoint_default_auth(); {"none"}: no authentication,
				    only for a dialer */
	bool allow_none;
	bool allow_plaintext;
	bool parent_dials;
	uint32_t allowed_uid;
	const char *peer_uids; /* numbers joined by commas; NULL: none */
	const char *peer_gids;
};

struct obi_endpoint {
	const struct ob_host *host;
	const struct obi_plugin *transport;
	const struct obi_plugin *codec;
	struct obi_mechanism mechanisms[OBI_MECHANISMS_MAX];
	struct obi_handshake_setup auth;
	uint32_t uids[OBI_PEERS_MAX];
	uint32_t gids[OBI_PEERS_MAX];
	bool foreign;	/* no authentication */
	bool plaintext; /* what crosses is not encrypted, though others can reach it: it was allowed
			 */
	uint8_t secret[32];
};

/* Resolve and check. *ret must not move afterwards: its auth setup points into it. Nothing to free
 * but the secret. */
int obi_endpoint_init(struct ob_runtime *rt, const struct obi_endpoint_names *names,
		      struct obi_endpoint *ret, struct ob_error *reterr);

/*
 * What authenticates where nothing is configured: {"peercred", "token"} on a local transport;
 * {"noise"} where others can reach the wire, or where we do not know the transport.
 */
const char *const *obi_endpoint_default_auth(struct ob_runtime *rt, const char *uri,
					     const char *transport);

/* name, if the plugin of that name is there and claims the scheme of this address; else NULL: it
 * goes by its scheme. name may be NULL. */
const char *obi_endpoint_transport_of(struct ob_runtime *rt, const char *name, const char *uri);

/* Set the secret from 64 hex digits; NULL: none. */
int obi_endpoint_set_token(struct obi_endpoint *ep, const char *token, struct ob_error *reterr);

/* Wipe. */
void obi_endpoint_clear(struct obi_endpoint *ep);

/* A link setup with everything that the endpoint knows; limits, timeouts and events are for the
 * caller to add. */
struct obi_connection_setup obi_endpoint_connection(struct ob_runtime *rt,
						    const struct obi_endpoint *ep);

#endif
