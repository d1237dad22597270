/* SPDX-License-Identifier: MIT */
/*
 * conformance/codec - tests of the promises in outboard/codec.h.
 *
 * Our tests run them on the shipped codecs, and `outboard plugin check` on any other. The table
 * must have been checked by the loader. A codec that crashes or hangs takes the suite with it.
 */
#ifndef OB_CONFORMANCE_CODEC_H
#define OB_CONFORMANCE_CODEC_H

#include <outboard/codec.h>

#include "conformance/verdict.h"

struct obi_conform_codec {
	const struct ob_codec_ops *ops;
	const struct ob_codec_ops
	    *other; /* a codec to compare with: both must preserve the same; NULL: not compared */
	const struct ob_host *host; /* may be NULL */
	void *state;		    /* from configure(); NULL: none */
	obi_begin_fn *begin; /* called with `user` before each promise; NULL: all are tried */
};

/* Try every promise that begin accepts. tell may be NULL. Returns the number of broken
 * promises. */
uint32_t obi_conform_codec(const struct obi_conform_codec *it, obi_verdict_fn *tell, void *user);

#endif
