/* SPDX-License-Identifier: MIT */
/*
 * api/endpoint - finds what a connection needs by the names in a config: transport, codec,
 * authenticators, secret. Combinations that cannot be secure are refused.
 */
#ifndef OBI_API_ENDPOINT_H
#define OBI_API_ENDPOINT_H

#include "rpc/handshake.h"
#include "rpc/connection.h"
#include "rpc/via_stream.h"
#include "api/runtime.h"

enum { OBI_PEERS_MAX = 32 };

/* Who uses an endpoint. */
enum obi_endpoint_use {
	/* Parent and child, and whoever else comes by the listener of the parent. Mechanisms that
	 * are for clients only are refused. */
	OBI_ENDPOINT_PARENT,
	OBI_ENDPOINT_CLIENTS, /* a child, for the listener of its clients */
	OBI_ENDPOINT_DIALER   /* a client */
};

struct obi_endpoint_names {
	enum obi_endpoint_use use;
	bool has_clients; /* PARENT: the settings may have those of the endpoint CLIENTS, too */
	const char *uri;  /* its scheme selects the transport, ... */
	const char *transport; /* ... unless this names one; may be NULL */
	const char *codec;     /* NULL: "msgpack" */
	/* NULL: that of obi_endpoint_default_auth(). {"none"}: no authentication, if allow_none is
	 * set. */
	const char *const *auth;
	bool allow_none;
	bool allow_plaintext;
	bool parent_dials;
	const char *target; /* the name of the child that is dialled; NULL: not known. It is kept */
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
	uint32_t *peers; /* what auth.uids and auth.gids point into; NULL: none */
	bool foreign;	 /* no authentication */
	bool plaintext;	 /* not encrypted on a transport that others can reach, as allowed */
	enum obi_endpoint_use use;
	bool has_clients;
	uint8_t secret[32];
	/* Set by obi_endpoint_configure(). */
	void *transport_state;
	void *codec_state;
	uint32_t configured; /* plugins: the transport, the codec, then the mechanisms */
};

/* Resolve and check the names. *ret must not be moved afterwards: it points into itself. Call
 * obi_endpoint_clear() if the secret or peers are set, or it is configured. */
int obi_endpoint_init(struct ob_runtime *rt, const struct obi_endpoint_names *names,
		      struct obi_endpoint *ret, struct ob_error *reterr);

/* The endpoint of a child for its clients, by its options. Nothing is set or configured; clear it
 * in any case. */
int obi_endpoint_of_clients(struct ob_runtime *rt, const struct ob_connector_options *options,
			    struct obi_endpoint *ret, struct ob_error *reterr);

/*
 * The authenticators if none are configured: {"peercred", "token"} on a local transport; {"token"}
 * on one that seals; {"noise"} on others, and on unknown ones. A parent may dial another transport
 * (connect, or NULL) than the child listens at: the one that needs more decides. transport applies
 * to those of the two with a scheme of this plugin; it may be NULL.
 */
const char *const *obi_endpoint_default_auth(struct ob_runtime *rt, const char *listen,
					     const char *connect, const char *transport);

/* Returns name if the plugin of that name exists and has the scheme of this address; else NULL: the
 * scheme selects the plugin. name may be NULL. */
const char *obi_endpoint_transport_of(struct ob_runtime *rt, const char *name, const char *uri);

/* Set the secret from 64 hex digits; NULL: none. */
int obi_endpoint_set_token(struct obi_endpoint *ep, const char *token, struct ob_error *reterr);

/*
 * Configure the plugins. settings is JSON text: {"auth": {"NAME": {...}}, "codec": {...},
 * "transport": {...}}, each key optional; NULL: none. An endpoint for CLIENTS reads client_auth and
 * client_transport instead; the text of a child with both has both. OB_EINVAL: not such a text,
 * settings for a plugin that takes none or is not in use; else what a plugin reports.
 */
int obi_endpoint_configure(struct obi_endpoint *ep, const char *settings, struct ob_error *reterr);

/* The inverse, a part of obi_endpoint_clear(). */
void obi_endpoint_unconfigure(struct obi_endpoint *ep);

/* Wipe the secret, and unconfigure the plugins: no object of theirs may be left. */
void obi_endpoint_clear(struct obi_endpoint *ep);

/* How an agent at this endpoint is dialled: the plugins and what authenticates. The caller adds the
 * rest. */
struct obi_via_setup obi_endpoint_via(const struct obi_endpoint *ep);

/* The setup of a connection to this endpoint, with default limits; timeouts, events and handler are
 * for the caller to set. */
struct obi_connection_setup obi_endpoint_connection(struct ob_runtime *rt,
						    const struct obi_endpoint *ep);

#endif
