/* SPDX-License-Identifier: MIT */
/*
 * outboard/server.h - the side of the child: expose interfaces and serve them.
 */
#ifndef OUTBOARD_SERVER_H
#define OUTBOARD_SERVER_H

#include <outboard/client.h>
#include <outboard/config.h>
#include <outboard/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A health probe: whether a part of the application is healthy. If not, write the reason into *why.
 * Called on the loop's thread.
 */
typedef bool ob_probe_fn(void *user, struct ob_error *why);

/*
 * The child is to end: after outboard-control.shutdown, or after a checkVersion whose reply has
 * been sent. Called on the loop's thread. The default makes ob_server_run() return.
 */
typedef void ob_shutdown_fn(void *user, ob_server *server);

struct ob_server_options {
	uint32_t size;
	ob_runtime *runtime;	 /* NULL: an inline runtime that the server owns */
	const char *config_path; /* NULL: the environment variable OUTBOARD_CONFIG */
	uint64_t version;	 /* reported by checkVersion */
	ob_shutdown_fn *shutdown;
	void *user_data; /* for shutdown */
	/* See OB_MESSAGE_MAX_DEFAULT. It counts only if the config file says nothing, that is
	 * without a parent: a parent writes its own limit there, and that wins. */
	uint32_t message_max;
	uint32_t calls_max; /* calls in flight on one connection; default 256 */
	/*
	 * Bytes queued for one connection; default 8 MiB. Also the bytes that its deferred calls
	 * may hold (params take up to 20 times what they take in a message), and its answers that
	 * wait in batches: beyond that its calls are answered OB_RPC_BUSY. Deferred calls whose
	 * connections have ended may hold 8 times that together; handlers should therefore answer
	 * when ob_call_is_canceled().
	 */
	uint32_t queue_max;
	uint32_t preauth_max;	 /* preauth slots: connections not yet authenticated; default 64 */
	int64_t auth_timeout_ms; /* default 5 s */
	/* Permit mechanisms without encryption on a transport that others can reach. */
	bool allow_plaintext;
	/*
	 * For a server without a parent and without a config file: where to listen, as a URI. The
	 * options from here to the end are what the config file would say; they count only if
	 * listen is set.
	 */
	const char *listen;
	const char *codec;	 /* default "msgpack" */
	const char *const *auth; /* mechanisms in order, ended by NULL; see ob_client_options */
	const char *token;	 /* 64 hexadecimal digits; NULL: none */
	uint32_t allowed_uid;	 /* a user that peercred admits besides its own and root; 0: none */
	ob_logger *logger;	 /* borrowed; NULL: the server makes one on stdout */
	const char *const *rules; /* the ACL; see ob_connector_options */
	/*
	 * Where the parent connects from: a numeric IPv4 or IPv6 address, or a vsock context id. A
	 * quarter of the preauth slots is reserved for it, and its failures cause no penalty. It
	 * must authenticate like any other peer. The same holds without this option for the
	 * server's own user, root, allowed_uid, the host of a virtual machine, and the address from
	 * which a parent last supervised this child.
	 */
	const char *parent_address;
	/*
	 * Descriptors to keep for connections, at most 16: when there are no others, so many
	 * connections are still served, and become the reserve again when they end. For a server
	 * that must stay reachable then. Default 0: connections are refused. They are for listen;
	 * if there is a client_listen, at least one is kept, so that clients cannot take the last.
	 */
	uint32_t reserve;
	/*
	 * Settings of plugins, as in ob_client_options, and besides them client_auth and
	 * client_transport, for the plugins of client_listen. Only if listen is set.
	 */
	const char *settings;
	/* A second listener, whose connections can never supervise; see ob_connector_options. Only
	 * if listen is set. It has preauth_max slots of its own. */
	const char *client_listen;
	const char *const *client_auth;
	/*
	 * For a child that dials its parent (OB_READY_DIAL_HOME) without a config file: the URI to
	 * dial. The options from listen on count if this is set, too; listen may then be NULL. The
	 * server dials from ob_server_start() on for as long as it lives, with backoff; the parent
	 * must prove that it has the token, as a parent that is dialled.
	 */
	const char *dial;
	/* The instance that the parent knows this child by: 32 hexadecimal digits. With it, only a
	 * parent that names it can supervise. NULL: none, which no parent takes from a dialler. */
	const char *instance;
	/*
	 * How much is kept of the newest records of the logger, for a parent that reads them by
	 * outboard-control.logs: default 256 KiB; UINT32_MAX: nothing. They are kept where the
	 * config names no pipe for stdout, and are written to it, too; or where it says that the
	 * parent reads them in this way, which UINT32_MAX does not change: then they are not
	 * written to stdout, but for those that nobody has read when the server is closed.
	 */
	uint32_t log_ring_bytes;
};

/*
 * Read the config, ignore SIGPIPE and make the logger on stdout. Descriptors 0 to 2 that are
 * closed become /dev/null. Nothing listens yet. options may
 * be NULL. OB_ENOENT: the process was not started as an outboard (there is no OUTBOARD_CONFIG), and
 * options.listen is not set.
 */
OB_API int ob_server_open(const struct ob_server_options *options, ob_server **ret_server,
			  struct ob_error *reterr);

/*
 * Offer an interface. The table and user must outlive the server.
 *
 *   OB_EINVAL  the name has a dot in it or begins with "outboard"
 *   OB_EBUSY   ob_server_start() was called already: a client must never see a part of a server
 */
OB_API int ob_server_expose(ob_server *server, const char *interface_name,
			    const struct ob_method *methods, void *user, struct ob_error *reterr);

/*
 * Add a health probe. The child is healthy while all probes say so. `name` stands before the
 * probe's reason in last_error.
 */
OB_API int ob_server_add_probe(ob_server *server, const char *name, ob_probe_fn *probe, void *user,
			       struct ob_error *reterr);

/* Listen; then write rpc_addr, client_addr, pid and ready into the config file, if there is one;
 * and dial the parent, if the config says where. */
OB_API int ob_server_start(ob_server *server, struct ob_error *reterr);

/*
 * Listen anew at the same address, for a server whose socket file was removed or replaced: nobody
 * can connect to it any more. Its connections stay. If the address is taken the error says so, and
 * the server stays as it was; so call this only when the socket file is not the server's own any
 * more. On the thread of the loop, after ob_server_start().
 *
 * With a client_listen both are tried. An address that is taken by this server's own socket, as it
 * is if only the other socket was lost, stays as it is; it is an error if both are. Any other
 * failure is an error, also if the other address could be listened at.
 */
OB_API int ob_server_listen_again(ob_server *server, struct ob_error *reterr);

/*
 * Serve until ob_server_stop() or a shutdown: turn the loop of an inline runtime, wait on a
 * threaded one.
 */
OB_API int ob_server_run(ob_server *server, struct ob_error *reterr);

/* Make ob_server_run() return. Any thread; safe in a signal handler. */
OB_API void ob_server_stop(ob_server *server);

/* The logger whose records the parent reads. Borrowed; valid until the server is closed. */
OB_API ob_logger *ob_server_logger(ob_server *server);

/*
 * A client of the parent that supervises this child. It follows from one parent to the next and is
 * not connected while there is none. Borrowed; valid until the server is closed.
 */
OB_API ob_client *ob_server_parent(ob_server *server);

/* The config as it was last read or written. Borrowed; valid until the next update. */
OB_API const struct ob_config *ob_server_config(ob_server *server);

/*
 * Read the config file, let fn change it, and write it back. If fn returns a negative code nothing
 * is written and the code is returned. OB_ENOTSUP: there is no file (options.listen is set).
 */
OB_API int ob_server_update_config(ob_server *server,
				   int (*fn)(void *user, struct ob_config *config), void *user,
				   struct ob_error *reterr);

/*
 * Stop listening, end all connections and free. Deferred calls must still be answered, which then
 * has no effect. server may be NULL.
 */
OB_API void ob_server_close(ob_server *server);

#ifdef __cplusplus
}
#endif
#endif
