/* SPDX-License-Identifier: MIT */
/* tcp/address - IPv4 and IPv6 addresses: those that a URI names without a resolver, the order of
 * attempts, and their text form. */
#ifndef OB_TRANSPORTS_TCP_ADDRESS_H
#define OB_TRANSPORTS_TCP_ADDRESS_H

#include <outboard/transport.h>
#include <netinet/in.h>

/* More than a name has in practice. Further addresses of a resolver are not tried. */
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
 * Read host if it needs no resolver: an IPv4 or IPv6 address (a zone is written %25eth0, as in RFC
 * 6874, or %eth0), or localhost, which always means the loopback addresses of both families (RFC
 * 6761). false: host is a name.
 */
bool obi_tcp_literal(struct ob_bytes host, uint16_t port, struct obi_tcp_list *ret);

/* Append an address. Does nothing if the list is full or the family is neither IPv4 nor IPv6. */
void obi_tcp_add(struct obi_tcp_list *list, const struct sockaddr *address, uint16_t port);

/* Alternate between the families, beginning with that of the first address. The order within a
 * family stays (RFC 8305, section 4). */
void obi_tcp_interleave(struct obi_tcp_list *list);

/* Write host:port, with brackets around an IPv6 host. A mapped IPv4 address is shown as IPv4. */
enum { OBI_TCP_SHOWN = 80 };
void obi_tcp_show(const union obi_tcp_address *address, char ret[OBI_TCP_SHOWN]);

#endif
