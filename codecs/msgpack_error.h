/* SPDX-License-Identifier: MIT */
/* msgpack_error - the error of a reply: [code, message] or [code, message, data] on the wire, a map
 * in the tree. */
#ifndef OB_CODECS_MSGPACK_ERROR_H
#define OB_CODECS_MSGPACK_ERROR_H

#include <outboard/codec.h>

/* Make the map of an array of this form; any other value stays what it is. False: the arena is
 * full. */
bool obi_msgpack_error_read(struct ob_value *error, struct ob_arena *arena);

/* Whether this is a map that is written as an array. */
bool obi_msgpack_error_is_standard(const struct ob_value *error);

#endif
