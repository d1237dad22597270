/* SPDX-License-Identifier: MIT */
/* survey - how a child is, from its data directory alone: what the last parent wrote, who lives
 * there, and what the child says. */
#ifndef OBI_CLI_STATUS_PROBE_H
#define OBI_CLI_STATUS_PROBE_H

#include <outboard/outboard.h>

#include "cli/status/row.h"

/*
 * Fill the row, whose name and data_path are set. No lock is taken and no parent disturbed: the
 * child is asked over a connection of our own. options (may be NULL) are those of its config, to
 * see whether it was started with others. OB_ENOENT: no child was ever there; the row is then one
 * of an idle child.
 */
int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr);

#endif
