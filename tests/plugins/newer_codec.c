/* SPDX-License-Identifier: MIT */
/* A codec for a newer library: its descriptor and its table have members that this library does
 * not know. */
#define SKELETON "skeletons/codec.c"
#include "skeleton.h"

static const struct {
	struct ob_codec_ops known;
	int (*compress)(struct ob_sink *out);
} newer_ops = {
    .known = {.size = sizeof newer_ops, .scan = scan, .decode = decode, .encode = encode}};

static const struct {
	struct ob_plugin known;
	const char *license;
} newer = {.known = {.size = sizeof newer,
		     .kind = OB_PLUGIN_CODEC,
		     .name = "newer_codec",
		     .version = "99",
		     .ops = &newer_ops},
	   .license = "MIT"};

ENTRY_OF(&newer.known);
