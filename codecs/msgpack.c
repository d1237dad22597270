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

static uint32_t depth_of(const struct ob_codec_params *params)
{
	return params->depth < OB_DEPTH_MAX ? params->depth : OB_DEPTH_MAX;
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *params, struct ob_message *ret,
		  struct ob_error *reterr)
{
	size_t len = 0;
	(void)reterr;
	int r = obi_msgpack_read(bytes, arena, depth_of(params), ret, &len);
	return r == OB_OK && len != bytes.len ? OB_EPROTO : r;
}

static int read(struct ob_bytes bytes, struct ob_arena *arena, const struct ob_codec_params *params,
		struct ob_message *ret, size_t *ret_len)
{
	size_t most = bytes.len < params->message ? bytes.len : params->message;
	int r =
	    obi_msgpack_read(ob_bytes_of(bytes.data, most), arena, depth_of(params), ret, ret_len);
	return r == OB_OK;
}

static const struct ob_codec_ops ops = {
    .size = sizeof ops,
    .scan = obi_msgpack_scan,
    .decode = decode,
    .encode = obi_msgpack_write,
    .read = read,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_CODEC,
    .name = "msgpack",
    .version = "0.1.0",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
