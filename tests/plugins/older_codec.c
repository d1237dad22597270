/* SPDX-License-Identifier: MIT */
/* A codec for an older library. Its table has the same members; but it knows no batches, no
 * answers to invalid messages, and no limit on batches. */
#define SKELETON "skeletons/codec.c"
#include "skeleton.h"

static const struct older_codec_ops {
	uint32_t size;
	uint32_t flags;
	int (*scan)(struct ob_bytes bytes, struct ob_scan *progress,
		    const struct ob_codec_params *limits, size_t *ret_len);
	int (*decode)(struct ob_bytes bytes, struct ob_arena *arena,
		      const struct ob_codec_params *limits, struct ob_message *ret_message,
		      struct ob_error *reterr);
	int (*encode)(const struct ob_message *message, const struct ob_codec_params *params,
		      struct ob_sink *out, struct ob_error *reterr);
} older_ops = {sizeof older_ops, 0, scan, decode, encode};

static const struct ob_plugin older = {.size = sizeof older,
				       .kind = OB_PLUGIN_CODEC,
				       .name = "older_codec",
				       .version = "0",
				       .ops = &older_ops};

ENTRY_OF(&older);
