/* SPDX-License-Identifier: MIT */
/*
 * outboard/client.h - calls to a peer, and handlers of calls from it.
 */
#ifndef OUTBOARD_CLIENT_H
#define OUTBOARD_CLIENT_H

#include <outboard/runtime.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Calls out: the client ---- */

/*
 * A client sends calls to one peer: to a child (ob_connector_client(),
 * ob_connector_connect_interface(), ob_child_connect()), to the parent (ob_server_parent()), or to
 * any address (ob_client_connect()).
 *
 * A client of a connector or a server survives restarts of the peer. While there is no connection,
 * calls fail at once with OB_EDOWN. Calls in flight when a connection breaks end with OB_ECONNLOST
 * and are never repeated. Every call ends exactly once.
 *
 * `method` is "interface.method"; on a client of one interface it is the bare method.
 */

struct ob_client_options {
	uint32_t size;
	const char *address; /* Required: a URI. Its scheme selects the transport */
	const char *codec;   /* default "msgpack" */
	/*
	 * Authentication mechanisms in order, ended by NULL. Default: {"peercred", "token"} on a
	 * local transport, {"token"} on one that seals, {"noise"} on others. {"none"}: no
	 * authentication, for foreign servers only; nothing of outboard's own protocol is then
	 * sent.
	 */
	const char *const *auth;
	const char *token;	    /* 64 hexadecimal digits; NULL: none */
	int64_t connect_timeout_ms; /* includes authentication; default 10 s */
	uint32_t message_max;	    /* see OB_MESSAGE_MAX_DEFAULT: the peer's */
	/* Permit mechanisms without encryption on a transport that others can reach. */
	bool allow_plaintext;
	uint32_t allowed_uid; /* for peercred: the user that the peer must be; 0: our own or root */
	const char *transport; /* name of a plugin; NULL: by the scheme of the address */
	/*
	 * Settings of plugins, as JSON: {"auth": {"NAME": {...}}, "codec": {...}, "transport":
	 * {...}}, each key optional. NULL: none. What a plugin takes is in its documentation.
	 */
	const char *settings;
};

/*
 * Connect and authenticate. The client does not reconnect: when its connection ends, calls fail
 * with OB_EDOWN. Free it with ob_client_free().
 */
OB_API int ob_client_connect(ob_runtime *runtime, const struct ob_client_options *options,
			     ob_cancel *cancel, ob_client **ret_client, struct ob_error *reterr);

/* The end of an asynchronous connect. On success the caller owns the client; else it is NULL. */
typedef void ob_client_fn(void *user, ob_client *client, int result, const struct ob_error *err);

/* done is Required. */
OB_API int ob_client_connect_async(ob_runtime *runtime, const struct ob_client_options *options,
				   ob_client_fn *done, void *user, struct ob_error *reterr);

/*
 * Free a client that the caller owns. Its calls in flight end with OB_ECLOSED. Not for borrowed
 * clients. client may be NULL.
 */
OB_API void ob_client_free(ob_client *client);

/* Whether there is a connection now. Any thread. */
OB_API bool ob_client_is_connected(const ob_client *client);

/* Make an object that holds the result of a call. Calls that reuse it allocate nothing. */
OB_API int ob_reply_new(ob_reply **ret_reply, struct ob_error *reterr);

/* reply may be NULL. */
OB_API void ob_reply_free(ob_reply *reply);

/*
 * The result of the last successful call that used this reply; after OB_EREMOTE the whole error
 * value of the peer. Never NULL. Valid until the reply is used again or freed.
 */
OB_API const struct ob_value *ob_reply_value(const ob_reply *reply);

/*
 * Call a method and wait for the result. params is an array or a map, or NULL for none. The result
 * goes to reply, which may be NULL. Default timeout 30 s.
 *
 *   OB_EREMOTE    the peer answered with an error: remote_code and text are in *reterr
 *   OB_EDOWN      there is no connection
 *   OB_ECONNLOST  the connection broke; whether the method ran is unknown
 *   OB_EAGAIN     too many bytes are queued for the peer, or too many calls are in flight
 *   OB_ETOOBIG    the call is larger than message_max
 */
OB_API int ob_client_call(ob_client *client, const char *method, const struct ob_value *params,
			  int64_t timeout_ms, ob_cancel *cancel, ob_reply *reply,
			  struct ob_error *reterr);

/* The same, with params by a format of ob_build() that makes one array or map, or NULL. */
OB_API int ob_client_callf(ob_client *client, int64_t timeout_ms, ob_reply *reply,
			   struct ob_error *reterr, const char *method, const char *format, ...);

/* The same, and a cancel ends it: the call returns OB_ECANCELED at once, and the peer is told that
 * the result is not needed (if it is an outboard). cancel may be NULL. */
OB_API int ob_client_callf_cancelable(ob_client *client, int64_t timeout_ms, ob_cancel *cancel,
				      ob_reply *reply, struct ob_error *reterr, const char *method,
				      const char *format, ...);

/*
 * The end of an asynchronous call. value is valid for the length of the callback; it is NULL unless
 * result is OB_OK or OB_EREMOTE.
 */
typedef void ob_reply_fn(void *user, int result, const struct ob_value *value,
			 const struct ob_error *err);

/*
 * Call a method without waiting. params are encoded or copied before this returns. ret_id may be
 * NULL; the id is for ob_client_cancel().
 */
OB_API int ob_client_call_async(ob_client *client, const char *method,
				const struct ob_value *params, int64_t timeout_ms,
				ob_reply_fn *done, void *user, uint64_t *ret_id,
				struct ob_error *reterr);

/*
 * End a call in flight with OB_ECANCELED, and tell the peer that the result is not needed (if the
 * peer is an outboard). Has no effect on an unknown id. On the thread of the loop of an inline or
 * attached runtime; for other threads see ob_client_call_async_cancelable().
 */
OB_API void ob_client_cancel(ob_client *client, uint64_t id);

/*
 * The same with a cancel, which any thread may fire, in any runtime: the call then ends with
 * OB_ECANCELED. One cancel may be given to any number of calls. It must not be freed before they
 * have ended. NULL: as ob_client_call_async().
 */
OB_API int ob_client_call_async_cancelable(ob_client *client, const char *method,
					   const struct ob_value *params, int64_t timeout_ms,
					   ob_cancel *cancel, ob_reply_fn *done, void *user,
					   struct ob_error *reterr);

/* Send a notification. There is no reply, and it is not known whether it arrives. */
OB_API int ob_client_notify(ob_client *client, const char *method, const struct ob_value *params,
			    struct ob_error *reterr);
OB_API int ob_client_notifyf(ob_client *client, struct ob_error *reterr, const char *method,
			     const char *format, ...);

/* ---- Calls in: handlers ---- */

/* By which listener of this process a peer came in. */
enum ob_listener_kind {
	OB_LISTENER_NONE = 0, /* none: this process dialled */
	OB_LISTENER_PARENT,   /* listen */
	OB_LISTENER_CLIENT    /* client_listen */
};

/* What is known about a peer. The views are valid as long as the call they were read from. */
struct ob_identity {
	uint32_t size;
	uint32_t known; /* bits of enum ob_peer_known */
	/* From authentication. After token, noise and bearer: who the peer is by its certificate,
	 * on a transport that has proved it, or else "outboard". */
	struct ob_bytes subject;
	struct ob_bytes method; /* name of the authenticator */
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	uint32_t cid;
	bool parent; /* the connection is the one that supervises this child */
	/* What the authenticators say of the peer besides: a map of strings. NULL: nothing. It may
	 * be passed to ob_value_find() in any case. */
	const struct ob_value *claims;
	uint32_t listener; /* enum ob_listener_kind */
};

/*
 * Handles a call. The handler must answer the call before it returns, or call ob_call_defer() and
 * have it answered later. A call that is neither answered nor deferred is answered with an internal
 * error. params are valid until the handler returns.
 */
typedef void ob_handler_fn(void *user, ob_call *call, const struct ob_value *params);

/* One method of an interface. A table of methods ends with a NULL name. */
struct ob_method {
	const char *name;
	ob_handler_fn *handler;
};

/*
 * Offer methods to the peer of a client from ob_client_connect() or ob_child_connect(): its calls,
 * and its notifications such as those of ob_call_notifyf(), go to these handlers. The table and
 * user must outlive the client. OB_EINVAL: a client of a connector or of a server, which share a
 * connection; use ob_connector_expose() or ob_server_expose().
 */
OB_API int ob_client_expose(ob_client *client, const char *interface_name,
			    const struct ob_method *methods, void *user, struct ob_error *reterr);

/*
 * Error numbers on the wire: those of JSON-RPC, and outboard's own. Applications use positive
 * numbers, or others that are not in this list.
 */
enum ob_rpc_code {
	OB_RPC_PARSE = -32700,
	OB_RPC_INVALID_REQUEST = -32600,
	OB_RPC_NO_METHOD = -32601,
	OB_RPC_INVALID_PARAMS = -32602,
	OB_RPC_INTERNAL = -32603,
	OB_RPC_REFUSED = -32000,      /* authentication failed or is missing */
	OB_RPC_BUSY = -32001,	      /* too many calls in flight, or too many bytes */
	OB_RPC_CANCELED = -32002,     /* the caller cancelled the call */
	OB_RPC_NO_INTERFACE = -32003, /* "unknown object: NAME" */
	OB_RPC_TOO_BIG = -32004,      /* the result is larger than message_max */
	OB_RPC_DENIED = -32005,	      /* the ACL denies the call */
	OB_RPC_CLOSING = -32006	      /* the peer is shutting down */
};

/* The full name of the method. Borrowed until the call is answered. Any thread once deferred. */
OB_API const char *ob_call_method(const ob_call *call);

/* Whether the call is a notification: an answer to it is dropped. */
OB_API bool ob_call_is_notification(const ob_call *call);

/* Who calls. ret->size must be set. */
OB_API void ob_call_identity(const ob_call *call, struct ob_identity *ret);

/*
 * Keep a call beyond its handler. Returns the params in memory of the call, valid until the call is
 * answered: a copy, or, of most messages of 64 KiB and more, the buffer in which it arrived, so
 * that nothing is copied. Both count for queue_max. NULL: out of memory; the call has been answered
 * with an error and must not be used any more. The answer may come from any thread.
 */
OB_API const struct ob_value *ob_call_defer(ob_call *call);

/*
 * Whether the caller has cancelled the call, or its connection is gone. An answer is still
 * required; it is dropped. Any thread.
 */
OB_API bool ob_call_is_canceled(const ob_call *call);

/*
 * Answer a call, exactly once; it must not be used after that. Any thread once deferred. A result
 * that cannot be sent (too large, not encodable) becomes an error for the caller, and its code is
 * returned here.
 */
OB_API int ob_call_reply(ob_call *call, const struct ob_value *result);
OB_API int ob_call_replyf(ob_call *call, const char *format, ...);

/* Answer with an error: a number (enum ob_rpc_code or your own) and a message. */
OB_API int ob_call_fail(ob_call *call, int64_t code, const char *format, ...) OB_PRINTF(3, 4);

/*
 * Send a notification to the caller of a call that is not answered yet, on its connection: how far
 * the work is, say. It arrives before the answer. Any thread once deferred, but not while another
 * thread answers the call. The caller receives it as any notification, with the methods that it
 * exposes (ob_connector_expose(), ob_client_expose(), ob_server_expose()). `method` is complete,
 * "interface.method". What tells calls apart, such as a number that the caller chose, belongs into
 * params.
 *
 *   OB_ECANCELED  the caller has canceled the call; the call must still be answered
 *   OB_ECLOSED    its connection has ended; the same holds
 *   OB_EAGAIN     too much is queued for the caller, or on its way to the loop (queue_max)
 *   OB_ETOOBIG    the notification is larger than message_max
 *   OB_EINVAL     params are no array or map, or cannot be encoded
 *
 * Once the call is deferred, the notification is sent from the loop. If it turns out there that it
 * cannot be sent, it is dropped, and the next call of these functions returns the code and sends
 * nothing.
 */
OB_API int ob_call_notify(ob_call *call, const char *method, const struct ob_value *params,
			  struct ob_error *reterr);
OB_API int ob_call_notifyf(ob_call *call, struct ob_error *reterr, const char *method,
			   const char *format, ...);

/* ---- Control calls ---- */

/* The answer of outboard-control.health. */
struct ob_health {
	uint32_t size;
	bool healthy;
	struct timespec timestamp;
	int64_t pid;
	int64_t uptime_ns;
	char last_error[256]; /* of the health probes; empty: none */
	/* 32 hex digits that the child makes when it opens its server: another value is another
	 * process. Empty: it has none. */
	char run[33];
};

/* Ask a child for its health. client is any client of the child. ret->size must be set. */
OB_API int ob_control_health(ob_client *client, int64_t timeout_ms, struct ob_health *ret,
			     struct ob_error *reterr);

/* The end of an asynchronous question for the health. health and err are valid for the length of
 * the callback; health is NULL unless result is OB_OK, err is NULL if it is. */
typedef void ob_health_fn(void *user, int result, const struct ob_health *health,
			  const struct ob_error *err);

/* The same without waiting. done is Required. */
OB_API int ob_control_health_async(ob_client *client, int64_t timeout_ms, ob_health_fn *done,
				   void *user, struct ob_error *reterr);

/*
 * Ask a child for its version. If `expected` is higher, the child answers that it needs a restart,
 * and shuts down.
 */
OB_API int ob_control_check_version(ob_client *client, uint64_t expected, int64_t timeout_ms,
				    uint64_t *ret_current, bool *ret_needs_restart,
				    struct ob_error *reterr);

/* The end of an asynchronous question for the version. current and needs_restart count only if
 * result is OB_OK; err is NULL then. */
typedef void ob_version_fn(void *user, int result, uint64_t current, bool needs_restart,
			   const struct ob_error *err);

/* The same without waiting. done is Required. */
OB_API int ob_control_check_version_async(ob_client *client, uint64_t expected, int64_t timeout_ms,
					  ob_version_fn *done, void *user, struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
