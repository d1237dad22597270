/* SPDX-License-Identifier: MIT */
/* probe - the state of children from their data directories, and what the children themselves say.
 */
#ifndef OBI_CLI_STATUS_PROBE_H
#define OBI_CLI_STATUS_PROBE_H

#include <outboard/outboard.h>

#include "cli/status/row.h"

/*
 * Fill in a row whose name and data_path are set, from the files of the child. If it runs, row->rt
 * is set: it is to be asked. options (may be NULL) are those of its config: status.stale tells
 * whether it was started with other ones. OB_ENOENT: the directory does not exist, and the row is
 * that of an idle child.
 */
int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr);

/*
 * Ask the children of these rows that rt is to ask, all at once: however many hang, it takes as
 * long as for one. Each is asked over a connection of its own, so that its parent is not disturbed.
 */
void obi_status_ask(ob_runtime *rt, const struct obi_rows *rows);

#endif
