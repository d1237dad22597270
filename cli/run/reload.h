/* SPDX-License-Identifier: MIT */
/*
 * reload - the config file, read once more while its children run.
 *
 * A config with faults changes nothing. Children that are new become members, those that are no
 * longer in the file leave, and one whose config has changed gets the new one at its next start.
 * What belongs to the supervisor itself (data_root, plugin_path) cannot change: that is a fault.
 */
#ifndef OBI_CLI_RUN_RELOAD_H
#define OBI_CLI_RUN_RELOAD_H

#include <sys/stat.h>

#include "cli/config/load.h"
#include "cli/run/members.h"
#include "cli/run/removed.h"

struct obi_reload {
	const char *file; /* borrowed */
	ob_runtime *rt;
	struct obi_run_log *log;
	struct obi_members *members;
	struct obi_removed *removed;

	struct obi_generation *current; /* a reference: the config as it was read last */
	struct stat seen;		/* the file, when it was read or compared last */
};

enum obi_change {
	OBI_CHANGE_NONE = 0,
	OBI_CHANGE_STARTED,   /* it is new */
	OBI_CHANGE_ENDED,     /* it is leaving */
	OBI_CHANGE_STALE,     /* it runs on with its old config */
	OBI_CHANGE_CHANGED,   /* nothing of it runs: its next start has the new config */
	OBI_CHANGE_RESTARTED, /* it runs with its old config, or waits for its next start */
};

struct obi_changes {
	struct obi_member **members; /* with a reference each */
	enum obi_change *changes;
	uint32_t count;
	uint32_t unchanged;
};

/* The config that was loaded at the start. current gets a reference to it. */
void obi_reload_init(struct obi_reload *reload, struct obi_generation *generation);
void obi_reload_close(struct obi_reload *reload);

/*
 * Read and check the file, and make its children the members; nothing is started or ended yet.
 * restart: what has changed is to be restarted, and not only marked. False: faults were added and
 * nothing has changed. Free *ret with obi_changes_free().
 */
bool obi_reload_apply(struct obi_reload *reload, bool restart, struct obi_changes *ret,
		      struct obi_faults *faults);
void obi_changes_free(struct obi_changes *changes);

/* "started", "ended", ... */
const char *obi_change_name(enum obi_change change);

/* Look whether the file has changed since it was read, and set `edited` of each member. Returns
 * whether the file has a child of this name (may be NULL). */
bool obi_reload_compare(struct obi_reload *reload, const char *name);

#endif
