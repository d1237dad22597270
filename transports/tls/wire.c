/* SPDX-License-Identifier: MIT */
#include "tls/wire.h"

enum {
	RECORD_MAX = 5 + OBI_TLS_RECORD + 256, /* RFC 8446, 5.2 */
	OVERHEAD = 22,			       /* of a record without padding */
	READ_MAX = 16 * OBI_TLS_RECORD	       /* plain bytes: with more the caches are left */
};

/* ---- Reading ---- */

bool obi_tls_wire_has_input(const struct obi_tls_wire *wire)
{
	return obi_tls_block_waiting(&wire->in) > 0;
}

void obi_tls_wire_permit(struct obi_tls_wire *wire, uint32_t reads, size_t room)
{
	size_t plain = room < READ_MAX ? room : READ_MAX;
	size_t bytes = plain + (plain / OBI_TLS_RECORD + 1) * OVERHEAD;
	wire->ahead = bytes > RECORD_MAX ? bytes : RECORD_MAX;
	wire->reads = reads;
}

/* OpenSSL would take this for the length of a message of SSL 2, and wait for the rest.
 * MessagePack-RPC begins like that. */
static bool is_foreign(const struct obi_tls_wire *wire)
{
	return wire->limited && wire->received == 0 && (wire->in.data[0] & 0x80) != 0;
}

/* After a read of the inner stream into the block. */
static ptrdiff_t take_input(struct obi_tls_wire *wire, ptrdiff_t n)
{
	if (n <= 0) {
		obi_tls_block_empty(&wire->in);
		wire->ended = n == 0;
		wire->broken.code = n < 0 && n != OB_EAGAIN ? (int)n : 0;
		return n;
	}
	wire->foreign = is_foreign(wire);
	wire->in.len = (size_t)n;
	wire->received += wire->limited ? (uint32_t)n : 0;
	return wire->foreign ? OB_EPROTO : n;
}

/* Read once, if it is permitted. As readv(). */
static ptrdiff_t refill(struct obi_tls_wire *wire)
{
	size_t room = wire->limited ? OB_HANDSHAKE_MAX - wire->received : wire->ahead;
	if (wire->limited && room == 0) {
		wire->excess = true;
		return OB_ETOOBIG;
	}
	if (wire->reads == 0) {
		return OB_EAGAIN;
	}
	if (!obi_tls_block_reserve(&wire->in, room)) {
		wire->broken = (struct ob_error){.code = OB_ENOMEM, .text = "out of memory"};
		return OB_ENOMEM;
	}
	struct iovec piece = {wire->in.data, room};
	ptrdiff_t n = wire->inner->readv(wire->stream, &piece, 1, &wire->broken);
	wire->reads = n == (ptrdiff_t)room ? wire->reads - 1 : 0;
	return take_input(wire, n);
}

static int bio_read(BIO *bio, char *data, int len)
{
	struct obi_tls_wire *wire = BIO_get_data(bio);
	size_t room = len > 0 ? (size_t)len : 0;
	BIO_clear_retry_flags(bio);
	if (wire->ended || wire->broken.code != 0 || wire->excess || wire->foreign) {
		return wire->ended ? 0 : -1;
	}
	ptrdiff_t rc = obi_tls_wire_has_input(wire) ? 1 : refill(wire);
	if (rc <= 0) {
		if (rc == OB_EAGAIN) {
			BIO_set_retry_read(bio);
		}
		return rc == 0 ? 0 : -1;
	}
	size_t have = obi_tls_block_waiting(&wire->in), n = have < room ? have : room;
	memcpy(data, wire->in.data + wire->in.gone, n);
	wire->in.gone += n;
	if (!obi_tls_wire_has_input(wire)) {
		obi_tls_block_empty(&wire->in);
	}
	return (int)n;
}

/* ---- Writing ---- */

void obi_tls_wire_reserve(struct obi_tls_wire *wire, size_t plain)
{
	size_t records = plain / OBI_TLS_RECORD + 1;
	(void)obi_tls_block_reserve(&wire->out, plain + records * OVERHEAD);
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
	if (n > OBI_TLS_BLOCK - obi_tls_block_waiting(&wire->out)) {
		BIO_set_retry_write(bio);
		return -1;
	}
	if (!obi_tls_block_reserve(&wire->out, n)) {
		wire->broken = (struct ob_error){.code = OB_ENOMEM, .text = "out of memory"};
		return -1;
	}
	memcpy(wire->out.data + wire->out.len, data, n);
	wire->out.len += n;
	wire->sent += wire->limited ? (uint32_t)n : 0;
	return len;
}

bool obi_tls_wire_waits(const struct obi_tls_wire *wire)
{
	return obi_tls_block_waiting(&wire->out) > 0;
}

/* What is dropped cannot be made up for: each later call fails, too. */
static int lose(struct obi_tls_wire *wire, struct ob_error *reterr)
{
	obi_tls_block_empty(&wire->out);
	if (reterr != NULL) {
		*reterr = wire->lost;
	}
	return wire->lost.code;
}

int obi_tls_wire_flush(struct obi_tls_wire *wire, struct ob_error *reterr)
{
	while (wire->lost.code == 0 && obi_tls_wire_waits(wire)) {
		struct iovec piece = {wire->out.data + wire->out.gone,
				      obi_tls_block_waiting(&wire->out)};
		struct ob_error err = {.text = ""};
		ptrdiff_t n = wire->inner->writev(wire->stream, &piece, 1, &err);
		if (n == OB_EAGAIN) {
			return OB_EAGAIN;
		}
		if (n <= 0) {
			wire->lost = err;
			wire->lost.code = n < 0 ? (int)n : OB_EIO;
		} else {
			wire->out.gone += (size_t)n;
		}
	}
	if (wire->lost.code != 0) {
		return lose(wire, reterr);
	}
	obi_tls_block_empty(&wire->out);
	return OB_OK;
}

void obi_tls_wire_close(struct obi_tls_wire *wire)
{
	obi_tls_block_end(&wire->in);
	obi_tls_block_end(&wire->out);
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
