/* SPDX-License-Identifier: MIT */
#include "cli/config/order.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/key_table.h"
#include "cli/config/order_graph.h"
#include "cli/config/shared.h"

enum { SHOWN = 8, KEY_SIZE = 32 };

struct name {
	struct obi_key_node node;
	uint32_t child;
};

struct checking {
	const struct obi_run_config *config;
	struct obi_faults *faults;
	struct obi_key_table table;
	struct name *names;
	struct obi_order_edge *edges;
	size_t count;
	uint32_t *numbers; /* for the result of sorting */
};

/* ---- Names ---- */

static bool allocate(struct checking *c)
{
	size_t children = c->config->count, edges = 0;
	for (uint32_t i = 0; i < c->config->count; i++) {
		const struct obi_child_order *order = &c->config->orders[i];
		edges += order->within != NULL;
		for (uint32_t k = 0; order->after != NULL && order->after[k] != NULL; k++) {
			edges++;
		}
	}
	c->names = calloc(children + 1, sizeof *c->names);
	c->edges = calloc(edges + 1, sizeof *c->edges);
	c->numbers = calloc(2 * children + 1, sizeof *c->numbers);
	return c->names != NULL && c->edges != NULL && c->numbers != NULL;
}

static void name_children(struct checking *c)
{
	for (uint32_t i = 0; i < c->config->count; i++) {
		c->names[i].child = i;
		obi_key_add(&c->table, &c->names[i].node,
			    obi_key_of_text(ob_bytes_text(c->config->children[i].name)));
	}
}

/* The number of the child; that of no child: there is none. */
static uint32_t find(const struct checking *c, const char *name)
{
	struct obi_key_node *node = obi_key_find(&c->table, obi_key_of_text(ob_bytes_text(name)));
	for (; node != NULL; node = obi_key_again(node)) {
		uint32_t child = ((const struct name *)(const void *)node)->child;
		if (strcmp(c->config->children[child].name, name) == 0) {
			return child;
		}
	}
	return c->config->count;
}

static void add(struct checking *c, uint32_t child, const char *key, const char *name)
{
	uint32_t other = find(c, name);
	const struct ob_connector_options *options = &c->config->children[child];
	if (other == c->config->count) {
		obi_child_fault(c->faults, options, key, "there is no child \"%.64s\"", name);
	} else if (other == child) {
		obi_child_fault(c->faults, options, key, "is the child itself");
	} else {
		c->edges[c->count++] = (struct obi_order_edge){child, other};
	}
}

/* A child behind an agent is after it; `within` can say no other name. */
static void add_via(struct checking *c, uint32_t child, const struct obi_child_order *order)
{
	const struct ob_connector_options *options = &c->config->children[child];
	uint32_t agent = find(c, order->via);
	add(c, child, "via", order->via);
	if (strcmp(order->within, order->via) != 0) {
		obi_child_fault(c->faults, options, "within",
				"must be \"%s\" or left out, since the child is via that",
				order->via);
	}
	if (agent < c->config->count && c->config->orders[agent].via != NULL) {
		obi_child_fault(c->faults, options, "via", "\"%s\" is behind an agent itself",
				order->via);
	}
}

static void add_all(struct checking *c, uint32_t child)
{
	const struct obi_child_order *order = &c->config->orders[child];
	char key[KEY_SIZE];
	for (uint32_t k = 0; order->after != NULL && order->after[k] != NULL; k++) {
		snprintf(key, sizeof key, "after.%u", k);
		add(c, child, key, order->after[k]);
	}
	if (order->via != NULL) {
		add_via(c, child, order);
	} else if (order->within != NULL) {
		add(c, child, "within", order->within);
	}
}

/* ---- Circles ---- */

/* The key that says that a child is after this one. */
static void key_of(const struct obi_child_order *order, const char *name, char key[KEY_SIZE])
{
	uint32_t k = 0;
	while (order->after != NULL && order->after[k] != NULL &&
	       strcmp(order->after[k], name) != 0) {
		k++;
	}
	if (order->after != NULL && order->after[k] != NULL) {
		snprintf(key, KEY_SIZE, "after.%u", k);
	} else {
		snprintf(key, KEY_SIZE, order->via != NULL ? "via" : "within");
	}
}

/* Children that are after each other. */
static void tell_circle(void *user, const uint32_t *nodes, uint32_t length)
{
	const struct checking *c = user;
	const struct ob_connector_options *children = c->config->children;
	char key[KEY_SIZE], text[SHOWN * 80] = "";
	size_t len = 0;
	for (uint32_t i = 1; i <= length && i <= SHOWN; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\"",
					i > 1 ? ", which is after " : "",
					children[nodes[i % length]].name);
	}
	key_of(&c->config->orders[nodes[0]], children[nodes[1 % length]].name, key);
	obi_child_fault(c->faults, &children[nodes[0]], key,
			"is after %s%s: in a circle, none can be started first", text,
			length > SHOWN ? ", and so on" : "");
}

static void check(struct checking *c)
{
	uint32_t children = c->config->count;
	struct obi_order_graph graph = {children, c->edges, c->count};
	struct obi_order_result result = {.order = c->numbers, .depths = c->numbers + children};
	if (!obi_order_sort(&graph, tell_circle, c, &result)) {
		obi_faults_add(c->faults, "children", "out of memory");
	} else if (children > 0 && result.depths[result.deepest] > OBI_ORDER_DEPTH_MAX) {
		obi_child_fault(c->faults, &c->config->children[result.deepest], "",
				"is the end of a chain of more than %d children that are after "
				"each other",
				OBI_ORDER_DEPTH_MAX);
	}
}

void obi_check_order(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct checking c = {.config = config, .faults = faults};
	if (allocate(&c)) {
		name_children(&c);
		for (uint32_t i = 0; i < config->count; i++) {
			add_all(&c, i);
		}
		check(&c);
	} else {
		obi_faults_add(faults, "children", "out of memory");
	}
	obi_key_table_free(&c.table);
	free(c.names);
	free(c.edges);
	free(c.numbers);
}
