/* SPDX-License-Identifier: MIT */
/*
 * supervisor/home - where a child dials its parent: one listener for one child, with preauth slots
 * of its own. A connection that has authenticated and has said outboard.hello as the child of this
 * start is handed over; all others are refused, with a warning.
 */
#ifndef OBI_SUPERVISOR_HOME_H
#define OBI_SUPERVISOR_HOME_H

#include "rpc/connection.h"
#include "supervisor/hello_judge.h"

/* All are required. Each may close the home, but for `known`. */
struct obi_home_events {
	/* To judge a hello by. */
	struct obi_hello_known (*known)(void *user);
	/* The child is there. The connection belongs to the callee, which hands it over to itself
	 * with obi_connection_hand_over(). run: of the process; "": it said none. */
	void (*arrived)(void *user, struct obi_connection *connection, const char *run);
	/* Somebody was refused. At most one a second, with the number of those in between. */
	void (*warn)(void *user, const char *text);
	void *user;
};

struct obi_home_setup {
	struct obi_loop *loop;
	/* Of the connections, without events: as it is when each comes in. It must stay valid until
	 * the home is closed. auth->allowed_uid is the user of the child: a socket file is given to
	 * it. */
	const struct obi_connection_setup *connection;
	struct obi_home_events events;
};

struct obi_home;

int obi_home_open(const struct obi_home_setup *setup, const char *uri, struct obi_home **ret,
		  struct ob_error *reterr);

/* Stop listening, and drop all who are not handed over yet; also inside an event. home may be NULL.
 */
void obi_home_close(struct obi_home *home);

#endif
