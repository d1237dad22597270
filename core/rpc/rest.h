/* SPDX-License-Identifier: MIT */
/*
 * rpc/rest - gives back most of the memory of a session that was idle for a while: of many
 * connections most are. An idle session that has given it back wakes nobody.
 */
#ifndef OBI_RPC_REST_H
#define OBI_RPC_REST_H

#include "loop/loop.h"
#include "rpc/session.h"

/* A session that had no input and no output for one to two times so many ms rests. */
enum { OBI_REST_MS = 1000 };

struct obi_rest {
	struct obi_loop *loop;
	struct obi_session *session;
	struct obi_timer timer;
	bool used; /* since the timer was set */
};

void obi_rest_init(struct obi_rest *rest, struct obi_loop *loop, struct obi_session *session);

/* The session has input or output. */
static inline void obi_rest_note_use(struct obi_rest *rest)
{
	rest->used = rest->timer.loop != NULL;
	if (!rest->used) {
		obi_timer_set(rest->loop, &rest->timer, OBI_REST_MS);
	}
}

void obi_rest_stop(struct obi_rest *rest);

#endif
