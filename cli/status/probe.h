/* SPDX-License-Identifier: MIT */
/* probe - the state of a child from its data directory, and what the child itself says. */
#ifndef OBI_CLI_STATUS_PROBE_H
#define OBI_CLI_STATUS_PROBE_H

#include <outboard/outboard.h>

#include "cli/status/row.h"

/*
 * Fill in a row whose name and data_path are set. The child is asked over a connection of its own,
 * so that its parent is not disturbed. options (may be NULL) are those of its config: status.stale
 * tells whether it was started with other ones. OB_ENOENT: the directory does not exist, and the
 * row is that of an idle child.
 */
int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr);

#endif
