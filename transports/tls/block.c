/* SPDX-License-Identifier: MIT */
#include "tls/block.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Less than this is allocated as it is: a handshake that comes to a halt holds no full block. */
enum { LITTLE = 2 * OBI_TLS_RECORD };

static _Atomic(uint8_t *) spare; /* of OBI_TLS_BLOCK bytes; NULL: none */

static uint8_t *take(size_t size, size_t *ret_cap)
{
	uint8_t *data = NULL;
	*ret_cap = size < OBI_TLS_KEPT ? OBI_TLS_KEPT : size;
	if (size >= LITTLE) {
		*ret_cap = OBI_TLS_BLOCK;
		data = atomic_exchange(&spare, NULL);
	}
	return data != NULL ? data : malloc(*ret_cap);
}

static void give(uint8_t *data, size_t cap)
{
	uint8_t *none = NULL;
	if (cap != OBI_TLS_BLOCK || !atomic_compare_exchange_strong(&spare, &none, data)) {
		free(data);
	}
}

bool obi_tls_block_reserve(struct obi_tls_block *block, size_t more)
{
	size_t n = obi_tls_block_waiting(block), cap = block->cap;
	uint8_t *data = block->data;
	if (more <= cap - block->len) {
		return true;
	}
	if (n + more > cap && (data = take(n + more, &cap)) == NULL) {
		return false;
	}
	if (n > 0) {
		memmove(data, block->data + block->gone, n);
	}
	if (data != block->data) {
		give(block->data, block->cap);
	}
	*block = (struct obi_tls_block){.data = data, .len = n, .cap = cap};
	return true;
}

void obi_tls_block_empty(struct obi_tls_block *block)
{
	block->gone = block->len = 0;
	if (block->cap > OBI_TLS_KEPT) {
		obi_tls_block_end(block);
	}
}

void obi_tls_block_end(struct obi_tls_block *block)
{
	give(block->data, block->cap);
	*block = (struct obi_tls_block){.data = NULL};
}
