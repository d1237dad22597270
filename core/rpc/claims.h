/* SPDX-License-Identifier: MIT */
/* rpc/claims - what authenticators claim of a peer: a map of strings in one piece of memory. A peer
 * without claims has none. */
#ifndef OBI_RPC_CLAIMS_H
#define OBI_RPC_CLAIMS_H

#include <outboard/auth.h>

struct obi_claims {
	struct ob_value map;
	struct ob_pair pairs[]; /* of the map; their texts are behind them */
};

/*
 * Add the claims of one mechanism, which are copied: they replace those of the same names. *claims
 * is NULL while there are none. said: what the mechanism wrote. OB_EAUTH: it is no map of strings,
 * or over a limit; OB_ENOMEM. Then *claims is as before.
 */
int obi_claims_add(struct obi_claims **claims, const struct ob_value *said,
		   struct ob_error *reterr);

/* claims may be NULL. */
void obi_claims_free(struct obi_claims *claims);

#endif
