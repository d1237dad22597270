/* SPDX-License-Identifier: MIT */
/* edges - which member comes after which, as the newest config says. */
#ifndef OBI_CLI_RUN_EDGES_H
#define OBI_CLI_RUN_EDGES_H

#include "cli/run/members.h"

struct obi_edge {
	struct obi_member *member;
	struct obi_member *host; /* the member is after it */
	bool within;		 /* and gone when it is */
	struct obi_edge *next_after, *next_follower;
};

/* Memory for all edges of a config. False: out of memory. */
bool obi_edges_reserve(const struct obi_run_config *config, struct obi_edge **ret);
void obi_edges_free(struct obi_edge *spare);

/*
 * Connect the members of the list, as their newest config says, with the edges that were reserved
 * for it; the rest is freed. Members that leave keep their edges to each other, and have no others.
 */
void obi_edges_connect(struct obi_members *members, struct obi_edge *spare);

void obi_edge_remove(struct obi_edge *edge);

#endif
