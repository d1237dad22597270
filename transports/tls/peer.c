/* SPDX-License-Identifier: MIT */
#include "tls/peer.h"

#include <outboard/value.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/text.h"

/* ---- Names of a certificate ---- */

/* The first alternative name of this kind, as a borrowed view. */
static bool first_of(const GENERAL_NAMES *names, int kind, struct ob_bytes *ret)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == kind) {
			const ASN1_STRING *text =
			    kind == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName;
			*ret = ob_bytes_of(ASN1_STRING_get0_data(text),
					   (size_t)ASN1_STRING_length(text));
			return true;
		}
	}
	return false;
}

/* The common name as UTF-8, to be freed with OPENSSL_free(); NULL: none. */
static uint8_t *common_name(const X509 *certificate, size_t *ret_len)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	uint8_t *text = NULL;
	int len = at < 0 ? -1
			 : ASN1_STRING_to_UTF8(
			       &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	*ret_len = len > 0 ? (size_t)len : 0;
	return len >= 0 ? text : NULL;
}

static bool put(struct ob_bytes text, char ret[OBI_TLS_SUBJECT + 1])
{
	bool good = text.len > 0 && text.len <= OBI_TLS_SUBJECT && ob_is_utf8(text) &&
		    !obi_has_control(text);
	size_t len = good ? text.len : 0;
	memcpy(ret, len > 0 ? text.data : (const uint8_t *)"", len);
	ret[len] = '\0';
	return good;
}

bool obi_tls_subject(const X509 *certificate, char ret[OBI_TLS_SUBJECT + 1])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	struct ob_bytes text;
	size_t len;
	uint8_t *common = NULL;
	bool good = true;
	ret[0] = '\0';
	if (first_of(names, GEN_URI, &text) || first_of(names, GEN_DNS, &text)) {
		good = put(text, ret);
	} else if ((common = common_name(certificate, &len)) != NULL) {
		good = put(ob_bytes_of(common, len), ret);
	}
	OPENSSL_free(common);
	GENERAL_NAMES_free(names);
	return good;
}

/* ---- Comparison ---- */

static bool has_uri(const GENERAL_NAMES *names, const char *uri)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *text = name->d.uniformResourceIdentifier;
		if (name->type == GEN_URI &&
		    ob_bytes_is(
			ob_bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)),
			uri)) {
			return true;
		}
	}
	return false;
}

static bool has_common_name(const X509 *certificate, const char *name)
{
	size_t len;
	uint8_t *common = common_name(certificate, &len);
	bool same = common != NULL && ob_bytes_is(ob_bytes_of(common, len), name);
	OPENSSL_free(common);
	return same;
}

bool obi_tls_is_for(X509 *certificate, const char *name, bool common)
{
	const unsigned flags =
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	struct ob_bytes text;
	bool bare = !first_of(names, GEN_URI, &text) && !first_of(names, GEN_DNS, &text);
	bool good = has_uri(names, name) || X509_check_ip_asc(certificate, name, 0) == 1 ||
		    /* ".example.org" would stand for all that is below. */
		    (name[0] != '.' && X509_check_host(certificate, name, 0, flags, NULL) == 1) ||
		    (common && bare && has_common_name(certificate, name));
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return good;
}

bool obi_tls_is_for_any(X509 *certificate, char *const *names)
{
	while (*names != NULL && !obi_tls_is_for(certificate, *names, true)) {
		names++;
	}
	return *names != NULL;
}

/* ---- Fingerprints ---- */

static bool is_listed(const struct obi_tls_accepted *accepted, const uint8_t *digest)
{
	for (size_t i = 0; i < accepted->fingerprint_count; i++) {
		if (memcmp(accepted->fingerprints[i], digest, OBI_TLS_FINGERPRINT) == 0) {
			return true;
		}
	}
	return false;
}

bool obi_tls_is_pinned_whole(const X509 *certificate, const struct obi_tls_accepted *accepted)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	return X509_digest(certificate, EVP_sha256(), digest, NULL) && is_listed(accepted, digest);
}

bool obi_tls_is_pinned(const X509 *certificate, const struct obi_tls_accepted *accepted)
{
	uint8_t digest[EVP_MAX_MD_SIZE], *spki = NULL;
	if (obi_tls_is_pinned_whole(certificate, accepted)) {
		return true;
	}
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	bool good = len > 0 && EVP_Digest(spki, (size_t)len, digest, NULL, EVP_sha256(), NULL) &&
		    is_listed(accepted, digest);
	OPENSSL_free(spki);
	return good;
}

static int hex_of(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool obi_tls_fingerprint_parse(struct ob_bytes text, uint8_t ret[OBI_TLS_FINGERPRINT])
{
	size_t at = 0;
	for (size_t i = 0; i < OBI_TLS_FINGERPRINT; i++) {
		at += i > 0 && at < text.len && text.data[at] == ':';
		int high = at + 1 < text.len ? hex_of(text.data[at]) : -1;
		int low = high >= 0 ? hex_of(text.data[at + 1]) : -1;
		if (low < 0) {
			return false;
		}
		ret[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return at == text.len;
}

/* ---- Reasons ---- */

static void tell_date(const char *what, const ASN1_TIME *date, char why[OBI_TLS_WHY])
{
	struct tm tm;
	char text[32] = "an unknown date";
	if (ASN1_TIME_to_tm(date, &tm)) {
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	snprintf(why, OBI_TLS_WHY, "%s %s", what, text);
}

static void tell_dates(const X509 *certificate, int code, int depth, char why[OBI_TLS_WHY])
{
	bool over = code == X509_V_ERR_CERT_HAS_EXPIRED;
	if (depth > 0) {
		snprintf(why, OBI_TLS_WHY, "a CA certificate above it %s",
			 over ? "has expired" : "is not yet valid");
	} else if (over) {
		tell_date("it expired at", X509_get0_notAfter(certificate), why);
	} else {
		tell_date("it is valid only from", X509_get0_notBefore(certificate), why);
	}
}

void obi_tls_verdict(const X509 *certificate, int code, int depth, char why[OBI_TLS_WHY])
{
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		tell_dates(certificate, code, depth, why);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		snprintf(why, OBI_TLS_WHY, "no CA of the setting ca has signed it");
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		snprintf(why, OBI_TLS_WHY, "its extended key usage does not allow this end");
		break;
	default:
		snprintf(why, OBI_TLS_WHY, "%s", X509_verify_cert_error_string(code));
	}
}
