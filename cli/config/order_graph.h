/* SPDX-License-Identifier: MIT */
/*
 * order_graph - in which order nodes come that are after each other. Pure: nodes are numbers.
 *
 * Costs n + m, for n nodes and m edges.
 */
#ifndef OBI_CLI_CONFIG_ORDER_GRAPH_H
#define OBI_CLI_CONFIG_ORDER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OBI_ORDER_CIRCLES = 16 };

/* node comes after another one. */
struct obi_order_edge {
	uint32_t node;
	uint32_t after;
};

struct obi_order_graph {
	uint32_t count;
	const struct obi_order_edge *edges; /* between nodes below count; some may be the same */
	size_t edge_count;
};

/* Nodes that are after each other in a circle: each after the next one, the last after the first.
 * Valid for the length of the call. */
typedef void obi_order_circle_fn(void *user, const uint32_t *nodes, uint32_t length);

struct obi_order_result {
	uint32_t *order;  /* room for count nodes: each comes behind all that it is after */
	uint32_t sorted;  /* how many there are; fewer than count if there are circles */
	uint32_t *depths; /* room for count numbers: the longest way to a node that is after none */
	uint32_t deepest; /* node of the greatest depth among the sorted ones */
	uint32_t circles; /* how many were told: no two of them share a node */
};

/*
 * Sort the nodes. Circles are told to fn (may be NULL), the first OBI_ORDER_CIRCLES of them. What
 * only comes after a circle is in none. False: out of memory.
 */
bool obi_order_sort(const struct obi_order_graph *graph, obi_order_circle_fn *fn, void *user,
		    struct obi_order_result *result);

#endif
