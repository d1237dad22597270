/* SPDX-License-Identifier: MIT */
/*
 * outboard/config.h - outboard.json, the file that parent and child share.
 */
#ifndef OUTBOARD_CONFIG_H
#define OUTBOARD_CONFIG_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The file both sides share ---- */

/* outboard.json. Every string is the struct's own, NULL when absent: set them with ob_config_set().
 */
struct ob_config {
	uint32_t size;
	char *token; /* 64 hex digits */
	char *fifo_stdout;
	char *fifo_stderr;
	int64_t pid;	/* 0: absent */
	char *rpc_addr; /* the URI where the child really listens */
	bool ready;
	char *name;
	char *listen; /* the URI where it is to listen */
	char *codec;
	char *auth;	      /* mechanisms in order, joined by commas */
	char *instance;	      /* nonce of this start */
	void *extra;	      /* keys this version does not know, kept over a rewrite */
	bool allow_plaintext; /* the parent permits unsealed mechanisms on a transport that others
				 can reach */
	char *rules;	      /* who may call what, joined by ';': see ob_connector_options */
	char *peer_uids;      /* for peercred: numbers, joined by commas */
	char *peer_gids;
	char *parent_address; /* where the parent dials from: seats are kept for it (see
				 ob_server_options) */
	char *transport;      /* the plugin for listen; NULL: by its scheme */
	int64_t heartbeat_ms; /* how often the parent sends something at the least; 0: it does not
				 say */
};

/* Read and check the file: a regular file of ours with mode 0600 or stricter, at most 1 MiB. Start
 * with
 * {.size = sizeof (struct ob_config)}. The texts begin "reading outboard config" or "parsing
 * outboard config". */
OB_API int ob_config_read(const char *path, struct ob_config *ret_config, struct ob_error *reterr);

/* Write it atomically, mode 0600: a temporary file beside it, fsync, rename, fsync of the
 * directory. */
OB_API int ob_config_write(const char *path, const struct ob_config *config,
			   struct ob_error *reterr);

/* Replace one string of a config by a copy of text, which may be NULL. */
OB_API int ob_config_set(char **field, const char *text);

/* Free what it holds and wipe the token. */
OB_API void ob_config_clear(struct ob_config *config);

#ifdef __cplusplus
}
#endif
#endif
