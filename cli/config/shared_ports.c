/* SPDX-License-Identifier: MIT */
#include "cli/config/shared.h"

#include "base/number_range.h"
#include "base/uri.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

enum { MEMORY = 1 << 30 };

/* How much of a port an address takes; sorted in this order. */
enum width {
	EVERY, /* [::], vsock://any */
	EVERY_IPV4,
	ONE
};

struct item {
	struct ob_bytes scheme;
	int32_t port;
	enum width width;
	bool ipv4;
	struct ob_bytes host; /* an address as 16 bytes, or a text */
	uint32_t index;	      /* of the child, and of its two addresses */
	const struct ob_connector_options *child;
	bool is_for_clients;
	bool is_far; /* an address to dial that is not this machine's: only the same one meets it */
};

/* ---- Collecting ---- */

/* An address of IPv4 as the address of IPv6 that stands for it, so that the two compare. */
static bool read_ip(const char *host, uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	memcpy(ip, mapped, sizeof mapped);
	return inet_pton(AF_INET, host, ip + 12) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

static void set_ip(struct item *item, const uint8_t ip[16], struct obi_arena *arena)
{
	static const uint8_t any6[16] = {0}, any4[16] = {[10] = 0xff, [11] = 0xff};
	item->ipv4 = memcmp(ip, any4, 12) == 0;
	item->width = memcmp(ip, any6, 16) == 0	  ? EVERY
		      : memcmp(ip, any4, 16) == 0 ? EVERY_IPV4
						  : ONE;
	item->host = ob_bytes_of(obi_arena_copy(arena, ip, 16), 16);
}

/* Of its two addresses the one that is not for clients. */
static const char *key_of_own(const struct ob_connector_options *child)
{
	return child->connect != NULL ? "connect" : child->accept != NULL ? "accept" : "listen";
}

static const char *key_of(const struct item *item)
{
	return item->is_for_clients ? "client_listen" : key_of_own(item->child);
}

static const char *address_of(const struct item *item)
{
	const struct ob_connector_options *child = item->child;
	return item->is_for_clients	? child->client_listen
	       : child->connect != NULL ? child->connect
	       : child->accept != NULL	? child->accept
					: child->listen;
}

/* One that is dialled is taken as well, by a virtual machine or a container that forwards it; and
 * at the one of accept the supervisor listens. */
static bool is_taken(const struct item *item, struct obi_arena *arena, struct ob_uri *ret)
{
	const struct ob_connector_options *child = item->child;
	bool elsewhere = child->connect != NULL || child->accept != NULL;
	return elsewhere && !item->is_for_clients
		   ? obi_uri_parse(address_of(item), &arena->ob, ret, NULL) == OB_OK
		   : obi_child_listens_here(child, address_of(item), arena, ret);
}

static bool is_loopback(const struct item *item)
{
	static const uint8_t mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
	static const uint8_t six[16] = {[15] = 1}, any[16] = {0},
			     any4[16] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *ip = item->host.data;
	return ob_bytes_is(item->scheme, "tcp") && item->host.len == 16 &&
	       (memcmp(ip, mapped, 13) == 0 || memcmp(ip, six, 16) == 0 ||
		memcmp(ip, any, 16) == 0 || memcmp(ip, any4, 16) == 0);
}

/* False: it cannot meet another one. */
static bool read_item(const struct ob_connector_options *child, bool is_for_clients, uint32_t index,
		      struct obi_arena *arena, struct item *ret)
{
	struct ob_uri uri;
	uint8_t ip[16];
	*ret = (struct item){.width = ONE,
			     .index = 2 * index + is_for_clients,
			     .child = child,
			     .is_for_clients = is_for_clients};
	if (!is_taken(ret, arena, &uri) || uri.port <= 0 || uri.host.len == 0) {
		return false;
	}
	ret->scheme = obi_uri_socket(&uri);
	ret->port = uri.port;
	ret->host = uri.host;
	char *host = obi_arena_text(arena, (const char *)uri.host.data, uri.host.len);
	if (host != NULL && ob_bytes_is(ret->scheme, "tcp")) {
		/* The transport takes localhost for this one. */
		const char *number = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
		if (read_ip(number, ip)) {
			set_ip(ret, ip, arena);
		}
	} else if (host != NULL && strcmp(host, "any") == 0) {
		ret->width = EVERY;
	}
	ret->is_far = child->connect != NULL && !is_for_clients && !is_loopback(ret);
	return host != NULL && ret->host.data != NULL;
}

static int compare_bytes(struct ob_bytes a, struct ob_bytes b)
{
	int by_byte = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
	return by_byte != 0 ? by_byte : a.len < b.len ? -1 : a.len > b.len;
}

/* Those of one port stand together. */
static int compare_port(const struct item *a, const struct item *b)
{
	int by_scheme = compare_bytes(a->scheme, b->scheme);
	return by_scheme != 0 ? by_scheme : a->port < b->port ? -1 : a->port > b->port;
}

static int compare(const void *a, const void *b)
{
	const struct item *one = a, *two = b;
	int by_port = compare_port(one, two);
	int by_width = (int)one->width - (int)two->width;
	int by_host = compare_bytes(one->host, two->host);
	int by_index = one->index < two->index ? -1 : one->index > two->index;
	return by_port != 0    ? by_port
	       : by_width != 0 ? by_width
	       : by_host != 0  ? by_host
			       : by_index;
}

/* ---- Judging ---- */

/* widest, wide4: the first of the port that takes every address, and every address of IPv4. */
static const struct item *met_by(const struct item *item, const struct item *before,
				 const struct item *widest, const struct item *wide4)
{
	if (widest != NULL && !item->is_far) {
		return widest;
	}
	if (wide4 != NULL && item->ipv4 && !item->is_far) {
		return wide4;
	}
	return before != NULL && compare_bytes(item->host, before->host) == 0 ? before : NULL;
}

static void tell(const struct item *item, const struct item *met, struct obi_faults *faults)
{
	bool one_child = item->child == met->child;
	/* Of one child the fault is at client_listen, whichever is sorted first. */
	const char *key = one_child ? "client_listen" : key_of(item);
	if (one_child && strcmp(item->child->client_listen, item->child->listen) == 0) {
		return; /* the library tells */
	}
	if (one_child) {
		obi_child_fault(faults, item->child, key,
				"the port is already used by listen, which is %s",
				item->child->listen);
	} else {
		obi_child_fault(faults, item->child, key,
				"the port is already used by \"%s\", which %s %s", met->child->name,
				strcmp(key_of(met), "connect") == 0  ? "is dialled at"
				: strcmp(key_of(met), "accept") == 0 ? "dials"
								     : "listens on",
				address_of(met));
	}
}

static void check_all(const struct item *items, size_t count, struct obi_faults *faults)
{
	const struct item *before = NULL, *widest = NULL, *wide4 = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct item *item = &items[i];
		if (before != NULL && compare_port(item, before) != 0) {
			before = widest = wide4 = NULL;
		}
		const struct item *met = met_by(item, before, widest, wide4);
		if (met != NULL) {
			tell(item, met, faults);
		}
		widest = widest == NULL && item->width == EVERY ? item : widest;
		wide4 = wide4 == NULL && item->width == EVERY_IPV4 ? item : wide4;
		before = item;
	}
}

/* A port that a child has in any case may be given to another one while it is free. */
static void check_range(const struct obi_run_config *config, const struct item *items, size_t count,
			struct obi_faults *faults)
{
	struct obi_number_range range;
	bool is_used = false;
	for (uint32_t i = 0; i < config->count; i++) {
		is_used = is_used || config->children[i].ports != NULL;
	}
	if (!is_used || config->ports == NULL ||
	    obi_range_of_ports(config->ports, &range, NULL) < 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct item *item = &items[i];
		if (ob_bytes_is(item->scheme, "tcp") && !item->is_far &&
		    obi_range_has(&range, (uint32_t)item->port)) {
			obi_child_fault(faults, item->child, key_of(item),
					"port %d is in the range \"ports\", and may be given to "
					"another child: use ${port}, or a port outside of %s",
					(int)item->port, config->ports);
		}
	}
}

void obi_check_shared_ports(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct obi_arena arena;
	size_t count = 0;
	struct item *items = calloc(2 * (size_t)config->count + 1, sizeof *items);
	obi_arena_init(&arena, MEMORY);
	if (items == NULL) {
		obi_faults_add(faults, "children", "out of memory");
	}
	for (uint32_t i = 0; items != NULL && i < config->count; i++) {
		count += read_item(&config->children[i], false, i, &arena, &items[count]);
		count += read_item(&config->children[i], true, i, &arena, &items[count]);
	}
	if (count > 1) {
		qsort(items, count, sizeof *items, compare);
	}
	check_all(items, count, faults);
	check_range(config, items, count, faults);
	free(items);
	obi_arena_free(&arena);
}
