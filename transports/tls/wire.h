/* SPDX-License-Identifier: MIT */
/*
 * tls/wire - OpenSSL's way to the transport below: a BIO over its table.
 *
 * Reads go straight to the inner stream, as often as is permitted. Writes are collected, so
 * that several records leave with one call, until obi_tls_wire_flush().
 */
#ifndef OB_TRANSPORTS_TLS_WIRE_H
#define OB_TRANSPORTS_TLS_WIRE_H

#include <outboard/transport.h>

#include <openssl/bio.h>

/* What is collected at most: records of OBI_TLS_BATCH plain bytes with their overhead, and a few
 * small ones. */
enum { OBI_TLS_RECORD = 16384, OBI_TLS_BATCH = 4 * OBI_TLS_RECORD, OBI_TLS_OUT_MAX = 5 * 16640 };

struct obi_tls_wire {
	const struct ob_transport_ops *inner;
	struct ob_stream *stream; /* of inner */
	/* Bytes to write: [gone, len) of out. */
	uint8_t *out;
	size_t len, gone, cap;
	/* Bytes of the handshake in both directions, while it is limited. */
	uint32_t received, sent;
	bool limited;
	/* How often the inner stream may be read. One that has less than there is room for is not
	 * read again. */
	uint32_t reads;
	bool ended;		/* the inner stream has ended */
	bool foreign;		/* what the peer sends is no TLS */
	bool excess;		/* the handshake is larger than OB_HANDSHAKE_MAX */
	struct ob_error broken; /* the failure of reading; code 0: none */
	struct ob_error lost;	/* that of writing */
};

/* The method of the BIOs; NULL: out of memory. Freed with BIO_meth_free() after them. */
BIO_METHOD *obi_tls_wire_method(void);

/* A BIO over wire, which must live longer; NULL: out of memory. */
BIO *obi_tls_wire_bio(const BIO_METHOD *method, struct obi_tls_wire *wire);

/* Whether bytes are collected that the inner stream has not taken. */
bool obi_tls_wire_waits(const struct obi_tls_wire *wire);

/* Make room for `more` bytes, to avoid growing step by step. A failure shows when they are written.
 */
void obi_tls_wire_reserve(struct obi_tls_wire *wire, size_t more);

/* Write what is collected. OB_OK: all of it is written. OB_EAGAIN, or the failure of the inner
 * stream: what was collected is dropped then, and every later call fails likewise. */
int obi_tls_wire_flush(struct obi_tls_wire *wire, struct ob_error *reterr);

/* Close the inner stream and free the collected bytes. */
void obi_tls_wire_close(struct obi_tls_wire *wire);

#endif
