/* SPDX-License-Identifier: MIT */
/*
 * conformance/transport - what outboard/transport.h promises, tried on a transport: ours in our
 * tests, anybody's in `outboard plugin check`. It takes a checked table, so it runs on what the
 * host would use.
 *
 * It lowers RLIMIT_NOFILE for a moment and counts descriptors, so nothing else may go on in the
 * process; and what crashes or hangs, crashes or hangs it.
 */
#ifndef OB_CONFORMANCE_TRANSPORT_H
#define OB_CONFORMANCE_TRANSPORT_H

#include <outboard/transport.h>

#include "conformance/verdict.h"

struct obi_conform_transport {
	const struct ob_transport_ops *ops;
	const struct ob_host *host;
	const char *listen; /* a URI to listen on, again and again; a port 0 is best where there are
			       ports */
	const char *dial;   /* where that is reached; NULL: at what local_uri() says */
	obi_begin_fn *begin; /* called with tell's user before each promise; NULL: all are tried */
	int patience_ms;     /* how long nothing may happen before that is a failure; 0: 10 s */
};

/* Try every promise, or what begin lets through; tell may be NULL. Returns how many were broken. */
uint32_t obi_conform_transport(const struct obi_conform_transport *it, obi_verdict_fn *tell,
			       void *user);

#endif
