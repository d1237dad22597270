/* SPDX-License-Identifier: MIT */
#include "tls/handshake.h"

#include "tls/stream.h"

#include <openssl/err.h>
#include <stdio.h>

/* ---- The peer's certificate ---- */

/* The reason is kept for the log; the code decides which alert the peer gets. */
static bool refuse(struct ob_stream *stream, X509_STORE_CTX *store, int code, const char *why)
{
	if (stream->subject[0] != '\0') {
		snprintf(stream->why, sizeof stream->why, "the peer's certificate (%.120s): %.200s",
			 stream->subject, why);
	} else {
		snprintf(stream->why, sizeof stream->why, "the peer's certificate: %.200s", why);
	}
	stream->failure = OB_EAUTH;
	X509_STORE_CTX_set_error(store, code);
	return false;
}

/* A certificate that is pinned needs no CA, but it must be valid now. */
static int check_dates(const X509 *certificate)
{
	return X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0
		   ? X509_V_ERR_CERT_NOT_YET_VALID
	       : X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0
		   ? X509_V_ERR_CERT_HAS_EXPIRED
		   : X509_V_OK;
}

static bool check_chain(struct ob_stream *stream, X509_STORE_CTX *store, X509 *certificate)
{
	char why[OBI_TLS_WHY];
	int code = X509_V_OK, depth = 0;
	if (stream->state->files[OBI_TLS_CA].path == NULL) {
		code = check_dates(certificate);
	} else if (X509_verify_cert(store) != 1) {
		code = X509_STORE_CTX_get_error(store);
		code = code != X509_V_OK ? code : X509_V_ERR_UNSPECIFIED;
		depth = X509_STORE_CTX_get_error_depth(store);
	}
	if (code == X509_V_OK) {
		return true;
	}
	obi_tls_verdict(certificate, code, depth, why);
	return refuse(stream, store, code, why);
}

static bool check_name(struct ob_stream *stream, X509_STORE_CTX *store, X509 *certificate)
{
	const struct obi_tls_accepted *accepted = &stream->state->accepted;
	char why[OBI_TLS_WHY];
	if (accepted->fingerprint_count > 0 && !obi_tls_is_pinned(certificate, accepted)) {
		return refuse(stream, store, X509_V_ERR_CERT_REJECTED,
			      "it is not in the setting fingerprints");
	}
	if (accepted->names != NULL && !obi_tls_is_for_any(certificate, accepted->names)) {
		return refuse(stream, store, X509_V_ERR_HOSTNAME_MISMATCH,
			      "it is for none of the setting names");
	}
	if (stream->name[0] != '\0' && !obi_tls_is_for(certificate, stream->name, false)) {
		snprintf(why, sizeof why, "it is not for %s", stream->name);
		return refuse(stream, store, X509_V_ERR_HOSTNAME_MISMATCH, why);
	}
	return true;
}

/* Who has a pinned key can put any name beside it, if no CA and no digest says which. */
static bool is_name_known(const struct ob_stream *stream, const X509 *certificate)
{
	return stream->state->files[OBI_TLS_CA].path != NULL ||
	       obi_tls_is_pinned_whole(certificate, &stream->state->accepted);
}

static int verify(X509_STORE_CTX *store, void *unused)
{
	(void)unused;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct ob_stream *stream = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	bool good = obi_tls_subject(certificate, stream->subject) ||
		    refuse(stream, store, X509_V_ERR_CERT_REJECTED,
			   "its name is not 1 to 255 bytes of UTF-8 without control characters");
	good = good && check_chain(stream, store, certificate) &&
	       check_name(stream, store, certificate);
	if (!good || !is_name_known(stream, certificate)) {
		stream->subject[0] = '\0';
	}
	ERR_clear_error();
	return good;
}

/* ---- Progress ---- */

static int hello(SSL *ssl, int *alert, void *unused)
{
	(void)alert;
	(void)unused;
	struct ob_stream *stream = SSL_get_app_data(ssl);
	stream->heard = true;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Called with each whole message, before it is looked at. A failure of the handshake says that it
 * was wrong. */
static void message(int is_sent, int version, int content, const void *data, size_t len, SSL *ssl,
		    void *unused)
{
	(void)version;
	(void)unused;
	struct ob_stream *stream = SSL_get_app_data(ssl);
	if (is_sent || content != SSL3_RT_HANDSHAKE || len == 0 || stream == NULL) {
		return;
	}
	stream->heard = stream->heard || stream->dialer;
	stream->proven = stream->proven || *(const uint8_t *)data == SSL3_MT_CERTIFICATE_VERIFY;
	stream->chatter += stream->ready;
}

void obi_tls_watch(SSL_CTX *context)
{
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	SSL_CTX_set_client_hello_cb(context, hello, NULL);
	SSL_CTX_set_msg_callback(context, message);
}

/* ---- Steps ---- */

static int state_of(const struct ob_stream *stream)
{
	return stream->proven  ? OB_HANDSHAKE_PROVEN
	       : stream->heard ? OB_HANDSHAKE_TALKING
			       : OB_HANDSHAKE_SILENT;
}

/* Wait for the inner stream. What it has read already is not announced by its descriptor. */
static int wait_on(struct ob_stream *stream, int events, struct ob_want *ret_want)
{
	const struct ob_transport_ops *inner = stream->wire.inner;
	events |= obi_tls_wire_waits(&stream->wire) ? OB_WRITABLE : 0;
	bool due = (events & OB_READABLE) != 0 && OB_HAS(inner, pending) &&
		   inner->pending != NULL && inner->pending(stream->wire.stream);
	*ret_want = (struct ob_want){
	    .fd = inner->fd(stream->wire.stream),
	    .events = obi_tls_stream_want(stream, events),
	    .deadline = due ? stream->state->host->now_ms() : -1,
	};
	return state_of(stream);
}

/* What the peer shall learn is in the wire. */
static int give_up(struct ob_stream *stream, struct ob_error *reterr)
{
	obi_tls_stream_fail(stream);
	(void)obi_tls_wire_flush(&stream->wire, NULL);
	return obi_tls_stream_failed(stream, reterr);
}

static int step(struct ob_stream *stream, struct ob_want *ret_want, struct ob_error *reterr)
{
	stream->wire.reads = 1;
	ERR_clear_error();
	int rc = SSL_do_handshake(stream->ssl);
	int problem = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, rc);
	if (problem != SSL_ERROR_NONE && problem != SSL_ERROR_WANT_READ &&
	    problem != SSL_ERROR_WANT_WRITE) {
		return give_up(stream, reterr);
	}
	int flushed = obi_tls_wire_flush(&stream->wire, reterr);
	if (flushed != OB_OK && flushed != OB_EAGAIN) {
		return flushed;
	}
	if (problem == SSL_ERROR_NONE && flushed == OB_OK) {
		stream->ready = true;
		stream->wire.limited = false;
		return OB_HANDSHAKE_DONE;
	}
	return wait_on(stream, problem == SSL_ERROR_WANT_READ ? OB_READABLE : 0, ret_want);
}

int obi_tls_stream_handshake(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			     struct ob_error *reterr)
{
	const struct ob_transport_ops *inner = stream->wire.inner;
	if (stream->failure != 0) {
		return obi_tls_stream_failed(stream, reterr);
	}
	if (!stream->inner_ready && OB_HAS(inner, handshake) && inner->handshake != NULL) {
		int rc = inner->handshake(stream->wire.stream, revents, ret_want, reterr);
		if (rc != OB_HANDSHAKE_DONE) {
			return rc == OB_HANDSHAKE_PROVEN ? OB_HANDSHAKE_TALKING : rc;
		}
	}
	stream->inner_ready = true;
	return step(stream, ret_want, reterr);
}
