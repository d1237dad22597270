/* SPDX-License-Identifier: MIT */
/*
 * api/connector_via - children behind an agent (option `via`): the connector of the agent carries
 * the calls of their places, and says how connections to them are made.
 */
#ifndef OBI_API_CONNECTOR_VIA_H
#define OBI_API_CONNECTOR_VIA_H

#include "api/connector.h"

/* ---- The connector of an agent ---- */

/* Calls pass now, or do not. */
void obi_via_link(struct ob_connector *agent, bool up);
/* The state of its link, as it was reported. An agent that does not answer cannot be reached, also
 * where its connection is kept. */
void obi_via_changed(struct ob_connector *agent, enum ob_link link);
/* An event of its own. */
void obi_via_event(struct ob_connector *agent, const struct ob_event *event);
/* It is being freed: its children lose their place. */
void obi_via_agent_free(struct ob_connector *agent);

/* ---- The connector of a child ---- */

/* With the option `via`, the agent is needed from here on. OB_EINVAL: what the option names cannot
 * be an agent. */
int obi_via_begin(struct ob_connector *child, struct ob_error *reterr);
/* It is not needed any more. When no child is left, agent->via_last is called. */
void obi_via_end(struct ob_connector *child);

/* The place of a child, whose settings and endpoint are made. */
int obi_via_place(struct ob_connector *child, struct obi_place **ret, struct ob_error *reterr);

/* Let connections to the child be made through the agent. */
void obi_via_connection(struct ob_connector *child, struct obi_connection_setup *setup);

#endif
