/* SPDX-License-Identifier: MIT */
/*
 * outboard/client.h - calls to a peer, and handlers for calls from it.
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
 * A client sends calls to one peer: to a child (ob_connector_client,
 * ob_connector_connect_interface), to the parent (ob_server_parent), or to any address
 * (ob_client_connect). It survives restarts of the child: calls while there is no connection fail
 * at once with OB_EDOWN, calls in flight when it breaks end with OB_ECONNLOST and are never
 * repeated. Every call ends exactly once.
 *
 * method is "interface.method"; on a client of one interface (ob_connector_connect_interface) it is
 * the bare method.
 */

struct ob_client_options {
	uint32_t size;
	const char *address; /* URI; its scheme selects the transport. Must be there */
	const char *codec;   /* default "msgpack" */
	const char *const
	    *auth; /* mechanisms in order, ended by NULL. Default: {"peercred", "token"} on a local
		    * transport, and
		    * {"noise"} where others can reach the wire. {"none"}: no authentication, for
		    * foreign servers only; then nothing of outboard's own protocol is sent */
	const char *token;	    /* 64 hex digits; NULL: none */
	int64_t connect_timeout_ms; /* default 10 s, authentication included */
	uint32_t message_max;	    /* bytes; default 4 MiB */
	bool allow_plaintext;  /* permit unsealed mechanisms on a transport that others can reach */
	uint32_t allowed_uid;  /* for peercred: the user that the peer must be; 0: our own or root
				*/
	const char *transport; /* plugin name; default by the scheme of the address */
};

/* Connect and authenticate once. The client does not redial: when its connection ends, calls fail
 * with OB_EDOWN. */
OB_API int ob_client_connect(ob_runtime *runtime, const struct ob_client_options *options,
			     ob_cancel *cancel, ob_client **ret_client, struct ob_error *reterr);

/* The end of ob_client_connect_async(): on success client is the caller's. */
typedef void ob_client_fn(void *user, ob_client *client, int result, const struct ob_error *err);
OB_API int ob_client_connect_async(ob_runtime *runtime, const struct ob_client_options *options,
				   ob_client_fn *done, void *user, struct ob_error *reterr);

/* Free a client made by ob_client_connect or ob_connector_connect_interface; its calls in flight
 * end with OB_ECLOSED. Not for borrowed ones. */
OB_API void ob_client_free(ob_client *client);

/* Whether a connection is up at this moment. Any thread. */
OB_API bool ob_client_is_connected(const ob_client *client);

/* Holds the result of a call; reuse one for many calls and there is no allocation per call. */
OB_API int ob_reply_new(ob_reply **ret_reply, struct ob_error *reterr);
OB_API void ob_reply_free(ob_reply *reply);

/* The result of the last successful call that used it; after OB_EREMOTE the peer's whole error
 * value. Never NULL; valid until the next use. */
OB_API const struct ob_value *ob_reply_value(const ob_reply *reply);

/*
 * Call and wait. params is an array or a map, or NULL for none. The result goes to reply, which may
 * be NULL. Default timeout 30 s. OB_EREMOTE: the peer answered with an error. OB_EAGAIN: too much
 * is queued to the peer already, or too many calls are in flight. OB_ETOOBIG: larger than the
 * message limit.
 */
OB_API int ob_client_call(ob_client *client, const char *method, const struct ob_value *params,
			  int64_t timeout_ms, ob_cancel *cancel, ob_reply *reply,
			  struct ob_error *reterr);

/* The same with parameters by format (see ob_build), which must make one array or map, or be NULL.
 */
OB_API int ob_client_callf(ob_client *client, int64_t timeout_ms, ob_reply *reply,
			   struct ob_error *reterr, const char *method, const char *format, ...);

/* The end of ob_client_call_async(): value is valid for the length of the call; it is NULL unless
 * result is OB_OK or OB_EREMOTE. */
typedef void ob_reply_fn(void *user, int result, const struct ob_value *value,
			 const struct ob_error *err);

/*
 * Call and go on; done is called exactly once if this returns OB_OK, and not at all otherwise.
 * params is encoded or copied before this returns. *ret_id (may be NULL) names the call for
 * ob_client_cancel().
 */
OB_API int ob_client_call_async(ob_client *client, const char *method,
				const struct ob_value *params, int64_t timeout_ms,
				ob_reply_fn *done, void *user, uint64_t *ret_id,
				struct ob_error *reterr);

/* End a call in flight with OB_ECANCELED and tell the peer, if it is an outboard, that nobody
 * waits. Unknown ids: nothing. */
OB_API void ob_client_cancel(ob_client *client, uint64_t id);

/* Send a notification: no reply, and no word on whether it arrived. */
OB_API int ob_client_notify(ob_client *client, const char *method, const struct ob_value *params,
			    struct ob_error *reterr);
OB_API int ob_client_notifyf(ob_client *client, struct ob_error *reterr, const char *method,
			     const char *format, ...);

/* ---- Calls in: handlers ---- */

/* Who a peer proved to be. Views are valid as long as the call they were asked of. */
struct ob_identity {
	uint32_t size;
	uint32_t known;		 /* enum ob_peer_known */
	struct ob_bytes subject; /* "outboard" after token and bearer */
	struct ob_bytes method;	 /* the authenticator's name */
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	uint32_t cid;
	bool parent; /* the connection is the one that supervises this child */
};

/*
 * Handles a call. It must answer before it returns, or say ob_call_defer() and see to it that
 * somebody answers later. A call that is neither answered nor deferred is answered with an internal
 * error. The params are valid until the handler returns.
 */
typedef void ob_handler_fn(void *user, ob_call *call, const struct ob_value *params);

/* One method of an interface; a table of them ends with a NULL name. */
struct ob_method {
	const char *name;
	ob_handler_fn *handler;
};

/* Error numbers of the wire: JSON-RPC's, and outboard's own. Applications use positive numbers or
 * others of their own. */
enum ob_rpc_code {
	OB_RPC_PARSE = -32700,
	OB_RPC_INVALID_REQUEST = -32600,
	OB_RPC_NO_METHOD = -32601,
	OB_RPC_INVALID_PARAMS = -32602,
	OB_RPC_INTERNAL = -32603,
	OB_RPC_REFUSED = -32000,      /* authentication failed, or is missing */
	OB_RPC_BUSY = -32001,	      /* too many calls in flight, or too much queued */
	OB_RPC_CANCELED = -32002,     /* the caller cancelled it */
	OB_RPC_NO_INTERFACE = -32003, /* "unknown object: NAME" */
	OB_RPC_TOO_BIG = -32004,      /* the result is larger than the message limit */
	OB_RPC_DENIED = -32005,	      /* the caller is not allowed to */
	OB_RPC_CLOSING = -32006	      /* this side is shutting down */
};

/* The full method name, borrowed until answered. Any thread once deferred. */
OB_API const char *ob_call_method(const ob_call *call);

/* Whether it is a notification, so that an answer goes nowhere. */
OB_API bool ob_call_is_notification(const ob_call *call);

/* Who calls. ret->size must be set. */
OB_API void ob_call_identity(const ob_call *call, struct ob_identity *ret);

/*
 * Keep the call beyond the handler. Returns the params, copied so that they are valid until the
 * answer; NULL when memory ran out (then the call has been answered with an error, and is gone).
 * The answer may come from any thread.
 */
OB_API const struct ob_value *ob_call_defer(ob_call *call);

/* The caller gave up, or its connection is gone. Any thread. An answer is still required; it goes
 * nowhere. */
OB_API bool ob_call_is_canceled(const ob_call *call);

/*
 * Answer, exactly once; then the call is gone. Any thread once deferred. A result that cannot be
 * sent (too large, not encodable) turns into an error for the caller, and the code of that is
 * returned.
 */
OB_API int ob_call_reply(ob_call *call, const struct ob_value *result);
OB_API int ob_call_replyf(ob_call *call, const char *format, ...);

/* Answer with an error: a number (enum ob_rpc_code, or your own) and a message. */
OB_API int ob_call_fail(ob_call *call, int64_t code, const char *format, ...) OB_PRINTF(3, 4);

/* ---- Control calls ---- */

/* What outboard-control.health answers. */
struct ob_health {
	uint32_t size;
	bool healthy;
	struct timespec timestamp;
	int64_t pid;
	int64_t uptime_ns;
	char last_error[256]; /* of the probes; empty: none */
};

/* Ask the child how it is. client is any client of a child. ret->size must be set. */
OB_API int ob_control_health(ob_client *client, int64_t timeout_ms, struct ob_health *ret,
			     struct ob_error *reterr);

/* Ask for its version. If expected is higher it answers needs_restart, and shuts down. */
OB_API int ob_control_check_version(ob_client *client, uint64_t expected, int64_t timeout_ms,
				    uint64_t *ret_current, bool *ret_needs_restart,
				    struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
