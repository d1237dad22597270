/* SPDX-License-Identifier: MIT */
#include "cli/run/edges.h"

#include <stdlib.h>

void obi_edges_free(struct obi_edge *spare)
{
	while (spare != NULL) {
		struct obi_edge *next = spare->next_after;
		free(spare);
		spare = next;
	}
}

static bool reserve_one(struct obi_edge **spare)
{
	struct obi_edge *edge = calloc(1, sizeof *edge);
	if (edge == NULL) {
		return false;
	}
	edge->next_after = *spare;
	*spare = edge;
	return true;
}

bool obi_edges_reserve(const struct obi_run_config *config, struct obi_edge **ret)
{
	bool good = true;
	*ret = NULL;
	for (uint32_t i = 0; good && i < config->count; i++) {
		const struct obi_child_order *order = &config->orders[i];
		good = order->within == NULL || reserve_one(ret);
		for (uint32_t k = 0; good && order->after != NULL && order->after[k] != NULL; k++) {
			good = reserve_one(ret);
		}
	}
	if (!good) {
		obi_edges_free(*ret);
		*ret = NULL;
	}
	return good;
}

/* ---- Removing ---- */

void obi_edge_remove(struct obi_edge *edge)
{
	struct obi_edge **slot = &edge->member->after;
	while (*slot != edge) {
		slot = &(*slot)->next_after;
	}
	*slot = edge->next_after;
	slot = &edge->host->followers;
	while (*slot != edge) {
		slot = &(*slot)->next_follower;
	}
	*slot = edge->next_follower;
	free(edge);
}

static void cut(struct obi_member *member)
{
	while (member->after != NULL) {
		obi_edge_remove(member->after);
	}
	while (member->followers != NULL) {
		obi_edge_remove(member->followers);
	}
}

/* ---- Connecting ---- */

static void connect(struct obi_member *member, const char *name, bool within,
		    struct obi_edge **spare)
{
	struct obi_edge *edge = *spare;
	struct obi_member *host = obi_members_find(member->members, ob_bytes_text(name));
	if (edge == NULL || host == NULL) {
		return; /* the config was checked */
	}
	for (struct obi_edge *e = member->after; e != NULL; e = e->next_after) {
		if (e->host == host) {
			e->within = e->within || within;
			return;
		}
	}
	*spare = edge->next_after;
	*edge = (struct obi_edge){.member = member,
				  .host = host,
				  .within = within,
				  .next_after = member->after,
				  .next_follower = host->followers};
	member->after = host->followers = edge;
}

void obi_edges_connect(struct obi_members *members, struct obi_edge *spare)
{
	for (uint32_t i = 0; i < members->count; i++) {
		cut(members->list[i]);
	}
	for (uint32_t i = 0; i < members->count; i++) {
		const struct obi_child_order *order = obi_member_order(members->list[i]);
		for (uint32_t k = 0; order->after != NULL && order->after[k] != NULL; k++) {
			connect(members->list[i], order->after[k], false, &spare);
		}
		if (order->within != NULL) {
			/* An agent that has ended may have children that live: their places know.
			 */
			connect(members->list[i], order->within, order->via == NULL, &spare);
		}
	}
	obi_edges_free(spare);
}
