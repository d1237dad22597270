/* SPDX-License-Identifier: MIT */
/* msgpack_read - checks and decodes a message of MessagePack-RPC in one pass. */
#ifndef OB_CODECS_MSGPACK_READ_H
#define OB_CODECS_MSGPACK_READ_H

#include <outboard/codec.h>

/*
 * Decode the message that bytes begin with, and store its length. The bytes need not have been
 * scanned: nothing is believed that they do not have. Params, error and result are at most `depth`
 * levels deep. Only the members of *ret that its kind names are written, and id.
 *
 *   OB_EPROTO  bytes are missing, or it is not a message that obi_msgpack_scan() accepts, or a map
 *              has a key that is no string, or equal keys, or a string is not UTF-8
 *   OB_ENOMEM  the budget of the arena is used up
 */
int obi_msgpack_read(struct ob_bytes bytes, struct ob_arena *arena, uint32_t depth,
		     struct ob_message *ret, size_t *ret_len);

#endif
