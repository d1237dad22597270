/* SPDX-License-Identifier: MIT */
/* api/connector_wait - waiting for a state of a child. */
#ifndef OBI_API_CONNECTOR_WAIT_H
#define OBI_API_CONNECTOR_WAIT_H

#include "loop/loop.h"

struct ob_connector;
struct obi_wait;

/* The waits of a connector. Zeroed: none. Used between obi_enter() and obi_leave(). */
struct obi_waits {
	struct obi_wait *open;	 /* for a state that is still to come */
	struct obi_wait *ended;	 /* to be reported from the loop, in this order */
	struct obi_wait **after; /* the end of that list; set while it is not empty */
	struct obi_task report;
	uint64_t last_id;
	bool closed; /* there are no new ones */
};

/* The supervisor has made a step: end the waits for its state, and those whose state does not come
 * any more. */
void obi_waits_changed(struct ob_connector *connector);

/* The connector is being closed: every wait ends with OB_ECLOSED, from the loop. */
void obi_waits_close(struct ob_connector *connector);

/* The same, at once: the loop does not turn for the connector any more. */
void obi_waits_free(struct ob_connector *connector);

#endif
