/* SPDX-License-Identifier: MIT */
#include "cli/config/order_graph.h"

#include <stdlib.h>
#include <string.h>

/* While it is sorted. */
struct sorting {
	const struct obi_order_graph *graph;
	struct obi_order_result *result;
	/* The nodes that are after node i: followers[first[i]] to followers[first[i + 1]]. */
	size_t *first;
	uint32_t *followers;
	uint32_t *open; /* of each node: edges to nodes that have no place yet */
	bool *placed;
	uint32_t *queue; /* nodes that can be placed */
	uint32_t taken, queued;
};

/* ---- Memory ---- */

static bool allocate(struct sorting *s)
{
	size_t nodes = (size_t)s->graph->count + 2;
	s->first = calloc(nodes, sizeof *s->first);
	s->followers = calloc(s->graph->edge_count + 1, sizeof *s->followers);
	s->open = calloc(nodes, sizeof *s->open);
	s->placed = calloc(nodes, sizeof *s->placed);
	s->queue = calloc(nodes, sizeof *s->queue);
	return s->first != NULL && s->followers != NULL && s->open != NULL && s->placed != NULL &&
	       s->queue != NULL;
}

static void release(struct sorting *s)
{
	free(s->first);
	free(s->followers);
	free(s->open);
	free(s->placed);
	free(s->queue);
}

/* ---- Placing ---- */

/* first[i + 2] counts the followers of i, then first[i + 1] is where they begin, and moves on as
 * they are put there. */
static void find_followers(struct sorting *s)
{
	const struct obi_order_graph *g = s->graph;
	for (size_t e = 0; e < g->edge_count; e++) {
		s->open[g->edges[e].node]++;
		if (g->edges[e].after + 2 <= g->count) {
			s->first[g->edges[e].after + 2]++;
		}
	}
	for (uint32_t i = 2; i <= g->count; i++) {
		s->first[i] += s->first[i - 1];
	}
	for (size_t e = 0; e < g->edge_count; e++) {
		s->followers[s->first[g->edges[e].after + 1]++] = g->edges[e].node;
	}
}

static void offer(struct sorting *s, uint32_t node)
{
	if (!s->placed[node]) {
		s->placed[node] = true;
		s->queue[s->queued++] = node;
	}
}

/* All that its place was waited for by. */
static void free_followers(struct sorting *s, uint32_t node)
{
	for (size_t i = s->first[node]; i < s->first[node + 1]; i++) {
		uint32_t next = s->followers[i], *depths = s->result->depths;
		if (depths[next] <= depths[node]) {
			depths[next] = depths[node] + 1;
		}
		if (--s->open[next] == 0) {
			offer(s, next);
		}
	}
}

static void place_all(struct sorting *s)
{
	struct obi_order_result *result = s->result;
	while (s->taken < s->queued) {
		uint32_t node = s->queue[s->taken++];
		result->order[result->sorted++] = node;
		if (result->depths[node] > result->depths[result->deepest]) {
			result->deepest = node;
		}
		free_followers(s, node);
	}
}

/* ---- Circles ---- */

/* Of each node that has no place: one that it is after, and that has none either. There is one,
 * since otherwise it would have a place. */
static void find_causes(const struct sorting *s, uint32_t *causes)
{
	const struct obi_order_graph *g = s->graph;
	for (size_t e = g->edge_count; e > 0; e--) {
		const struct obi_order_edge *edge = &g->edges[e - 1];
		if (!s->placed[edge->node] && !s->placed[edge->after]) {
			causes[edge->node] = edge->after;
		}
	}
}

/* Go from cause to cause until a node comes again. *length: of the circle, which is in nodes. */
static void walk(const uint32_t *causes, uint32_t from, uint32_t *walked, uint32_t *nodes,
		 uint32_t *length)
{
	uint32_t at = from;
	while (walked[at] != from) {
		walked[at] = from;
		at = causes[at];
	}
	*length = 0;
	uint32_t begin = at;
	do {
		nodes[(*length)++] = at;
		at = causes[at];
	} while (at != begin);
}

/* Tell one circle, and go on as if its nodes had their places. */
static bool break_circle(struct sorting *s, uint32_t from, obi_order_circle_fn *fn, void *user)
{
	size_t nodes = s->graph->count;
	uint32_t *memory = malloc((3 * nodes + 1) * sizeof *memory);
	uint32_t length;
	if (memory == NULL) {
		return false;
	}
	uint32_t *causes = memory, *walked = memory + nodes, *circle = memory + 2 * nodes;
	memset(walked, 0xff, nodes * sizeof *walked);
	find_causes(s, causes);
	walk(causes, from, walked, circle, &length);
	s->result->circles++;
	if (fn != NULL) {
		fn(user, circle, length);
	}
	for (uint32_t i = 0; i < length; i++) {
		offer(s, circle[i]);
	}
	free(memory);
	return true;
}

static bool place_circles(struct sorting *s, obi_order_circle_fn *fn, void *user)
{
	struct obi_order_result rest = *s->result;
	bool good = true;
	for (uint32_t i = 0; good && i < s->graph->count; i++) {
		if (!s->placed[i] && s->result->circles < OBI_ORDER_CIRCLES) {
			good = break_circle(s, i, fn, user);
			place_all(s);
		}
	}
	/* What was placed behind a circle has no place in an order. */
	s->result->sorted = rest.sorted;
	s->result->deepest = rest.deepest;
	return good;
}

bool obi_order_sort(const struct obi_order_graph *graph, obi_order_circle_fn *fn, void *user,
		    struct obi_order_result *result)
{
	struct sorting s = {.graph = graph, .result = result};
	result->sorted = result->deepest = result->circles = 0;
	memset(result->depths, 0, graph->count * sizeof *result->depths);
	bool good = allocate(&s);
	if (good) {
		find_followers(&s);
		for (uint32_t i = 0; i < graph->count; i++) {
			if (s.open[i] == 0) {
				offer(&s, i);
			}
		}
		place_all(&s);
		good = place_circles(&s, fn, user);
	}
	release(&s);
	return good;
}
