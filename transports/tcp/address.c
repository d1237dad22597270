/* SPDX-License-Identifier: MIT */
#include "tcp/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

socklen_t obi_tcp_length(const union obi_tcp_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

void obi_tcp_add(struct obi_tcp_list *list, const struct sockaddr *address, uint16_t port)
{
	union obi_tcp_address *item = &list->items[list->count];
	if (list->count == OBI_TCP_ADDRESSES) {
		return;
	}
	if (address->sa_family == AF_INET) {
		memcpy(&item->v4, address, sizeof item->v4);
		item->v4.sin_port = htons(port);
		list->count++;
	} else if (address->sa_family == AF_INET6) {
		memcpy(&item->v6, address, sizeof item->v6);
		item->v6.sin6_port = htons(port);
		list->count++;
	}
}

/* ---- Literal addresses ---- */

/* The index of the interface with this name or number; 0 if there is none. */
static uint32_t zone_index(const char *zone)
{
	char *end;
	unsigned long number = strtoul(zone, &end, 10);
	if (*zone >= '0' && *zone <= '9' && *end == '\0' && number <= UINT32_MAX) {
		return (uint32_t)number;
	}
	return if_nametoindex(zone);
}

static bool set_v6(char *text, struct sockaddr_in6 *ret)
{
	char *zone = strchr(text, '%');
	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6};
	if (zone != NULL) {
		*zone = '\0';
		zone += strncmp(zone + 1, "25", 2) == 0 ? 3 : 1;
		ret->sin6_scope_id = zone_index(zone);
	}
	return inet_pton(AF_INET6, text, &ret->sin6_addr) == 1 &&
	       (zone == NULL || ret->sin6_scope_id != 0);
}

bool obi_tcp_literal(struct ob_bytes host, uint16_t port, struct obi_tcp_list *ret)
{
	union obi_tcp_address v4 = {.v4 = {.sin_family = AF_INET}};
	union obi_tcp_address v6 = {
	    .v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	char text[128];
	ret->count = 0;
	if (host.len >= sizeof text) {
		return false;
	}
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (strcmp(text, "localhost") == 0) {
		v4.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		obi_tcp_add(ret, &v6.any, port);
		obi_tcp_add(ret, &v4.any, port);
	} else if (inet_pton(AF_INET, text, &v4.v4.sin_addr) == 1) {
		obi_tcp_add(ret, &v4.any, port);
	} else if (set_v6(text, &v6.v6)) {
		obi_tcp_add(ret, &v6.any, port);
	}
	return ret->count > 0;
}

/* ---- Order ---- */

/* The next item from `at` on that is (same) or is not of this family; count if there is none. */
static uint32_t next_of(const struct obi_tcp_list *list, uint32_t at, sa_family_t family, bool same)
{
	while (at < list->count && (list->items[at].any.sa_family == family) != same) {
		at++;
	}
	return at;
}

void obi_tcp_interleave(struct obi_tcp_list *list)
{
	const struct obi_tcp_list was = *list;
	uint32_t at[2] = {0, 0}, turn = 0;
	for (uint32_t n = 0; n < was.count; n++) {
		sa_family_t first = was.items[0].any.sa_family;
		uint32_t i = next_of(&was, at[turn], first, turn == 0);
		if (i == was.count) {
			turn = !turn;
			i = next_of(&was, at[turn], first, turn == 0);
		}
		list->items[n] = was.items[i];
		at[turn] = i + 1;
		turn = !turn;
	}
}

/* ---- Text form ---- */

static void show_v6(const struct sockaddr_in6 *v6, char ret[OBI_TCP_SHOWN])
{
	char text[INET6_ADDRSTRLEN] = "?", zone[16] = "";
	inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
	if (v6->sin6_scope_id != 0) {
		snprintf(zone, sizeof zone, "%%25%u", v6->sin6_scope_id);
	}
	snprintf(ret, OBI_TCP_SHOWN, "[%s%s]:%u", text, zone, ntohs(v6->sin6_port));
}

void obi_tcp_show(const union obi_tcp_address *address, char ret[OBI_TCP_SHOWN])
{
	char text[INET_ADDRSTRLEN] = "?";
	const void *v4 = &address->v4.sin_addr;
	if (address->any.sa_family == AF_INET6) {
		if (!IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
			show_v6(&address->v6, ret);
			return;
		}
		v4 = &address->v6.sin6_addr.s6_addr[12];
	}
	inet_ntop(AF_INET, v4, text, sizeof text);
	snprintf(ret, OBI_TCP_SHOWN, "%s:%u", text,
		 ntohs(address->v4.sin_port)); /* both families have the port at the same offset */
}
