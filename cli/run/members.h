/* SPDX-License-Identifier: MIT */
/* members - the children of the config, a connector each. */
#ifndef OBI_CLI_RUN_MEMBERS_H
#define OBI_CLI_RUN_MEMBERS_H

#include "base/key_table.h"
#include "cli/config/where.h"
#include "cli/run/generation.h"
#include "cli/run/run_log.h"

struct obi_members;
struct obi_run_item;
struct obi_edge;
struct obi_order_stop;

struct obi_member {
	struct obi_key_node node; /* among its members, by name */
	struct obi_members *members;
	uint32_t refs;		       /* one of its members, one of each request */
	struct obi_member_config now;  /* what its connector has */
	struct obi_member_config next; /* for its next start, where the config has changed */
	const struct ob_connector_options *options; /* of now */
	ob_connector *connector;
	ob_connector *via; /* that of its agent when the connector was made; NULL: it has none */
	struct obi_run_item *waiting; /* what requests ask of it, until it is ready or has failed */
	uint64_t number;	      /* from 1, growing in the order of the list; not used again */
	uint32_t stopping;	      /* requests that wait for its stop */
	bool unsaved; /* its state was removed and cannot be made again, which was told */
	bool blocked; /* an earlier child of its name is being ended */
	bool held; /* to be started when that one has ended, and those that it is after are ready */
	bool begun;  /* it was begun, and had no event since */
	bool again;  /* to be started after it was stopped because of one that it is after */
	bool ending; /* it is being stopped or detached with all others */
	bool edited; /* the config file says something else by now */
	struct obi_edge *after; /* edges to those that it is after (cli/run/edges.h) */
	struct obi_edge *followers;
	struct obi_order_stop *stops; /* that wait for the stop of its followers */
	int64_t exited_ms;	      /* when its process ended unasked; 0: it did not */
	uint64_t visit;		      /* the last walk along edges that came by */
	struct obi_member *next_leaving;
	bool left; /* it is no longer in the config, and is being ended */
};

struct obi_members {
	ob_runtime *rt;
	struct obi_run_log *log;
	/* An event of a member, after it was logged. */
	void (*on_event)(void *user, struct obi_member *member, const struct ob_event *event);
	/* A member was stopped or detached: pending became less. */
	void (*on_done)(void *user);
	/* A member has the options of its new config. */
	void (*on_renewed)(void *user);
	void *user; /* of all three */

	struct obi_member **list; /* in the order of the config */
	uint32_t count;
	struct obi_member *leaving; /* no longer in the list, and not found by name */
	uint32_t leaving_count;
	uint64_t last_number;
	struct obi_key_table names;
	uint32_t pending; /* members that are being stopped or detached */
	bool ending;	  /* all were told to stop or detach: none is started any more */
	bool hurried;	  /* stops do not wait for each other any more */
	uint64_t visits;  /* walks along edges so far */
};

/* Make a connector for each child of the config; nothing is started. On failure too, close them. */
int obi_members_make(struct obi_members *members, struct obi_generation *generation,
		     struct ob_error *reterr);

/*
 * Complete a list for a generation, in its order: a member for each child that has none in it yet.
 * They have one reference, and are no members yet. On failure those that were made stay in the
 * list, which may have gaps.
 */
int obi_members_complete(struct obi_members *members, struct obi_generation *generation,
			 struct obi_member **list, struct ob_error *reterr);

/* Take over a new list, with the edges that were reserved for it (cli/run/edges.h). Those of the
 * old one that are not in it are leaving. */
void obi_members_replace(struct obi_members *members, struct obi_member **list, uint32_t count,
			 struct obi_edge *edges);

/* Start or adopt all members. */
void obi_members_begin(struct obi_members *members);

/* Start or adopt one member with its newest config. One that is blocked, or is after others that
 * are not ready, is held. Its connector rests. */
int obi_member_begin(struct obi_member *member, struct ob_error *reterr);

/* Stop it if need be, and start it with its newest config, without waiting. */
void obi_member_restart(struct obi_member *member);

/* A member that is leaving has ended, or cannot be ended: close its connector. */
void obi_member_close(struct obi_member *member);

/* The last reference frees it: the connector is closed by then. */
struct obi_member *obi_member_ref(struct obi_member *member);
void obi_member_unref(struct obi_member *member);

/* Stop, or detach, all members; make a stop short. */
void obi_members_stop(struct obi_members *members);
void obi_members_detach(struct obi_members *members);
void obi_members_hurry(struct obi_members *members);

void obi_members_close(struct obi_members *members);

/* The first member with a number above this one; NULL: none. */
struct obi_member *obi_members_behind(const struct obi_members *members, uint64_t number);

/* The member of this name; NULL: none. */
struct obi_member *obi_members_find(const struct obi_members *members, struct ob_bytes name);

/* The first member that has failed; NULL: none. */
struct obi_member *obi_members_find_failed(const struct obi_members *members);

/* What its newest config says of its order. */
const struct obi_child_order *obi_member_order(const struct obi_member *member);

enum obi_where obi_member_where(const struct obi_member *member);

/* The same as it is shown: of a child behind an agent, the name of the agent. NULL: unknown. */
const char *obi_member_where_name(const struct obi_member *member);

/* The status of a member: stale also if its config has changed since it was started. */
void obi_member_status(const struct obi_member *member, struct ob_status *ret);

/* Of a child that others start: it is supervised, and cannot be reached. */
bool obi_member_is_unreachable(const struct obi_member *member);

/* Why it is not restarted on request: others start it, and it is not to be asked to end. NULL: it
 * can be. */
const char *obi_member_restart_refusal(const struct obi_member *member);

#endif
