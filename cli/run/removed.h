/* SPDX-License-Identifier: MIT */
/*
 * removed - children that live and are no longer in the config.
 *
 * Their name was removed from it, or has another data directory now. They are members that a reload
 * has removed; or they are known from the record and from the directories in data_root. They are
 * ended as the config that started them would have ended them. A child that another connector
 * supervises is left alone.
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
 * being ended are blocked until it has ended.
 */
int obi_removed_begin(struct obi_removed *removed, struct ob_error *reterr);

/* End a member that is leaving. Its connector is closed when it has ended. */
int obi_removed_member(struct obi_removed *removed, struct obi_member *member,
		       struct ob_error *reterr);

/* Block the members that have the name of one that is being ended. */
void obi_removed_block(struct obi_removed *removed);

/* Call fn for each that is being ended. */
void obi_removed_each(const struct obi_removed *removed,
		      void (*fn)(void *user, const struct obi_record_entry *entry), void *user);

/* The names of those that are being ended, as many as there is room for; returns their number. */
uint32_t obi_removed_names(const struct obi_removed *removed, const char **names, uint32_t room);

/* Make the ends short of those that have no connector; obi_members_hurry() has the others. */
void obi_removed_hurry(struct obi_removed *removed);

/* The members have changed: write the record anew, a little later. */
void obi_removed_write_soon(struct obi_removed *removed);

/* Write it now, if that is due. While there are members. */
void obi_removed_flush(struct obi_removed *removed);

/* Write the record anew, now. */
int obi_removed_write(const struct obi_removed *removed, struct ob_error *reterr);

/* Forget them. What is being ended is cancelled when the runtime is freed. */
void obi_removed_close(struct obi_removed *removed);

#endif
