/* SPDX-License-Identifier: MIT */
/*
 * conformance/codec - what outboard/codec.h promises, tried on a codec: ours in our tests,
 * anybody's in `outboard plugin check`. It takes a checked table, so it runs on what the host would
 * use. What crashes or hangs, crashes or hangs it.
 */
#ifndef OB_CONFORMANCE_CODEC_H
#define OB_CONFORMANCE_CODEC_H

#include <outboard/codec.h>

#include "conformance/verdict.h"

struct obi_conform_codec {
	const struct ob_codec_ops *ops;
	const struct ob_codec_ops
	    *other; /* a codec to compare with: both must carry the same; NULL: that is skipped */
	obi_begin_fn *begin; /* called with tell's user before each promise; NULL: all are tried */
};

/* Try every promise, or what begin lets through; tell may be NULL. Returns how many were broken. */
uint32_t obi_conform_codec(const struct obi_conform_codec *it, obi_verdict_fn *tell, void *user);

#endif
