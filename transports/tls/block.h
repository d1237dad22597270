/* SPDX-License-Identifier: MIT */
/*
 * tls/block - memory for bytes of the wire. A connection has much of it only while there are bytes.
 *
 * One block of the full size is kept for the next who needs one, of all connections of this
 * process, so that much data is not carried through memory that the kernel has to clear.
 */
#ifndef OB_TRANSPORTS_TLS_BLOCK_H
#define OB_TRANSPORTS_TLS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OBI_TLS_RECORD = 16384, /* plain bytes of a full record */
	OBI_TLS_BLOCK = 67 * (OBI_TLS_RECORD + 256),
	OBI_TLS_KEPT = 2048
};

/* Bytes [gone, len) of data are waiting; cap: its size. All zero: there is no memory. */
struct obi_tls_block {
	uint8_t *data;
	size_t gone, len, cap;
};

static inline size_t obi_tls_block_waiting(const struct obi_tls_block *block)
{
	return block->len - block->gone;
}

/* Make room for `more` bytes behind those that wait: with them OBI_TLS_BLOCK at most. false: out of
 * memory, and nothing has changed. From any thread. */
bool obi_tls_block_reserve(struct obi_tls_block *block, size_t more);

/* Drop the bytes. Memory of more than OBI_TLS_KEPT bytes is given back. */
void obi_tls_block_empty(struct obi_tls_block *block);

/* Drop the bytes and all memory. */
void obi_tls_block_end(struct obi_tls_block *block);

#endif
