/* SPDX-License-Identifier: MIT */
/* tls/peer - who a certificate is for, and whether that is one of those who are accepted. */
#ifndef OB_TRANSPORTS_TLS_PEER_H
#define OB_TRANSPORTS_TLS_PEER_H

#include <outboard/abi.h>

#include <openssl/x509.h>

enum { OBI_TLS_WHY = 400 }; /* bytes of a reason, with its NUL */
enum { OBI_TLS_SUBJECT = 255, OBI_TLS_FINGERPRINT = 32 };

/* Who is accepted. Empty lists accept everybody whom the CA vouches for. */
struct obi_tls_accepted {
	char **names; /* ended by NULL; NULL: none */
	uint8_t (*fingerprints)[OBI_TLS_FINGERPRINT];
	size_t fingerprint_count;
};

/*
 * Write who the certificate is for: the first URI of its subject alternative names, else the first
 * DNS name, else the common name. Empty: it has none of them. false: that name is not 1 to 255
 * bytes of UTF-8 without control characters.
 */
bool obi_tls_subject(const X509 *certificate, char ret[OBI_TLS_SUBJECT + 1]);

/*
 * Whether the certificate is for this name: an equal URI; an IP address; a DNS name, where "*" in
 * the certificate stands for the first label; or, if `common` and the certificate has neither a URI
 * nor a DNS name, an equal common name.
 */
bool obi_tls_is_for(X509 *certificate, const char *name, bool common);

/* Whether it is for one of the names. */
bool obi_tls_is_for_any(X509 *certificate, char *const *names);

/* Whether the SHA-256 of the certificate or of its public key is in the list. */
bool obi_tls_is_pinned(const X509 *certificate, const struct obi_tls_accepted *accepted);

/* Whether the SHA-256 of the certificate is: then its names are as known as its key. */
bool obi_tls_is_pinned_whole(const X509 *certificate, const struct obi_tls_accepted *accepted);

/* Read 64 hex digits; colons between bytes are skipped. */
bool obi_tls_fingerprint_parse(struct ob_bytes text, uint8_t ret[OBI_TLS_FINGERPRINT]);

/* Why the certificate is not valid now, or cannot be trusted: the plain words for an X509_V_ERR_
 * code. */
void obi_tls_verdict(const X509 *certificate, int code, int depth, char why[OBI_TLS_WHY]);

#endif
