/* SPDX-License-Identifier: MIT */
/*
 * conformance/auth - what outboard/auth.h promises, tried on an authenticator: ours in our tests,
 * anybody's in `outboard plugin check`. It takes a checked table, so it runs on what the host would
 * use. What crashes or hangs, crashes or hangs it.
 *
 * What a mechanism must promise depends on what it is: one that shows its secret
 * (OB_AUTH_LOCAL_ONLY) can be replayed and has no prologue in it, and one that does without the
 * secret cannot tell a wrong one.
 */
#ifndef OB_CONFORMANCE_AUTH_H
#define OB_CONFORMANCE_AUTH_H

#include <outboard/auth.h>

#include "conformance/verdict.h"

struct obi_conform_auth {
	const struct ob_auth_ops *ops;
	const struct ob_host *host;
	obi_begin_fn *begin; /* called with tell's user before each promise; NULL: all are tried */
};

/* Try every promise, or what begin lets through; tell may be NULL. Returns how many were broken. */
uint32_t obi_conform_auth(const struct obi_conform_auth *it, obi_verdict_fn *tell, void *user);

#endif
