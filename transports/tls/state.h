/* SPDX-License-Identifier: MIT */
/* tls/state - the settings of one use of the transport, and what is made of their files. */
#ifndef OB_TRANSPORTS_TLS_STATE_H
#define OB_TRANSPORTS_TLS_STATE_H

#include "common/small_file.h"
#include "tls/peer.h"

#include <outboard/value.h>

#include <openssl/ssl.h>

enum obi_tls_files { OBI_TLS_CERTIFICATE, OBI_TLS_KEY, OBI_TLS_CA, OBI_TLS_FILES };

struct obi_tls_state {
	const struct ob_host *host;
	struct {
		char *path; /* NULL: not set */
		struct obi_small_file_stamp stamp;
	} files[OBI_TLS_FILES];
	bool mutual;
	struct obi_tls_accepted accepted;
	BIO_METHOD *method;
	SSL_CTX *context;	 /* connections keep the one that they began with */
	int64_t next_look;	 /* ms */
	char fault[OBI_TLS_WHY]; /* why changed files were not taken; empty: they were */
};

/* The settings of a plugin, as in struct ob_plugin. */
int obi_tls_configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		      struct ob_error *reterr);
void obi_tls_unconfigure(void *state);

/* Read the files again if they have changed, at most once a second. Files that cannot be used
 * change nothing, and leave a fault. */
void obi_tls_state_refresh(struct obi_tls_state *state);

/* tls/context.c: make a context of the files, and store their stamps. false, and why: the name of
 * the setting, its file and the reason. */
bool obi_tls_context(struct obi_tls_state *state, SSL_CTX **ret, char why[OBI_TLS_WHY]);

#endif
