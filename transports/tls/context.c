/* SPDX-License-Identifier: MIT */
/* The files of the settings as a context of OpenSSL. */
#include "tls/handshake.h"
#include "tls/state.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PEM_MAX = 65536,
	CA_MAX = 4 << 20,
	/* The rest of OB_HANDSHAKE_MAX is for the other messages. */
	CHAIN_MAX = OB_HANDSHAKE_MAX - 4096
};

static const struct {
	const char *name;
	mode_t forbidden;
	size_t max;
} kinds[OBI_TLS_FILES] = {
    [OBI_TLS_CERTIFICATE] = {"certificate", 0022, PEM_MAX},
    [OBI_TLS_KEY] = {"key", 0177, PEM_MAX},
    [OBI_TLS_CA] = {"ca", 0022, CA_MAX},
};

static bool bad(const struct obi_tls_state *state, enum obi_tls_files file, const char *reason,
		char why[OBI_TLS_WHY])
{
	snprintf(why, OBI_TLS_WHY, "%s: %.200s: %s", kinds[file].name, state->files[file].path,
		 reason);
	return false;
}

/* The same with the words of OpenSSL. */
static bool bad_pem(const struct obi_tls_state *state, enum obi_tls_files file, const char *what,
		    char why[OBI_TLS_WHY])
{
	char text[160];
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	snprintf(text, sizeof text, "%s (%.100s)", what,
		 reason != NULL ? reason : "unknown reason");
	ERR_clear_error();
	return bad(state, file, text, why);
}

/* ---- Certificates ---- */

/* The next certificate, or NULL: *ret_good tells the end from a fault. */
static X509 *next_certificate(BIO *pem, bool *ret_good)
{
	X509 *certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL);
	*ret_good =
	    certificate != NULL || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	if (*ret_good) {
		ERR_clear_error();
	}
	return certificate;
}

/* The first one is ours; the others are sent with it. */
static bool take_chain(struct obi_tls_state *state, SSL_CTX *context, BIO *pem,
		       char why[OBI_TLS_WHY])
{
	bool good;
	int count = 0, size = 0;
	X509 *certificate;
	while ((certificate = next_certificate(pem, &good)) != NULL) {
		good = count++ == 0 ? SSL_CTX_use_certificate(context, certificate) == 1
				    : SSL_CTX_add1_chain_cert(context, certificate) == 1;
		size += i2d_X509(certificate, NULL);
		X509_free(certificate);
		if (!good) {
			return bad_pem(state, OBI_TLS_CERTIFICATE, "cannot be used", why);
		}
		if (size > CHAIN_MAX) {
			return bad(state, OBI_TLS_CERTIFICATE,
				   "its certificates are too large for a handshake of 16 KiB", why);
		}
	}
	if (!good) {
		return bad_pem(state, OBI_TLS_CERTIFICATE, "not a PEM certificate", why);
	}
	return count > 0 ||
	       bad(state, OBI_TLS_CERTIFICATE, "there is no PEM certificate in it", why);
}

/* Each certificate of the bundle is trusted, also one that another CA has signed. */
static bool take_ca(struct obi_tls_state *state, SSL_CTX *context, BIO *pem, char why[OBI_TLS_WHY])
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	bool good;
	int count = 0;
	X509 *certificate;
	while ((certificate = next_certificate(pem, &good)) != NULL) {
		good = X509_STORE_add_cert(store, certificate) == 1;
		X509_free(certificate);
		count++;
		if (!good) {
			return bad_pem(state, OBI_TLS_CA, "cannot be used", why);
		}
	}
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (!good) {
		return bad_pem(state, OBI_TLS_CA, "not a PEM certificate", why);
	}
	return count > 0 || bad(state, OBI_TLS_CA, "there is no PEM certificate in it", why);
}

/* ---- Key ---- */

/* Without this, OpenSSL asks at the terminal. */
static int no_password(char *text, int size, int writing, void *ret_asked)
{
	(void)text;
	(void)size;
	(void)writing;
	*(bool *)ret_asked = true;
	return -1;
}

static bool take_key(struct obi_tls_state *state, SSL_CTX *context, BIO *pem, char why[OBI_TLS_WHY])
{
	bool asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_password, &asked);
	if (key == NULL) {
		ERR_clear_error();
		return bad(state, OBI_TLS_KEY,
			   asked ? "it is encrypted: a password cannot be asked for"
				 : "there is no PEM private key in it",
			   why);
	}
	bool fits = X509_check_private_key(SSL_CTX_get0_certificate(context), key) == 1;
	bool good = fits && SSL_CTX_use_PrivateKey(context, key) == 1;
	EVP_PKEY_free(key);
	if (!fits) {
		ERR_clear_error();
		return bad(state, OBI_TLS_KEY, "it is not the key of the certificate", why);
	}
	return good || bad_pem(state, OBI_TLS_KEY, "cannot be used", why);
}

/* ---- All of it ---- */

/* TLS 1.3 only; each connection proves anew who its ends are. */
static bool set_rules(SSL_CTX *context)
{
	SSL_CTX_set_security_level(context, 2);
	SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_options(context,
			    SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_max_cert_list(context, OB_HANDSHAKE_MAX);
	obi_tls_watch(context);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(context, 0) == 1 &&
	       SSL_CTX_set_max_early_data(context, 0) == 1;
}

/* Symbolic links are followed: tools that renew certificates replace links. */
static bool read_file(struct obi_tls_state *state, enum obi_tls_files file, struct ob_sink *out,
		      char why[OBI_TLS_WHY])
{
	char reason[OBI_SMALL_FILE_WHY];
	bool good =
	    obi_small_file_read(state->files[file].path, OBI_LINKS_FOLLOWED, kinds[file].forbidden,
				out, &state->files[file].stamp, reason);
	if (!good) {
		snprintf(why, OBI_TLS_WHY, "%s: %.380s", kinds[file].name, reason);
	}
	return good;
}

static bool take_file(struct obi_tls_state *state, enum obi_tls_files file, SSL_CTX *context,
		      char why[OBI_TLS_WHY])
{
	static bool (*const take[])(struct obi_tls_state *, SSL_CTX *, BIO *,
				    char *) = {take_chain, take_key, take_ca};
	if (state->files[file].path == NULL) {
		return true;
	}
	void *memory = malloc(kinds[file].max);
	if (memory == NULL) {
		return bad(state, file, "out of memory", why);
	}
	struct ob_sink text = ob_sink_fixed(memory, kinds[file].max);
	bool good = read_file(state, file, &text, why);
	if (good) {
		BIO *pem = BIO_new_mem_buf(memory, (int)text.len);
		good = pem != NULL ? take[file](state, context, pem, why)
				   : bad(state, file, "out of memory", why);
		BIO_free(pem);
	}
	OPENSSL_cleanse(memory, text.len);
	free(memory);
	return good;
}

bool obi_tls_context(struct obi_tls_state *state, SSL_CTX **ret, char why[OBI_TLS_WHY])
{
	ERR_clear_error();
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	if (context == NULL || !set_rules(context)) {
		SSL_CTX_free(context);
		ERR_clear_error();
		snprintf(why, OBI_TLS_WHY, "OpenSSL cannot be used, or has no TLS 1.3");
		return false;
	}
	bool good = true;
	for (int file = 0; good && file < OBI_TLS_FILES; file++) {
		good = take_file(state, (enum obi_tls_files)file, context, why);
	}
	if (!good) {
		SSL_CTX_free(context);
		return false;
	}
	*ret = context;
	return true;
}
