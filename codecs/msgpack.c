/* SPDX-License-Identifier: MIT */
/*
 * MessagePack-RPC (https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md) over
 * MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md).
 *
 * All of it is written by hand, since a small call must not cost more in the codec than in the
 * kernel. A fuzz target compares it with msgpack-c.
 */
#include "codecs/msgpack_read.h"
#include "codecs/msgpack_scan.h"
#include "codecs/msgpack_write.h"

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *params, struct ob_message *ret,
		  struct ob_error *reterr)
{
	uint32_t depth = params->depth < OB_DEPTH_MAX ? params->depth : OB_DEPTH_MAX;
	size_t len = 0;
	(void)reterr;
	int r = obi_msgpack_read(bytes, arena, depth, ret, &len);
	return r == OB_OK && len != bytes.len ? OB_EPROTO : r;
}

static const struct ob_codec_ops ops = {
    .size = sizeof ops,
    .scan = obi_msgpack_scan,
    .decode = decode,
    .encode = obi_msgpack_write,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_CODEC,
    .name = "msgpack",
    .version = "0.1.0",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
