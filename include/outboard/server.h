/* SPDX-License-Identifier: MIT */
/*
 * outboard/server.h - the child's side: expose interfaces and serve them.
 */
#ifndef OUTBOARD_SERVER_H
#define OUTBOARD_SERVER_H

#include <outboard/client.h>
#include <outboard/config.h>
#include <outboard/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The child's side: server ---- */

/* Is this part of the application well? Write the reason into *why on false. Called on the loop's
 * thread. */
typedef bool ob_probe_fn(void *user, struct ob_error *why);

/* Called on the loop's thread when the child is to end: on outboard-control.shutdown, and on
 * checkVersion after the reply has been flushed. The default makes ob_server_run() return. */
typedef void ob_shutdown_fn(void *user, ob_server *server);

struct ob_server_options {
	uint32_t size;
	ob_runtime *runtime;	 /* NULL: an inline one of its own */
	const char *config_path; /* NULL: that of OUTBOARD_CONFIG */
	uint64_t version;	 /* what checkVersion reports */
	ob_shutdown_fn *shutdown;
	void *user_data;	 /* of shutdown */
	uint32_t message_max;	 /* bytes; default 4 MiB */
	uint32_t calls_max;	 /* in flight for one connection; default 256 */
	uint32_t queue_max;	 /* bytes that may wait for one connection; default 8 MiB */
	uint32_t preauth_max;	 /* connections that have not authenticated yet; default 64 */
	int64_t auth_timeout_ms; /* default 5 s */
	bool allow_plaintext;
	/*
	 * To serve without a parent and without a config file: where to listen, and what else the
	 * file would say. Only with listen set do the others count. Copied.
	 */
	const char *listen; /* URI */
	const char *codec;  /* default "msgpack" */
	const char *const
	    *auth;	   /* mechanisms in order, ended by NULL; default as in ob_client_options */
	const char *token; /* 64 hex digits; NULL: none */
	uint32_t allowed_uid; /* for peercred: whom to trust besides ourselves and root; 0: nobody
				 else */
	ob_logger *logger;    /* borrowed; NULL: one of its own, on stdout */
	/* Who may call what, if the config file has no rules: see ob_connector_options. Copied. */
	const char *const *rules;
	/*
	 * Where the parent dials from: a numeric IPv4 or IPv6 address, or a vsock context id. A
	 * quarter of preauth_max is kept for it, and failures from there carry no penalty; it must
	 * authenticate like anybody. Our own user, root, allowed_uid, the host of a virtual
	 * machine, and wherever a parent supervised us from last, have the same without it. Only
	 * with listen set does it count: else the config file says it.
	 */
	const char *parent_address;
};

/*
 * Read the config, ignore SIGPIPE, make the logger on stdout. Nothing listens yet. options may be
 * NULL. OB_ENOENT: the process was not started as an outboard (no OUTBOARD_CONFIG), and
 * options.listen is not set either.
 */
OB_API int ob_server_open(const struct ob_server_options *options, ob_server **ret_server,
			  struct ob_error *reterr);

/* Offer an interface. Before ob_server_start() only, so that a client never meets half a server:
 * OB_EBUSY after it. The table and user must outlive the server. OB_EINVAL: a name with a dot, or
 * one that begins with "outboard". */
OB_API int ob_server_expose(ob_server *server, const char *interface_name,
			    const struct ob_method *methods, void *user, struct ob_error *reterr);

/* Add a health probe; health is healthy while all say so. name stands before its reason in
 * last_error. */
OB_API int ob_server_add_probe(ob_server *server, const char *name, ob_probe_fn *probe, void *user,
			       struct ob_error *reterr);

/* Listen, then write rpc_addr, pid and ready into the config, if it is a file. */
OB_API int ob_server_start(ob_server *server, struct ob_error *reterr);

/* Turn the loop until ob_server_stop() or a shutdown (inline runtime), or wait for that (threaded).
 */
OB_API int ob_server_run(ob_server *server, struct ob_error *reterr);

/* Make ob_server_run() return. Any thread; safe in a signal handler. */
OB_API void ob_server_stop(ob_server *server);

/* The logger on the stdout that the parent reads. Borrowed. */
OB_API ob_logger *ob_server_logger(ob_server *server);

/* A client of the parent that supervises us: it follows from parent to parent, and is down while
 * there is none. Borrowed. */
OB_API ob_client *ob_server_parent(ob_server *server);

/* The config as read at open, or as last written. Borrowed; valid until the next update. */
OB_API const struct ob_config *ob_server_config(ob_server *server);

/* Read the file, let fn change it, write it back; a negative result of fn writes nothing and is
 * returned. OB_ENOTSUP: there is no file (options.listen). */
OB_API int ob_server_update_config(ob_server *server,
				   int (*fn)(void *user, struct ob_config *config), void *user,
				   struct ob_error *reterr);

/* Stop listening, end all connections, free. Calls that were deferred must still be answered; that
 * then does nothing. */
OB_API void ob_server_close(ob_server *server);

#ifdef __cplusplus
}
#endif
#endif
