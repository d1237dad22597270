/* SPDX-License-Identifier: MIT */
/*
 * tls/wire - OpenSSL's way to the transport below: a BIO over its table.
 *
 * What the inner stream has is read in large pieces, as often as is permitted, and handed to
 * OpenSSL as it asks: a header, then a record. Writes are collected, so that many records leave
 * with one call, until obi_tls_wire_flush(). A connection that waits for its peer has a small
 * buffer only.
 */
#ifndef OB_TRANSPORTS_TLS_WIRE_H
#define OB_TRANSPORTS_TLS_WIRE_H

#include "tls/block.h"

#include <outboard/transport.h>

#include <openssl/bio.h>

/* Records that leave with one call. A message of 1 MiB can leave at once, so that the peer is not
 * woken for each part of it. They fit into a block, with a few small ones. */
enum { OBI_TLS_BATCH_MIN = 4, OBI_TLS_BATCH_MAX = 66 };

struct obi_tls_wire {
	const struct ob_transport_ops *inner;
	struct ob_stream *stream; /* of inner */
	struct obi_tls_block in;  /* was read */
	struct obi_tls_block out; /* to be written */
	/* Bytes of the handshake in both directions, while it is limited. */
	uint32_t received, sent;
	bool limited;
	/* How often the inner stream may be read. One that has less than there is room for is not
	 * read again. */
	uint32_t reads;
	size_t ahead;		/* the most bytes of such a read after the handshake */
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

/* Whether bytes were read that OpenSSL has not asked for. */
bool obi_tls_wire_has_input(const struct obi_tls_wire *wire);

/* Let each read take as much as fills `room` bytes with data, and permit this number of them. */
void obi_tls_wire_permit(struct obi_tls_wire *wire, uint32_t reads, size_t room);

/* Whether bytes are collected that the inner stream has not taken. */
bool obi_tls_wire_waits(const struct obi_tls_wire *wire);

/* Make room for the records of `plain` bytes, to avoid growing step by step. A failure shows when
 * they are written. */
void obi_tls_wire_reserve(struct obi_tls_wire *wire, size_t plain);

/* Write what is collected. OB_OK: all of it is written. OB_EAGAIN, or the failure of the inner
 * stream: what was collected is dropped then, and every later call fails likewise. */
int obi_tls_wire_flush(struct obi_tls_wire *wire, struct ob_error *reterr);

/* Close the inner stream and drop all bytes. */
void obi_tls_wire_close(struct obi_tls_wire *wire);

#endif
