/* SPDX-License-Identifier: MIT */
/*
 * removed - children that live and are no longer in the config.
 *
 * Their name was removed from it, or has another data directory now. They are known from the record
 * and from the directories in data_root, and are ended as the config that started them would have
 * ended them. A child that another connector supervises is left alone.
 */
#ifndef OBI_CLI_RUN_REMOVED_H
#define OBI_CLI_RUN_REMOVED_H

#include "cli/name_set.h"
#include "cli/run/members.h"
#include "cli/run/root.h"

struct obi_removed_child;

struct obi_removed {
	ob_runtime *rt;
	struct obi_root *root;
	struct obi_run_log *log;
	struct obi_members *members;
	/* One of them has ended: pending became less. */
	void (*on_done)(void *user);
	void *user;

	struct obi_removed_child *first;
	uint32_t pending;	   /* children that are being ended */
	struct obi_name_set known; /* names that were considered */
	ob_watch *write_soon;	   /* the record names children that have ended */
};

/*
 * Find them and begin to end them, then write the record. Members with the name of one that is
 * being ended are held until it has ended.
 */
int obi_removed_begin(struct obi_removed *removed, struct ob_error *reterr);

/* Write the record anew. */
int obi_removed_write(const struct obi_removed *removed, struct ob_error *reterr);

/* Forget them. What is being ended is cancelled when the runtime is freed. */
void obi_removed_close(struct obi_removed *removed);

#endif
