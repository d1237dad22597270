/* SPDX-License-Identifier: MIT */
/* The order of nodes that are after each other: tables, and random graphs against their promises.
 */
#include "cli/config/order_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 40, EDGES = 200, ROUNDS = 3000 };

struct sorted {
	uint32_t order[NODES], depths[NODES];
	struct obi_order_result result;
	char circles[256]; /* "0 1, 4" */
	const struct obi_order_graph *graph;
	bool in_circle[NODES];
};

static bool has_edge(const struct obi_order_graph *g, uint32_t node, uint32_t after)
{
	bool found = false;
	for (size_t e = 0; e < g->edge_count; e++) {
		found = found || (g->edges[e].node == node && g->edges[e].after == after);
	}
	return found;
}

static void on_circle(void *user, const uint32_t *nodes, uint32_t length)
{
	struct sorted *s = user;
	size_t len = strlen(s->circles);
	assert_true(length > 0);
	for (uint32_t i = 0; i < length; i++) {
		assert_true(has_edge(s->graph, nodes[i], nodes[(i + 1) % length]));
		assert_false(s->in_circle[nodes[i]]);
		s->in_circle[nodes[i]] = true;
		if (len < sizeof s->circles - 16) {
			len += (size_t)snprintf(s->circles + len, sizeof s->circles - len, "%s%u",
						i > 0	  ? " "
						: len > 0 ? ", "
							  : "",
						nodes[i]);
		}
	}
}

static void sort(const struct obi_order_graph *graph, struct sorted *s)
{
	*s = (struct sorted){.graph = graph};
	s->result = (struct obi_order_result){.order = s->order, .depths = s->depths};
	assert_true(obi_order_sort(graph, on_circle, s, &s->result));
}

/* edges: "10 21" says that 1 is after 0, and 2 after 1. */
static void expect_order(uint32_t count, const char *edges, const char *order, const char *circles)
{
	struct obi_order_edge list[16];
	struct obi_order_graph graph = {.count = count, .edges = list};
	struct sorted s;
	char text[64] = "";
	for (const char *at = edges; *at != '\0'; at += at[2] == ' ' ? 3 : 2) {
		list[graph.edge_count++] = (struct obi_order_edge){
		    .node = (uint32_t)(at[0] - '0'), .after = (uint32_t)(at[1] - '0')};
	}
	sort(&graph, &s);
	for (uint32_t i = 0; i < s.result.sorted; i++) {
		text[i] = (char)('0' + s.order[i]);
	}
	assert_string_equal(text, order);
	assert_string_equal(s.circles, circles);
}

static void tables(void **state)
{
	(void)state;
	expect_order(0, "", "", "");
	expect_order(3, "", "012", "");
	expect_order(3, "01 12", "210", "");
	expect_order(3, "20 21 20", "012", "");
	expect_order(4, "10 20 31 32", "0123", "");
	expect_order(1, "00", "", "0");
	expect_order(2, "01 10", "", "0 1");
	/* What is only after a circle is in none, and what is before it is sorted. */
	expect_order(5, "01 10 20 14", "34", "0 1");
	expect_order(6, "01 10 23 34 42 52", "", "0 1, 2 3 4");
	expect_order(4, "01 12 20 03 30", "", "0 1 2");
}

static void depth_is_the_longest_way(void **state)
{
	const struct obi_order_edge edges[] = {{1, 0}, {2, 1}, {3, 2}, {3, 0}, {4, 0}};
	const struct obi_order_graph graph = {5, edges, sizeof edges / sizeof edges[0]};
	struct sorted s;
	(void)state;
	sort(&graph, &s);
	assert_int_equal(s.result.deepest, 3);
	assert_int_equal(s.depths[3], 3);
	assert_int_equal(s.depths[4], 1);
	assert_int_equal(s.depths[0], 0);
}

static uint32_t next(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Whether a node reaches itself: by walking from it along all edges. */
static bool is_in_circle(const struct obi_order_graph *g, uint32_t node)
{
	bool reached[NODES] = {false};
	for (uint32_t round = 0; round <= g->count; round++) {
		for (size_t e = 0; e < g->edge_count; e++) {
			if (g->edges[e].node == node || reached[g->edges[e].node]) {
				reached[g->edges[e].after] = true;
			}
		}
	}
	return reached[node];
}

static void check_promises(const struct obi_order_graph *g, const struct sorted *s)
{
	uint32_t place[NODES], circles = 0;
	memset(place, 0xff, sizeof place);
	for (uint32_t i = 0; i < s->result.sorted; i++) {
		assert_int_equal(place[s->order[i]], UINT32_MAX);
		place[s->order[i]] = i;
	}
	for (size_t e = 0; e < g->edge_count; e++) {
		if (place[g->edges[e].node] != UINT32_MAX) {
			assert_true(place[g->edges[e].after] < place[g->edges[e].node]);
			assert_true(s->depths[g->edges[e].after] < s->depths[g->edges[e].node]);
		}
	}
	for (uint32_t i = 0; i < g->count; i++) {
		bool circle = is_in_circle(g, i);
		circles += circle;
		assert_true(!circle || place[i] == UINT32_MAX);
		assert_true(circle || !s->in_circle[i]);
	}
	assert_int_equal(circles > 0, s->result.circles > 0);
	assert_int_equal(s->result.sorted<g->count, circles> 0);
}

static void random_graphs(void **state)
{
	uint64_t seed = 20;
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct obi_order_edge edges[EDGES];
		struct obi_order_graph graph = {.count = 1 + next(&seed, NODES), .edges = edges};
		struct sorted s;
		bool forward = next(&seed, 2) == 0; /* then there is no circle */
		graph.edge_count = next(&seed, 1 + 2 * graph.count);
		for (size_t e = 0; e < graph.edge_count; e++) {
			uint32_t a = next(&seed, graph.count), b = next(&seed, graph.count);
			bool turn = forward && a < b;
			edges[e] = (struct obi_order_edge){turn ? b : a, turn ? a : b};
			if (forward && a == b) {
				graph.edge_count = e; /* no edge to itself */
			}
		}
		sort(&graph, &s);
		assert_true(!forward || s.result.circles == 0);
		check_promises(&graph, &s);
	}
}

/* Any number of circles costs a few walks. */
static void many_circles_are_told_up_to_a_limit(void **state)
{
	enum { PAIRS = 50000 };
	struct obi_order_edge *edges = malloc(2 * PAIRS * sizeof *edges);
	uint32_t *numbers = malloc(4 * PAIRS * sizeof *numbers);
	struct obi_order_graph graph = {2 * PAIRS, edges, 2 * PAIRS};
	struct obi_order_result result = {.order = numbers, .depths = numbers + 2 * PAIRS};
	(void)state;
	assert_true(edges != NULL && numbers != NULL);
	for (uint32_t i = 0; i < PAIRS; i++) {
		edges[2 * i] = (struct obi_order_edge){2 * i, 2 * i + 1};
		edges[2 * i + 1] = (struct obi_order_edge){2 * i + 1, 2 * i};
	}
	assert_true(obi_order_sort(&graph, NULL, NULL, &result));
	assert_int_equal(result.circles, OBI_ORDER_CIRCLES);
	assert_int_equal(result.sorted, 0);
	free(edges);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables),
	    cmocka_unit_test(depth_is_the_longest_way),
	    cmocka_unit_test(random_graphs),
	    cmocka_unit_test(many_circles_are_told_up_to_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
