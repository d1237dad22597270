/* SPDX-License-Identifier: MIT */
/* tcp/address - internet addresses: what a URI names without asking anybody, the order to try them
 * in, how they are shown. */
#ifndef OB_TRANSPORTS_TCP_ADDRESS_H
#define OB_TRANSPORTS_TCP_ADDRESS_H

#include <outboard/transport.h>
#include <netinet/in.h>

/* More than a name has in practice; what a resolver says beyond that is not tried. */
enum { OBI_TCP_ADDRESSES = 16 };

union obi_tcp_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct obi_tcp_list {
	union obi_tcp_address items[OBI_TCP_ADDRESSES];
	uint32_t count;
};

socklen_t obi_tcp_length(const union obi_tcp_address *address);

/*
 * Put what host means into *ret, if that needs no resolver: an IPv4 or IPv6 address (a zone is
 * written %25eth0, as in RFC 6874, or %eth0), or localhost, which is the loopback address of both
 * families (RFC 6761) and of nothing else. false: it is a name.
 */
bool obi_tcp_literal(struct ob_bytes host, uint16_t port, struct obi_tcp_list *ret);

/* Append an address, unless the list is full or it is neither IPv4 nor IPv6. */
void obi_tcp_add(struct obi_tcp_list *list, const struct sockaddr *address, uint16_t port);

/* Let the families take turns, beginning with that of the first; the order within each stays (RFC
 * 8305, 4). */
void obi_tcp_interleave(struct obi_tcp_list *list);

/* host:port, an IPv6 host in brackets; an IPv4 address that came over an IPv6 socket is shown as
 * what it is. */
enum { OBI_TCP_SHOWN = 80 };
void obi_tcp_show(const union obi_tcp_address *address, char ret[OBI_TCP_SHOWN]);

#endif
