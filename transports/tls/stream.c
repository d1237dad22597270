/* SPDX-License-Identifier: MIT */
#include "tls/stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* AES-GCM may protect 2^24.5 full records with one key (RFC 8446, 5.5). */
enum { RECORDS_PER_KEY = 1 << 22, BINDING = 32 };

/* Reads of the inner stream for one of ours, while it has as much as there is room for. */
enum { READS = 4 };

/* ---- Life ---- */

/* Only names are told to the acceptor, and no addresses (RFC 6066). */
static bool is_host_name(const char *name)
{
	uint8_t address[16];
	return name[0] != '\0' && inet_pton(AF_INET, name, address) != 1 &&
	       inet_pton(AF_INET6, name, address) != 1;
}

/* An acceptor that is not mutual asks for no certificate. */
static void set_role(struct ob_stream *stream, const char *name)
{
	const int both = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	if (!stream->dialer) {
		SSL_set_verify(stream->ssl, stream->state->mutual ? both : SSL_VERIFY_NONE, NULL);
		SSL_set_accept_state(stream->ssl);
		return;
	}
	SSL_set_verify(stream->ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_connect_state(stream->ssl);
	snprintf(stream->name, sizeof stream->name, "%s", name != NULL ? name : "");
	if (is_host_name(stream->name)) {
		(void)SSL_set_tlsext_host_name(stream->ssl, stream->name);
	}
}

struct ob_stream *obi_tls_stream_new(struct obi_tls_state *state,
				     const struct ob_transport_ops *inner, bool dialer,
				     const char *name)
{
	struct ob_stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL) {
		return NULL;
	}
	stream->state = state;
	stream->dialer = dialer;
	stream->wire.inner = inner;
	stream->wire.limited = true;
	BIO *bio = obi_tls_wire_bio(state->method, &stream->wire);
	stream->ssl = bio != NULL ? SSL_new(state->context) : NULL;
	if (stream->ssl == NULL || !SSL_set_app_data(stream->ssl, stream)) {
		BIO_free(bio);
		obi_tls_stream_close(stream);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(stream->ssl, bio, bio);
	set_role(stream, name);
	return stream;
}

void obi_tls_stream_begin(struct ob_stream *stream, struct ob_stream *inner)
{
	stream->wire.stream = inner;
}

int obi_tls_stream_fd(struct ob_stream *stream)
{
	return stream->wire.inner->fd(stream->wire.stream);
}

/* Put a close_notify into the wire, once. */
static void notify(struct ob_stream *stream)
{
	if (!stream->notified && stream->ready && stream->failure == 0) {
		ERR_clear_error();
		(void)SSL_shutdown(stream->ssl);
		ERR_clear_error();
	}
	stream->notified = true;
}

/* An end is announced by shutdown_write() only. An alert may be left in the wire. */
void obi_tls_stream_close(struct ob_stream *stream)
{
	if (stream == NULL) {
		return;
	}
	if (stream->wire.stream != NULL) {
		(void)obi_tls_wire_flush(&stream->wire, NULL);
	}
	SSL_free(stream->ssl);
	obi_tls_wire_close(&stream->wire);
	free(stream);
}

/* The bytes of the pieces, `most` at most. */
static size_t total_of(const struct iovec *pieces, int count, size_t most)
{
	size_t total = 0;
	for (int i = 0; i < count && total < most; i++) {
		total += pieces[i].iov_len;
	}
	return total < most ? total : most;
}

/* ---- Reading ---- */

/* After a read that returned nothing: OB_EAGAIN, 0 or the failure. */
static ptrdiff_t outcome(struct ob_stream *stream)
{
	switch (SSL_get_error(stream->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return OB_EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		stream->ended = true;
		obi_tls_block_end(&stream->wire.in); /* what is behind an end is not read */
		return 0;
	default:
		obi_tls_stream_fail(stream);
		return stream->failure;
	}
}

static bool talks_too_much(struct ob_stream *stream)
{
	if (stream->chatter > OBI_TLS_CHATTER && stream->failure == 0) {
		stream->failure = OB_ECONNLOST;
		snprintf(stream->why, sizeof stream->why,
			 "the peer sends messages of the protocol without data");
	}
	return stream->failure != 0;
}

/* Read from what has arrived, and from the inner stream as permitted. */
static ptrdiff_t read_some(struct ob_stream *stream, void *to, size_t room)
{
	size_t n = 0;
	if (stream->failure != 0 || stream->ended) {
		return stream->failure;
	}
	ERR_clear_error();
	if (SSL_read_ex(stream->ssl, to, room, &n) == 1) {
		if (talks_too_much(stream)) {
			return stream->failure;
		}
		stream->chatter = 0;
		return (ptrdiff_t)n;
	}
	ptrdiff_t rc = outcome(stream);
	return rc == OB_EAGAIN && talks_too_much(stream) ? stream->failure : rc;
}

/* Whether bytes of a record, or all of it, were read that are not decrypted. */
static bool has_input(struct ob_stream *stream)
{
	return SSL_has_pending(stream->ssl) || obi_tls_wire_has_input(&stream->wire);
}

/* Fill one piece. *ret_rc is what stopped it: 1, or the result of a read without bytes. */
static size_t fill(struct ob_stream *stream, const struct iovec *piece, ptrdiff_t *ret_rc)
{
	size_t got = 0;
	*ret_rc = 1;
	while (*ret_rc > 0 && got < piece->iov_len) {
		*ret_rc = read_some(stream, (uint8_t *)piece->iov_base + got, piece->iov_len - got);
		got += *ret_rc > 0 ? (size_t)*ret_rc : 0;
		if (*ret_rc > 0 && stream->wire.reads == 0 && !has_input(stream)) {
			*ret_rc = OB_EAGAIN; /* without another attempt */
		}
	}
	return got;
}

ptrdiff_t obi_tls_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			       struct ob_error *reterr)
{
	ptrdiff_t rc = 1;
	size_t got = 0;
	(void)obi_tls_wire_flush(&stream->wire, NULL); /* writev() reports a failure */
	obi_tls_wire_permit(&stream->wire, READS, total_of(pieces, count, SIZE_MAX));
	for (int i = 0; i < count && rc > 0; i++) {
		got += fill(stream, &pieces[i], &rc);
	}
	if (got > 0 || rc == OB_EAGAIN) {
		return got > 0 ? (ptrdiff_t)got : OB_EAGAIN;
	}
	stream->told = true;
	if (rc == 0) {
		return 0;
	}
	(void)obi_tls_wire_flush(&stream->wire, NULL); /* what the peer shall learn of it */
	return obi_tls_stream_failed(stream, reterr);
}

/* Looking at a byte decrypts a record if all of it is there. It may also meet the end. */
bool obi_tls_stream_pending(struct ob_stream *stream)
{
	const struct ob_transport_ops *inner = stream->wire.inner;
	uint8_t byte;
	size_t n;
	if (!stream->ready || stream->told) {
		return false;
	}
	if (stream->failure == 0 && !stream->ended && SSL_pending(stream->ssl) == 0 &&
	    has_input(stream)) {
		stream->wire.reads = 0;
		ERR_clear_error();
		if (SSL_peek_ex(stream->ssl, &byte, 1, &n) != 1) {
			(void)outcome(stream);
		}
	}
	return stream->failure != 0 || stream->ended || SSL_pending(stream->ssl) > 0 ||
	       (OB_HAS(inner, pending) && inner->pending != NULL &&
		inner->pending(stream->wire.stream));
}

/* ---- Writing ---- */

/* Put small pieces together, so that a message is one record. The first piece is used where it is
 * if it fills a record. */
static size_t gather(const struct iovec *pieces, int count, size_t skip, uint8_t *scratch,
		     const uint8_t **ret)
{
	size_t len = 0;
	for (int i = 0; i < count && len < OBI_TLS_RECORD; i++) {
		size_t left = pieces[i].iov_len > skip ? pieces[i].iov_len - skip : 0;
		if (left == 0) {
			skip -= pieces[i].iov_len;
			continue;
		}
		const uint8_t *from = (const uint8_t *)pieces[i].iov_base + skip;
		skip = 0;
		if (len == 0 && (left >= OBI_TLS_RECORD || i == count - 1)) {
			*ret = from;
			return left < OBI_TLS_RECORD ? left : OBI_TLS_RECORD;
		}
		size_t n = left < OBI_TLS_RECORD - len ? left : OBI_TLS_RECORD - len;
		memcpy(scratch + len, from, n);
		len += n;
	}
	*ret = scratch;
	return len;
}

/* One record into the wire. 0: there is no room, or it failed. */
static size_t write_record(struct ob_stream *stream, const uint8_t *data, size_t len)
{
	size_t n = 0;
	ERR_clear_error();
	if (++stream->records >= RECORDS_PER_KEY) {
		stream->records = 0;
		(void)SSL_key_update(stream->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	}
	if (SSL_write_ex(stream->ssl, data, len, &n) == 1) {
		return n;
	}
	int problem = SSL_get_error(stream->ssl, 0);
	if (problem != SSL_ERROR_WANT_WRITE && problem != SSL_ERROR_WANT_READ) {
		obi_tls_stream_fail(stream);
	}
	return 0;
}

/* Plain bytes that are encrypted before any is written. None of them is reported before all are
 * written, so they must fit into a socket of which the peer has read what was reported. */
static size_t batch_of(struct ob_stream *stream)
{
	int room = 0;
	socklen_t len = sizeof room;
	if (getsockopt(obi_tls_stream_fd(stream), SOL_SOCKET, SO_SNDBUF, &room, &len) != 0) {
		room = 0; /* no socket */
	}
	int records = room / 2 / OBI_TLS_RECORD;
	records = records > OBI_TLS_BATCH_MIN ? records : OBI_TLS_BATCH_MIN;
	records = records < OBI_TLS_BATCH_MAX ? records : OBI_TLS_BATCH_MAX;
	return (size_t)records * OBI_TLS_RECORD;
}

/* The bytes of the pieces, a batch at most. */
static size_t to_encrypt(struct ob_stream *stream, const struct iovec *pieces, int count)
{
	size_t least = (size_t)OBI_TLS_BATCH_MIN * OBI_TLS_RECORD;
	size_t total = total_of(pieces, count, least + 1);
	return total <= least ? total : total_of(pieces, count, batch_of(stream));
}

/* Encrypt up to a batch into the wire, which is empty. */
static size_t encrypt(struct ob_stream *stream, const struct iovec *pieces, int count)
{
	uint8_t scratch[OBI_TLS_RECORD];
	size_t total = to_encrypt(stream, pieces, count), done = 0, n = 1;
	obi_tls_wire_reserve(&stream->wire, total);
	while (done < total && n > 0) {
		const uint8_t *data;
		size_t len = gather(pieces, count, done, scratch, &data);
		n = write_record(stream, data, len < total - done ? len : total - done);
		done += n;
	}
	return done;
}

/* A refusal by the peer explains why writing failed. It may be read still. */
static ptrdiff_t write_failed(struct ob_stream *stream, struct ob_error *reterr, int code)
{
	uint8_t byte;
	size_t n;
	obi_tls_wire_permit(&stream->wire, 1, 0);
	ERR_clear_error();
	if (stream->failure == 0 && SSL_peek_ex(stream->ssl, &byte, 1, &n) != 1) {
		(void)outcome(stream);
	}
	return stream->failure != 0 ? obi_tls_stream_failed(stream, reterr) : code;
}

/* Bytes are reported when all that was made of them is written: close() may come after that. */
ptrdiff_t obi_tls_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
				struct ob_error *reterr)
{
	if (stream->failure != 0) {
		return obi_tls_stream_failed(stream, reterr);
	}
	if (!obi_tls_wire_waits(&stream->wire) && stream->owed == 0) {
		stream->owed = encrypt(stream, pieces, count);
	}
	int rc = obi_tls_wire_flush(&stream->wire, reterr);
	if (rc != OB_OK && rc != OB_EAGAIN) {
		return write_failed(stream, reterr, rc);
	}
	if (stream->failure != 0) {
		return obi_tls_stream_failed(stream, reterr);
	}
	if (rc == OB_EAGAIN || stream->owed == 0) {
		return OB_EAGAIN;
	}
	size_t n = stream->owed;
	stream->owed = 0;
	return (ptrdiff_t)n;
}

int obi_tls_stream_shutdown_write(struct ob_stream *stream, struct ob_error *reterr)
{
	int rc = obi_tls_wire_flush(&stream->wire, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	notify(stream);
	rc = obi_tls_wire_flush(&stream->wire, reterr);
	return rc == OB_OK ? stream->wire.inner->shutdown_write(stream->wire.stream, reterr) : rc;
}

int obi_tls_stream_want(struct ob_stream *stream, int events)
{
	const struct ob_transport_ops *inner = stream->wire.inner;
	events |= obi_tls_wire_waits(&stream->wire) ? OB_WRITABLE : 0;
	return OB_HAS(inner, want) && inner->want != NULL ? inner->want(stream->wire.stream, events)
							  : events;
}

/* ---- Facts ---- */

int obi_tls_stream_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	const struct ob_transport_ops *inner = stream->wire.inner;
	ret->known = 0;
	int rc = inner->peer != NULL ? inner->peer(stream->wire.stream, ret, reterr) : OB_OK;
	if (rc != OB_OK || !OB_HAS(ret, subject)) {
		return rc;
	}
	ret->known &= ~(uint32_t)OB_PEER_SUBJECT;
	if (stream->ready && stream->subject[0] != '\0') {
		ret->known |= OB_PEER_SUBJECT;
		ret->subject = ob_bytes_text(stream->subject);
	}
	return OB_OK;
}

/* RFC 9266. */
int obi_tls_stream_binding(struct ob_stream *stream, struct ob_sink *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	uint8_t binding[BINDING];
	ERR_clear_error();
	if (!stream->ready ||
	    SSL_export_keying_material(stream->ssl, binding, sizeof binding, label,
				       sizeof label - 1, NULL, 0, 1) != 1) {
		ERR_clear_error();
		return OB_EIO;
	}
	return ob_sink_put(out, binding, sizeof binding) ? OB_OK : OB_ENOMEM;
}
