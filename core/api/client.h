/* SPDX-License-Identifier: MIT */
/*
 * api/client - outgoing calls. Clients share a peer, which has the connection to one other process.
 * The owner of the connection (a connector, a server, or ob_client_connect()) sets it in the peer
 * when it opens and clears it when it ends; the peer and its clients live on.
 */
#ifndef OBI_API_CLIENT_H
#define OBI_API_CLIENT_H

#include "api/endpoint.h"
#include "rpc/connection.h"
#include "api/runtime.h"

/* Write why there is no connection, as one line of at most size - 1 bytes. */
typedef void obi_reason_fn(void *user, char *text, size_t size);

struct obi_peer {
	struct ob_runtime *rt;
	uint32_t refs;
	struct obi_connection *connection; /* NULL: down */
	uint32_t generation; /* counts connections, so that the id of a call of an earlier one does
				not match a call of this one */
	atomic_bool connected;
	obi_reason_fn *reason; /* for the errors of calls while it is down; NULL: not known */
	void *reason_user;
	int64_t call_timeout_ms;
	struct obi_pending *ended; /* calls that this side ended, to be reported from the loop */
	struct obi_task report;
	bool reporting;
};

/* A peer with one reference, for the caller. NULL: out of memory. */
struct obi_peer *obi_peer_new(struct ob_runtime *rt);
void obi_peer_unref(struct obi_peer *peer);

/* The connection is open, or (NULL) gone. Set NULL only after all its calls have ended. */
void obi_peer_set_connection(struct obi_peer *peer, struct obi_connection *connection);

/* From whom to learn why there is no connection. fn NULL: from nobody any more. */
void obi_peer_set_reason(struct obi_peer *peer, obi_reason_fn *fn, void *user);

/* A client of a peer. interface_name (may be NULL) is put before its method names. NULL: out of
 * memory. */
struct ob_client *obi_client_new(struct obi_peer *peer, const char *interface_name);

/* Free what the client owns (own) together with the client. */
void obi_client_own(struct ob_client *client, void *own, void (*free_own)(void *own));

/* What it owns, if it was given with this function; else NULL. */
void *obi_client_owned(const struct ob_client *client, void (*free_own)(void *own));

/* Another client of the same peer. */
struct ob_client *obi_client_sibling(struct ob_client *client, const char *interface_name);

/* Free a client, between obi_enter() and obi_leave(). Its calls in flight end with OB_ECLOSED, from
 * the loop. client may be NULL. */
void obi_client_release(struct ob_client *client);

struct ob_runtime *obi_client_runtime(const struct ob_client *client);

/*
 * ob_client_call_async() between obi_enter() and obi_leave().
 */
int obi_client_begin(struct ob_client *client, const char *method, const struct ob_value *params,
		     int64_t timeout_ms, ob_reply_fn *fn, void *user, uint64_t *ret_id,
		     struct ob_error *reterr);
/* The same by the complete name of the method, whatever the interface of the client. */
int obi_client_begin_whole(struct ob_client *client, struct ob_bytes method,
			   const struct ob_value *params, int64_t timeout_ms, ob_reply_fn *fn,
			   void *user, uint64_t *ret_id, struct ob_error *reterr);
void obi_client_cancel_code(struct ob_client *client, uint64_t id, int code);

/* The same for a call whose client may have been freed meanwhile: owner is only compared. */
void obi_peer_cancel(struct obi_peer *peer, const struct ob_client *owner, uint64_t id, int code);
struct obi_peer *obi_client_peer(const struct ob_client *client);

/* Build params in arena. format NULL: none. */
int obi_build_params(struct obi_arena *arena, const char *format, va_list args,
		     struct ob_value *ret, struct ob_error *reterr);

#endif
