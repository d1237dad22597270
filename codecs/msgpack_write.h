/* SPDX-License-Identifier: MIT */
/* msgpack_write - encodes a message of MessagePack-RPC. */
#ifndef OB_CODECS_MSGPACK_WRITE_H
#define OB_CODECS_MSGPACK_WRITE_H

#include <outboard/codec.h>

/* encode() of struct ob_codec_ops. Each number and length has its shortest form. */
int obi_msgpack_write(const struct ob_message *message, const struct ob_codec_params *params,
		      struct ob_sink *out, struct ob_error *reterr);

#endif
