/* SPDX-License-Identifier: MIT */
#include "tls/wire.h"

#include <stdlib.h>

/* A buffer of this size is kept while it is empty, so that small messages allocate nothing. */
enum { KEEP = 2048 };

/* ---- Reading ---- */

static int bio_read(BIO *bio, char *data, int len)
{
	struct obi_tls_wire *wire = BIO_get_data(bio);
	struct iovec piece = {data, len > 0 ? (size_t)len : 0};
	BIO_clear_retry_flags(bio);
	if (wire->ended || wire->broken.code != 0 || wire->excess || wire->foreign) {
		return wire->ended ? 0 : -1;
	}
	if (wire->limited && wire->received + piece.iov_len > OB_HANDSHAKE_MAX) {
		piece.iov_len = OB_HANDSHAKE_MAX - wire->received;
	}
	if (piece.iov_len == 0) {
		wire->excess = true;
		return -1;
	}
	if (wire->reads == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	ptrdiff_t n = wire->inner->readv(wire->stream, &piece, 1, &wire->broken);
	wire->reads = n == (ptrdiff_t)piece.iov_len ? wire->reads - 1 : 0;
	if (n == OB_EAGAIN) {
		BIO_set_retry_read(bio);
	} else if (n < 0) {
		wire->broken.code = (int)n;
	}
	/* OpenSSL would take this for the length of a message of SSL 2, and wait for the rest.
	 * MessagePack-RPC begins like that. */
	wire->foreign = n > 0 && wire->limited && wire->received == 0 && (data[0] & 0x80) != 0;
	wire->ended = n == 0;
	wire->received += wire->limited && n > 0 ? (uint32_t)n : 0;
	return n > 0 && !wire->foreign ? (int)n : n == 0 ? 0 : -1;
}

/* ---- Writing ---- */

static bool make_room(struct obi_tls_wire *wire, size_t more)
{
	if (wire->gone > 0) {
		memmove(wire->out, wire->out + wire->gone, wire->len - wire->gone);
		wire->len -= wire->gone;
		wire->gone = 0;
	}
	size_t want = wire->len + more, cap = want > KEEP ? want : KEEP;
	if (want <= wire->cap) {
		return true;
	}
	uint8_t *out = realloc(wire->out, cap);
	if (out == NULL) {
		return false;
	}
	wire->out = out;
	wire->cap = cap;
	return true;
}

void obi_tls_wire_reserve(struct obi_tls_wire *wire, size_t more)
{
	(void)make_room(wire, more);
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct obi_tls_wire *wire = BIO_get_data(bio);
	size_t n = len > 0 ? (size_t)len : 0;
	BIO_clear_retry_flags(bio);
	if (wire->limited && wire->sent + n > OB_HANDSHAKE_MAX) {
		wire->excess = true;
		return -1;
	}
	if (n > OBI_TLS_OUT_MAX - (wire->len - wire->gone)) {
		BIO_set_retry_write(bio);
		return -1;
	}
	if (!make_room(wire, n)) {
		wire->broken = (struct ob_error){.code = OB_ENOMEM, .text = "out of memory"};
		return -1;
	}
	memcpy(wire->out + wire->len, data, n);
	wire->len += n;
	wire->sent += wire->limited ? (uint32_t)n : 0;
	return len;
}

bool obi_tls_wire_waits(const struct obi_tls_wire *wire)
{
	return wire->gone < wire->len;
}

static void emptied(struct obi_tls_wire *wire)
{
	wire->len = wire->gone = 0;
	if (wire->cap > KEEP) {
		free(wire->out);
		wire->out = NULL;
		wire->cap = 0;
	}
}

/* What is dropped cannot be made up for: each later call fails, too. */
static int lose(struct obi_tls_wire *wire, struct ob_error *reterr)
{
	emptied(wire);
	if (reterr != NULL) {
		*reterr = wire->lost;
	}
	return wire->lost.code;
}

int obi_tls_wire_flush(struct obi_tls_wire *wire, struct ob_error *reterr)
{
	while (wire->lost.code == 0 && obi_tls_wire_waits(wire)) {
		struct iovec piece = {wire->out + wire->gone, wire->len - wire->gone};
		struct ob_error err = {.text = ""};
		ptrdiff_t n = wire->inner->writev(wire->stream, &piece, 1, &err);
		if (n == OB_EAGAIN) {
			return OB_EAGAIN;
		}
		if (n <= 0) {
			wire->lost = err;
			wire->lost.code = n < 0 ? (int)n : OB_EIO;
		} else {
			wire->gone += (size_t)n;
		}
	}
	if (wire->lost.code != 0) {
		return lose(wire, reterr);
	}
	emptied(wire);
	return OB_OK;
}

void obi_tls_wire_close(struct obi_tls_wire *wire)
{
	free(wire->out);
	wire->out = NULL;
	wire->len = wire->gone = wire->cap = 0;
	if (wire->stream != NULL) {
		wire->inner->close(wire->stream);
		wire->stream = NULL;
	}
}

/* ---- The BIO ---- */

static long bio_ctrl(BIO *bio, int command, long number, void *data)
{
	(void)bio;
	(void)number;
	(void)data;
	return command == BIO_CTRL_FLUSH; /* the owner of the wire flushes */
}

BIO_METHOD *obi_tls_wire_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "outboard");
	if (method != NULL &&
	    (!BIO_meth_set_read(method, bio_read) || !BIO_meth_set_write(method, bio_write) ||
	     !BIO_meth_set_ctrl(method, bio_ctrl))) {
		BIO_meth_free(method);
		method = NULL;
	}
	return method;
}

BIO *obi_tls_wire_bio(const BIO_METHOD *method, struct obi_tls_wire *wire)
{
	BIO *bio = BIO_new(method);
	if (bio != NULL) {
		BIO_set_data(bio, wire);
		BIO_set_init(bio, 1);
	}
	return bio;
}
