/* SPDX-License-Identifier: MIT */
/* json_canonical - the fast way through messages in the form that this library writes. */
#ifndef OB_CODECS_JSON_CANONICAL_H
#define OB_CODECS_JSON_CANONICAL_H

#include <outboard/codec.h>

/*
 * Decode a line, newline included, that has exactly one of these forms up to its last brace; N is
 * an id of at most 32 bits, M has no escapes, V is any text of JSON. depth: levels of V.
 *
 *   {"jsonrpc":"2.0","id":N,"method":"M","params":V}
 *   {"jsonrpc":"2.0","method":"M","params":V}
 *   {"jsonrpc":"2.0","id":N,"result":V}
 *
 * False: another form, or something is wrong with it, which is not for here to judge.
 */
bool obi_json_canonical(struct ob_bytes line, struct ob_arena *arena, uint32_t depth,
			struct ob_message *ret);

#endif
