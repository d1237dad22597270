/* SPDX-License-Identifier: MIT */
/*
 * place/local - this machine as a place: child processes, files in the data directory, FIFOs.
 * Every operation but end_holders is complete when it returns.
 */
#ifndef OBI_PLACE_LOCAL_H
#define OBI_PLACE_LOCAL_H

#include <outboard/connector.h>

#include "loop/rename_watch.h"
#include "place/place.h"
#include "place/remains.h"
#include "process/orphans.h"

struct obi_place_local_setup {
	struct obi_loop *loop;
	struct obi_rename_watch_hub **watches;
	struct obi_orphans *orphans;
	struct obi_remains_hub *remains;
	const struct ob_connector_options *options; /* must outlive the place */
	const char *plugin_path;		    /* for the child's environment; may be NULL */
	bool token_file;			    /* write the token into a file of its own */
};

/* OB_ENOMEM. */
int obi_place_local_new(const struct obi_place_local_setup *setup, struct obi_place **ret,
			struct ob_error *reterr);

#endif
