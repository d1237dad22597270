/* SPDX-License-Identifier: MIT */
/*
 * conformance/auth - tests of the promises in outboard/auth.h.
 *
 * Our tests run them on the shipped authenticators, and `outboard plugin check` on any other.
 * The table must have been checked by the loader. An authenticator that crashes or hangs takes
 * the suite with it.
 *
 * The promises depend on the mechanism: one that shows its secret (OB_AUTH_LOCAL_ONLY) can be
 * replayed and does not bind the prologue; one that needs no secret cannot detect a wrong one.
 */
#ifndef OB_CONFORMANCE_AUTH_H
#define OB_CONFORMANCE_AUTH_H

#include <outboard/auth.h>

#include "conformance/verdict.h"

struct obi_conform_auth {
	const struct ob_auth_ops *ops;
	const struct ob_host *host;
	void *state[2];	     /* from configure(): of the dialer, of the acceptor; NULL: none */
	obi_begin_fn *begin; /* called with `user` before each promise; NULL: all are tried */
};

/* Try every promise that begin accepts. tell may be NULL. Returns the number of broken
 * promises. */
uint32_t obi_conform_auth(const struct obi_conform_auth *it, obi_verdict_fn *tell, void *user);

#endif
