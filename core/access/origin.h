/* SPDX-License-Identifier: MIT */
/* access/origin - where a connection comes from, as the kernel vouches for it: a user, an address,
 * or a context id. */
#ifndef OBI_ACCESS_ORIGIN_H
#define OBI_ACCESS_ORIGIN_H

#include <outboard/abi.h>

enum obi_origin_kind {
	OBI_ORIGIN_UNKNOWN,
	OBI_ORIGIN_UID,
	OBI_ORIGIN_IPV4,
	OBI_ORIGIN_IPV6,
	OBI_ORIGIN_CID
};

/* Two origins are equal if all bytes are equal. */
struct obi_origin {
	uint8_t kind; /* enum obi_origin_kind */
	uint8_t bytes[16];
};

enum { OBI_ORIGIN_TEXT = 64 };

/* The origin by the facts about the peer, or UNKNOWN. */
struct obi_origin obi_origin_of_peer(const struct ob_peer *peer);

/* Parse a numeric IPv4 or IPv6 address, or a context id in decimal. false: it is neither. */
bool obi_origin_parse(const char *text, struct obi_origin *ret);

/* The part of the origin that one host cannot change: for IPv6 the /64 network, because a host has
 * all addresses of its own; else the origin itself. */
struct obi_origin obi_origin_network(struct obi_origin source);

/* Whether unrelated peers have this origin: all users of this machine over loopback, and unknown
 * origins. */
bool obi_origin_is_shared(struct obi_origin source);

bool obi_origin_equal(struct obi_origin a, struct obi_origin b);

/* The number of a UID or CID. */
uint32_t obi_origin_number(struct obi_origin source);

/* "uid 1000", "192.0.2.7", "2001:db8::7", "cid 3", "unknown". */
void obi_origin_show(struct obi_origin source, char ret[OBI_ORIGIN_TEXT]);

#endif
