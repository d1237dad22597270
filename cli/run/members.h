/* SPDX-License-Identifier: MIT */
/* members - the children of the config, a connector each. */
#ifndef OBI_CLI_RUN_MEMBERS_H
#define OBI_CLI_RUN_MEMBERS_H

#include "base/key_table.h"
#include "cli/config/run_config.h"
#include "cli/run/run_log.h"

struct obi_members;
struct obi_run_item;

struct obi_member {
	struct obi_key_node node; /* among its members, by name */
	struct obi_members *members;
	const struct ob_connector_options *options;
	ob_connector *connector;
	struct obi_run_item *waiting; /* what requests ask of it, until it is ready or has failed */
	uint64_t number;	      /* from 1, in the order of the list; not used again */
	uint32_t stopping;	      /* requests that wait for its stop */
	bool unsaved; /* its state was removed and cannot be made again, which was told */
	bool held;    /* not to be started until an earlier child of its name has ended */
};

struct obi_members {
	struct obi_run_log *log;
	/* An event of a member, after it was logged. */
	void (*on_event)(void *user, struct obi_member *member, const struct ob_event *event);
	/* A member was stopped or detached: pending became less. */
	void (*on_done)(void *user);
	void *user; /* of both */

	struct obi_member *list;
	uint32_t count;
	struct obi_key_table names;
	uint32_t pending; /* members that are being stopped or detached */
	bool ending;	  /* all were told to stop or detach: none is started any more */
};

/* Make a connector for each child of the config; nothing is started. On failure too, close them. */
int obi_members_make(struct obi_members *members, ob_runtime *rt,
		     const struct obi_run_config *config, struct ob_error *reterr);

/* Start or adopt all members but those that are held. */
void obi_members_begin(struct obi_members *members);

/* Start or adopt one member, held or not. */
int obi_member_begin(struct obi_member *member, struct ob_error *reterr);

/* Stop, or detach, all members. */
void obi_members_stop(struct obi_members *members);
void obi_members_detach(struct obi_members *members);

void obi_members_close(struct obi_members *members);

/* The first member with a number above this one; NULL: none. */
struct obi_member *obi_members_behind(const struct obi_members *members, uint64_t number);

/* The member of this name; NULL: none. */
struct obi_member *obi_members_find(const struct obi_members *members, struct ob_bytes name);

#endif
