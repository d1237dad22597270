/* SPDX-License-Identifier: MIT */
/*
 * outboard/config.h - outboard.json, the file in which parent and child tell each other what they
 * need to connect.
 */
#ifndef OUTBOARD_CONFIG_H
#define OUTBOARD_CONFIG_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The content of outboard.json. The struct owns its strings, and NULL stands for an absent one: set
 * them with ob_config_set(), free them with ob_config_clear().
 */
struct ob_config {
	uint32_t size;
	char *token; /* 64 hexadecimal digits */
	char *fifo_stdout;
	char *fifo_stderr;
	int64_t pid;	/* of the child; 0: absent */
	char *rpc_addr; /* URI where the child listens */
	bool ready;	/* the child is ready for connections */
	char *name;	/* of the child */
	char *listen;	/* URI where the child is to listen */
	char *codec;
	char *auth;	/* mechanisms in order, separated by commas */
	char *instance; /* identifies this start */
	void *extra;	/* keys that this version does not know; a rewrite keeps them */
	/* The parent permits mechanisms without encryption on a transport that others can reach. */
	bool allow_plaintext;
	char *rules;	 /* ACL, separated by ';': see ob_connector_options */
	char *peer_uids; /* users that peercred admits: numbers, separated by commas */
	char *peer_gids; /* the same for groups */
	/* Where the parent connects from: see ob_server_options. */
	char *parent_address;
	char *transport;      /* plugin for listen; NULL: by the scheme of listen */
	int64_t heartbeat_ms; /* the parent sends something at least this often; 0: unknown */
	char *settings;	      /* of plugins: a JSON object, as in ob_server_options */
	/* The message limit: see OB_MESSAGE_MAX_DEFAULT. The parent's, for the child to use; the
	 * child writes the one that it uses. 0: unknown. */
	int64_t message_max;
	/* The listener for others than the parent: see ob_connector_options. */
	char *client_listen;	/* URI; NULL: there is none */
	char *client_auth;	/* mechanisms in order, separated by commas; NULL: the default */
	char *client_transport; /* plugin for client_listen; NULL: by its scheme */
	char *client_addr;	/* URI where the child listens for them */
	char *plugin_trust;	/* "unmapped": see enum ob_plugin_trust; NULL: owned */
	/* URI that the child dials to reach its parent; NULL: the parent dials the child. */
	char *dial;
	/* "rpc": the parent reads the child's records by outboard-control.logs; NULL: from the
	 * pipes, if there are any. */
	char *logs;
};

/*
 * Read and check the file: a regular file of this process's user, with mode 0600 or stricter, of at
 * most 256 KiB. Start with {.size = sizeof(struct ob_config)}; without a size it is OB_EINVAL. Keys
 * behind the size are kept for a rewrite. Error texts begin with "reading
 * outboard config" or "parsing outboard config". Any thread.
 */
OB_API int ob_config_read(const char *path, struct ob_config *ret_config, struct ob_error *reterr);

/*
 * Write the file atomically, with mode 0600: a temporary file beside it, fsync, rename, fsync of
 * the directory. Any thread.
 */
OB_API int ob_config_write(const char *path, const struct ob_config *config,
			   struct ob_error *reterr);

/* Replace a string of a config by a copy of text, which may be NULL. OB_ENOMEM. */
OB_API int ob_config_set(char **field, const char *text);

/* Free what the struct owns, and wipe the token. */
OB_API void ob_config_clear(struct ob_config *config);

#ifdef __cplusplus
}
#endif
#endif
