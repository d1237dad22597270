/* SPDX-License-Identifier: MIT */
/* fuzz/msgpack_reference - a codec of MessagePack-RPC on msgpack-c, with which the shipped one is
 * compared. */
#ifndef OB_TESTS_FUZZ_MSGPACK_REFERENCE_H
#define OB_TESTS_FUZZ_MSGPACK_REFERENCE_H

#include <outboard/codec.h>

extern const struct ob_codec_ops msgpack_reference;

#endif
