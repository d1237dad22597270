/* SPDX-License-Identifier: MIT */
/* api/connector_endpoint - what a connector dials its child with, or is dialled by it. */
#ifndef OBI_API_CONNECTOR_ENDPOINT_H
#define OBI_API_CONNECTOR_ENDPOINT_H

#include "api/connector.h"

/* Set the endpoint of the connector, and listen_transport, by its settings. What the child would
 * refuse of its own ends is refused here. */
int obi_connector_endpoint(struct ob_connector *connector, struct ob_error *reterr);

#endif
