/* SPDX-License-Identifier: MIT */
/* A codec whose table ends before encode, a required member. */
#include <outboard/codec.h>

struct short_ops {
	uint32_t size;
	int (*scan)(struct ob_bytes bytes, size_t seen, const struct ob_codec_params *limits,
		    size_t *ret_len);
	int (*decode)(struct ob_bytes bytes, struct ob_arena *arena,
		      const struct ob_codec_params *limits, struct ob_message *ret_message,
		      struct ob_error *reterr);
};

static int scan(struct ob_bytes bytes, size_t seen, const struct ob_codec_params *limits,
		size_t *ret_len)
{
	(void)bytes, (void)seen, (void)limits, (void)ret_len;
	return OB_EPROTO;
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret_message,
		  struct ob_error *reterr)
{
	(void)bytes, (void)arena, (void)limits, (void)ret_message, (void)reterr;
	return OB_EPROTO;
}

static const struct short_ops ops = {sizeof ops, scan, decode};
static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_CODEC,
					.name = "short_table",
					.version = "1",
					.ops = &ops};

OB_PLUGIN_ENTRY(&plugin);
