/* SPDX-License-Identifier: MIT */
/*
 * tcp/resolve - look up names. The system's resolver blocks, so it runs on threads of our own: at
 * most OBI_TCP_RESOLVERS, which end when there is nothing left to look up. Further lookups wait in
 * a queue.
 */
#ifndef OB_TRANSPORTS_TCP_RESOLVE_H
#define OB_TRANSPORTS_TCP_RESOLVE_H

#include "tcp/address.h"

enum { OBI_TCP_RESOLVERS = 4 };

struct obi_tcp_lookup;

/*
 * Begin a lookup. If a cancelled lookup of the same name and port is still running, or was answered
 * within the last seconds, continue that one. *ret_fd belongs to the lookup and becomes readable at
 * its end. End it with one of the two functions below.
 */
int obi_tcp_lookup_begin(const struct ob_host *host, struct ob_bytes name, uint16_t port,
			 struct obi_tcp_lookup **ret_lookup, int *ret_fd, struct ob_error *reterr);

/* Get the addresses, in the resolver's order, and free lookup. OB_EAGAIN, and lookup is kept: it
 * has not ended yet. OB_ENOENT: the host does not exist. */
int obi_tcp_lookup_end(struct obi_tcp_lookup *lookup, struct obi_tcp_list *ret,
		       struct ob_error *reterr);

/* Cancel: close the descriptor at once and free lookup, which may be NULL. */
void obi_tcp_lookup_cancel(struct obi_tcp_lookup *lookup);

#endif
