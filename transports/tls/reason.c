/* SPDX-License-Identifier: MIT */
/* Why a connection has failed, in plain words. */
#include "tls/stream.h"

#include <openssl/err.h>
#include <stdio.h>

struct words {
	int number;
	const char *text;
};

static const struct words alerts[] = {
    {SSL_AD_HANDSHAKE_FAILURE, "it found no common ground (handshake failure)"},
    {SSL_AD_BAD_CERTIFICATE, "it does not accept our certificate"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "it does not accept certificates of this kind or purpose"},
    {SSL_AD_CERTIFICATE_REVOKED, "our certificate is revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, "our certificate has expired, or is not yet valid"},
    {SSL_AD_CERTIFICATE_UNKNOWN, "it does not accept our certificate, and does not say why"},
    {SSL_AD_UNKNOWN_CA, "it does not know the CA of our certificate"},
    {SSL_AD_ACCESS_DENIED, "access denied"},
    {SSL_AD_PROTOCOL_VERSION, "it does not speak TLS 1.3"},
    {SSL_AD_INSUFFICIENT_SECURITY, "it requires other cryptography"},
    {SSL_AD_CERTIFICATE_REQUIRED, "it requires a certificate, and we showed none"},
    {SSL_AD_UNRECOGNIZED_NAME, "it does not know the name that we dialled"},
    {0, NULL},
};

static const struct words reasons[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer showed no certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer does not speak TLS 1.3"},
    {SSL_R_WRONG_SSL_VERSION, "the peer does not speak TLS 1.3"},
    {SSL_R_VERSION_TOO_LOW, "the peer does not speak TLS 1.3"},
    {SSL_R_HTTP_REQUEST, "the peer speaks plain HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer speaks plain HTTP, not TLS"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
    {SSL_R_BAD_RECORD_TYPE, "the peer does not speak TLS"},
    {SSL_R_NO_SHARED_CIPHER, "the peer has no cipher in common with us"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "the peer has no key exchange in common with us"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the peer accepts no signature of our key's kind"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "the peer's handshake is too large"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged on the way"},
    {0, NULL},
};

static const char *find(const struct words *words, int number)
{
	while (words->text != NULL && words->number != number) {
		words++;
	}
	return words->text;
}

/* The error of the wire, which explains the one of OpenSSL. `closed`: the peer has announced its
 * end. */
static int of_the_wire(const struct obi_tls_wire *wire, bool ready, bool closed,
		       char why[OBI_TLS_WHY])
{
	if (wire->excess) {
		snprintf(why, OBI_TLS_WHY, "the handshake is larger than %d bytes",
			 OB_HANDSHAKE_MAX);
		return OB_ETOOBIG;
	}
	if (wire->foreign) {
		snprintf(why, OBI_TLS_WHY, "the peer does not speak TLS");
		return OB_EPROTO;
	}
	if (wire->broken.code != 0) {
		snprintf(why, OBI_TLS_WHY, "%.390s", wire->broken.text);
		return wire->broken.code;
	}
	if (wire->ended || closed) {
		snprintf(why, OBI_TLS_WHY,
			 ready ? "the connection was cut: it ended without a close_notify"
			       : "the connection ended during the handshake");
		return OB_ECONNLOST;
	}
	return OB_OK;
}

static int of_openssl(unsigned long error, bool ready, char why[OBI_TLS_WHY])
{
	int reason = ERR_GET_REASON(error);
	const char *text = ERR_reason_error_string(error);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
		const char *alert = find(alerts, reason - SSL_AD_REASON_OFFSET);
		snprintf(why, OBI_TLS_WHY, "the peer refused: %s",
			 alert != NULL ? alert
				       : SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
		/* Any other alert ends a connection that was good. */
		return ready && alert == NULL ? OB_ECONNLOST : OB_EAUTH;
	}
	const char *plain = ERR_GET_LIB(error) == ERR_LIB_SSL ? find(reasons, reason) : NULL;
	snprintf(why, OBI_TLS_WHY, "%s",
		 plain != NULL	? plain
		 : text != NULL ? text
				: "an unknown error of OpenSSL");
	return ready						   ? OB_ECONNLOST
	       : ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE	   ? OB_ENOMEM
	       : reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ? OB_EAUTH
								   : OB_EPROTO;
}

void obi_tls_stream_fail(struct ob_stream *stream)
{
	unsigned long error = ERR_peek_error();
	if (stream->failure == 0) {
		/* A fatal alert would have left an error. */
		bool closed =
		    error == 0 && (SSL_get_shutdown(stream->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
		stream->failure = of_the_wire(&stream->wire, stream->ready,
					      closed && !stream->ready, stream->why);
	}
	if (stream->failure == 0) {
		stream->failure = of_openssl(error, stream->ready, stream->why);
	}
	ERR_clear_error();
}

int obi_tls_stream_failed(struct ob_stream *stream, struct ob_error *reterr)
{
	const char *fault = !stream->ready ? stream->state->fault : "";
	return stream->state->host->fail(
	    reterr, stream->failure, 0, "tls: %.230s%s%.200s", stream->why,
	    fault[0] != '\0' ? "; changed files are not used: " : "", fault);
}
