/* SPDX-License-Identifier: MIT */
/* msgpack_scan - finds the end of a message of MessagePack-RPC, and refuses malformed ones. */
#ifndef OB_CODECS_MSGPACK_SCAN_H
#define OB_CODECS_MSGPACK_SCAN_H

#include <outboard/codec.h>

/* The root array does not count as a level: the limit is for params and results. */
enum { OBI_MSGPACK_LEVELS = OB_DEPTH_MAX + 1 };

/* scan() of struct ob_codec_ops. A message that it accepts has no extensions, no more than
 * OBI_MSGPACK_LEVELS levels, and as many bytes as its counts and lengths say. */
int obi_msgpack_scan(struct ob_bytes bytes, struct ob_scan *progress,
		     const struct ob_codec_params *limits, size_t *ret_len);

#endif
