/* SPDX-License-Identifier: MIT */
/*
 * client - calls out. A peer is what clients share: the link to one other process, which comes and
 * goes. Whoever owns the link (connector, server, a client that connected itself) tells the peer of
 * it; clients hold the peer and survive.
 */
#ifndef OBI_API_CLIENT_H
#define OBI_API_CLIENT_H

#include "api/endpoint.h"
#include "rpc/connection.h"
#include "api/runtime.h"

struct obi_peer {
	struct ob_runtime *rt;
	uint32_t refs;
	struct obi_connection *connection; /* NULL: down */
	uint32_t generation; /* counts connections, so that the id of a call of an earlier one does
				not match a call of this one */
	atomic_bool connected;
	int64_t call_timeout_ms;
	struct obi_pending *ended; /* calls that this side ended, to be reported from the loop */
	struct obi_task report;
	bool reporting;
};

/* OB_ENOMEM gives NULL. One reference, the maker's. */
struct obi_peer *obi_peer_new(struct ob_runtime *rt);
void obi_peer_unref(struct obi_peer *peer);

/* The connection is open, or (NULL) gone. Set NULL only after all its calls have ended. */
void obi_peer_set_connection(struct obi_peer *peer, struct obi_connection *connection);

/* A client of a peer; interface_name (NULL: none) goes before its method names. NULL: out of
 * memory. */
struct ob_client *obi_client_new(struct obi_peer *peer, const char *interface_name);

/* Free what the client owns (own) together with the client. */
void obi_client_own(struct ob_client *client, void *own, void (*free_own)(void *own));

/* Another client of the same peer. */
struct ob_client *obi_client_sibling(struct ob_client *client, const char *interface_name);

/* Free it; its calls in flight end with OB_ECLOSED. client may be NULL. Between obi_enter() and
 * obi_leave(). */
void obi_client_release(struct ob_client *client);

struct ob_runtime *obi_client_runtime(const struct ob_client *client);

/*
 * Call on the loop's thread; fn as in ob_client_call_async(). timeout_ms as there. For the library
 * itself.
 */
int obi_client_begin(struct ob_client *client, const char *method, const struct ob_value *params,
		     int64_t timeout_ms, ob_reply_fn *fn, void *user, uint64_t *ret_id,
		     struct ob_error *reterr);
void obi_client_cancel_code(struct ob_client *client, uint64_t id, int code);

#endif
