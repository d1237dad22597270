/* SPDX-License-Identifier: MIT */
#include "access/origin.h"

#include "base/id_map.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { CID_LOCAL = 1 };

static struct obi_origin of_number(enum obi_origin_kind kind, uint32_t number)
{
	struct obi_origin source = {.kind = (uint8_t)kind};
	memcpy(source.bytes, &number, sizeof number);
	return source;
}

uint32_t obi_origin_number(struct obi_origin source)
{
	uint32_t number;
	memcpy(&number, source.bytes, sizeof number);
	return number;
}

/* An IPv4 address may be written as an IPv6 one: it is the same host. */
static bool read_address(const char *text, struct obi_origin *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct obi_origin source = {0};
	uint8_t v6[16];
	if (inet_pton(AF_INET, text, source.bytes) == 1) {
		source.kind = OBI_ORIGIN_IPV4;
	} else if (inet_pton(AF_INET6, text, v6) != 1) {
		return false;
	} else if (memcmp(v6, mapped, sizeof mapped) == 0) {
		source.kind = OBI_ORIGIN_IPV4;
		memcpy(source.bytes, v6 + sizeof mapped, 4);
	} else {
		source.kind = OBI_ORIGIN_IPV6;
		memcpy(source.bytes, v6, sizeof v6);
	}
	*ret = source;
	return true;
}

/* "192.0.2.7:80" or "[fe80::1%eth0]:80": the address in it. */
static bool read_shown(const char *text, struct obi_origin *ret)
{
	char address[INET6_ADDRSTRLEN];
	size_t skip = text[0] == '[';
	size_t len = strcspn(text + skip, skip != 0 ? "%]" : ":");
	if (len >= sizeof address) {
		return false;
	}
	memcpy(address, text + skip, len);
	address[len] = '\0';
	return read_address(address, ret);
}

struct obi_origin obi_origin_of_peer(const struct ob_peer *peer)
{
	struct obi_origin source = {.kind = OBI_ORIGIN_UNKNOWN};
	if ((peer->known & OB_PEER_UID) != 0) {
		return of_number(OBI_ORIGIN_UID, peer->uid);
	}
	if ((peer->known & OB_PEER_CID) != 0) {
		return of_number(OBI_ORIGIN_CID, peer->cid);
	}
	if ((peer->known & OB_PEER_ADDRESS) != 0 && !read_shown(peer->address, &source)) {
		source.kind = OBI_ORIGIN_UNKNOWN;
	}
	return source;
}

/* 0 and 2^32 - 1 are not valid. */
static bool read_cid(const char *text, struct obi_origin *ret)
{
	uint64_t number = 0;
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || len > 10) {
			return false;
		}
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	if (number == 0 || number >= UINT32_MAX) {
		return false;
	}
	*ret = of_number(OBI_ORIGIN_CID, (uint32_t)number);
	return true;
}

bool obi_origin_parse(const char *text, struct obi_origin *ret)
{
	return read_cid(text, ret) || read_address(text, ret);
}

struct obi_origin obi_origin_network(struct obi_origin source)
{
	if (source.kind == OBI_ORIGIN_IPV6) {
		memset(source.bytes + 8, 0, 8);
	}
	return source;
}

bool obi_origin_is_shared(struct obi_origin source)
{
	static const uint8_t loopback[16] = {[15] = 1};
	switch (source.kind) {
	case OBI_ORIGIN_IPV4:
		return source.bytes[0] == 127;
	case OBI_ORIGIN_IPV6:
		return memcmp(source.bytes, loopback, sizeof loopback) == 0;
	case OBI_ORIGIN_CID:
		return obi_origin_number(source) == CID_LOCAL;
	case OBI_ORIGIN_UID:
		return obi_origin_number(source) == OBI_OVERFLOW_ID;
	default:
		return source.kind == OBI_ORIGIN_UNKNOWN;
	}
}

bool obi_origin_equal(struct obi_origin a, struct obi_origin b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

void obi_origin_show(struct obi_origin source, char ret[OBI_ORIGIN_TEXT])
{
	switch (source.kind) {
	case OBI_ORIGIN_UID:
	case OBI_ORIGIN_CID:
		snprintf(ret, OBI_ORIGIN_TEXT, "%s %u",
			 source.kind == OBI_ORIGIN_UID ? "uid" : "cid", obi_origin_number(source));
		break;
	case OBI_ORIGIN_IPV4:
		inet_ntop(AF_INET, source.bytes, ret, OBI_ORIGIN_TEXT);
		break;
	case OBI_ORIGIN_IPV6:
		inet_ntop(AF_INET6, source.bytes, ret, OBI_ORIGIN_TEXT);
		break;
	default:
		snprintf(ret, OBI_ORIGIN_TEXT, "unknown");
	}
}
