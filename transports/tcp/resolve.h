/* SPDX-License-Identifier: MIT */
/*
 * tcp/resolve - names, asked of the system's resolver, which blocks: so it is called on threads of
 * our own, at most OBI_TCP_RESOLVERS of them, which live for as long as there is something to ask.
 * Lookups beyond that wait in line.
 */
#ifndef OB_TRANSPORTS_TCP_RESOLVE_H
#define OB_TRANSPORTS_TCP_RESOLVE_H

#include "tcp/address.h"

enum { OBI_TCP_RESOLVERS = 4 };

struct obi_tcp_lookup;

/*
 * Begin, or go on with what was cancelled for the same name and port and is still being asked, or
 * was answered within the last seconds. *ret_fd, which stays the lookup's, becomes readable when it
 * has ended. End it with one of the two below.
 */
int obi_tcp_lookup_begin(const struct ob_host *host, struct ob_bytes name, uint16_t port,
			 struct obi_tcp_lookup **ret_lookup, int *ret_fd, struct ob_error *reterr);

/* What was found, in the resolver's order, once the descriptor is readable. OB_ENOENT: there is no
 * such host. Frees lookup. */
int obi_tcp_lookup_end(struct obi_tcp_lookup *lookup, struct obi_tcp_list *ret,
		       struct ob_error *reterr);

/* Nobody wants to know any more; its descriptor is closed at once. Frees lookup, which may be NULL.
 */
void obi_tcp_lookup_cancel(struct obi_tcp_lookup *lookup);

#endif
