/* SPDX-License-Identifier: MIT */
/*
 * conformance/transport - tests of the promises in outboard/transport.h.
 *
 * Our tests run them on the shipped transports, and `outboard plugin check` on any other. The
 * table must have been checked by the loader.
 *
 * The suite lowers RLIMIT_NOFILE for a moment and counts descriptors, so the process must do
 * nothing else meanwhile. A transport that crashes or hangs takes the suite with it.
 */
#ifndef OB_CONFORMANCE_TRANSPORT_H
#define OB_CONFORMANCE_TRANSPORT_H

#include <outboard/transport.h>

#include "conformance/verdict.h"

struct obi_conform_transport {
	const struct ob_transport_ops *ops;
	const struct ob_host *host;
	void *state[2]; /* from configure(): to dial, to listen; NULL: none */
	const char
	    *listen;	  /* a URI to listen on, many times; port 0 is best where there are ports */
	const char *dial; /* a URI that reaches it; NULL: the one of local_uri() */
	obi_begin_fn *begin; /* called with `user` before each promise; NULL: all are tried */
	int patience_ms;     /* how long a lack of progress is tolerated; 0: 10 s */
};

/* Try every promise that begin accepts. tell may be NULL. Returns the number of broken
 * promises. */
uint32_t obi_conform_transport(const struct obi_conform_transport *it, obi_verdict_fn *tell,
			       void *user);

#endif
