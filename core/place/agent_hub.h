/* SPDX-License-Identifier: MIT */
/*
 * place/agent_hub - what the children behind one agent share: who is greeted, whether it can be
 * reached, and one `changes` that waits for all of them.
 *
 * The hub says `hello` when the connection is up and a member is in charge of its child. From then
 * on it asks for changes, and hands out the facts by name; those of a name that no member has are
 * dropped. An agent that another host has taken over is not greeted again.
 *
 * What comes from the agent may be anything: it is bounded, and made to be printed.
 */
#ifndef OBI_PLACE_AGENT_HUB_H
#define OBI_PLACE_AGENT_HUB_H

#include <outboard/client.h>

#include "loop/loop.h"
#include "place/agent_wire.h"

enum {
	OBI_AGENT_CALL_MS = 30000,    /* for the answer of a call */
	OBI_AGENT_LOG_POLLS_MAX = 128 /* calls of `logs` in flight; a connection has 256 of all */
};

/* How calls reach the agent. */
struct obi_agent_caller {
	/* Call "outboard-agent.METHOD". If this returns OB_OK, fn is called once, but not before
	 * this returns. */
	int (*call)(void *user, const char *method, const struct ob_value *params,
		    int64_t timeout_ms, ob_reply_fn *fn, void *fn_user, uint64_t *ret_id,
		    struct ob_error *reterr);
	/* End a call; fn follows all the same. */
	void (*cancel)(void *user, uint64_t id);
	void *user;
};

struct obi_agent_hub_setup {
	struct obi_loop *loop;
	struct obi_agent_caller caller;
	const char *name;  /* of the agent; copied */
	const char *host;  /* the id of this host: 32 hex digits; copied */
	const char *label; /* what another host is told that we take over from; copied */
};

struct obi_agent_hub;

/* A child behind the agent. It is in the list of the hub, or zeroed. Events may add and remove
 * members, and may not free the hub. All are required. */
struct obi_agent_member {
	const char *name;
	/* The agent has been greeted on this connection. fresh: it is another process than the one
	 * that was greeted before. */
	void (*up)(void *user, bool fresh);
	/* It cannot be reached. Calls in flight have ended. */
	void (*down)(void *user, const char *why);
	void (*facts)(void *user, const struct obi_agent_facts *facts);
	/* It is gone for good, with the machine or the container that it was in. */
	void (*gone)(void *user, const char *why);
	/* Another host has taken over. */
	void (*taken)(void *user, const char *why);
	void *user;
	struct obi_agent_member *next;
	struct obi_agent_hub *hub;
	bool in_charge; /* its facts are wanted */
	uint64_t told;	/* the last round of events that it was told */
};

/* With one reference, for the caller. OB_ENOMEM. */
int obi_agent_hub_new(const struct obi_agent_hub_setup *setup, struct obi_agent_hub **ret,
		      struct ob_error *reterr);
struct obi_agent_hub *obi_agent_hub_ref(struct obi_agent_hub *hub);
/* hub may be NULL. */
void obi_agent_hub_unref(struct obi_agent_hub *hub);

/* ---- From whoever has the connection ---- */

void obi_agent_hub_link_up(struct obi_agent_hub *hub);
/* why: one line. */
void obi_agent_hub_link_down(struct obi_agent_hub *hub, const char *why);
/* The agent will not come back by itself. */
void obi_agent_hub_gone(struct obi_agent_hub *hub, const char *why);
/* There are no calls any more: the caller is not used after this. */
void obi_agent_hub_close(struct obi_agent_hub *hub);

/* ---- From the members ---- */

void obi_agent_hub_add(struct obi_agent_hub *hub, struct obi_agent_member *member);
void obi_agent_hub_remove(struct obi_agent_member *member);
/* The member has the lock of its child, or has it no more. The first one makes the hub greet. */
void obi_agent_hub_charge(struct obi_agent_member *member, bool in_charge);

enum obi_agent_link { OBI_AGENT_DOWN = 0, OBI_AGENT_UP, OBI_AGENT_TAKEN_OVER };
enum obi_agent_link obi_agent_hub_link(const struct obi_agent_hub *hub);
/* Why it is not up. */
const char *obi_agent_hub_why(const struct obi_agent_hub *hub);
const char *obi_agent_hub_name(const struct obi_agent_hub *hub);
const char *obi_agent_hub_run(const struct obi_agent_hub *hub); /* of the agent; "": not known */
const char *obi_agent_hub_host(const struct obi_agent_hub *hub);

/* ---- Calls ---- */

struct obi_agent_call;

/* The end of a call, as in ob_reply_fn; err is NULL if result is OB_OK. */
typedef void obi_agent_answer_fn(void *user, int result, const struct ob_value *value,
				 const struct ob_error *err);

/*
 * Call the agent, which must be up. fn is called once, but not before this returns, and not after
 * obi_agent_call_drop(). fn NULL: nobody waits. ret may be NULL. Returns the codes of
 * ob_client_call_async().
 */
int obi_agent_hub_call(struct obi_agent_hub *hub, const char *method, const struct ob_value *params,
		       int64_t timeout_ms, obi_agent_answer_fn *fn, void *user,
		       struct obi_agent_call **ret, struct ob_error *reterr);

/* Give the call up; call may be NULL. */
void obi_agent_call_drop(struct obi_agent_call *call);

/* Whether one more call of `logs` may wait; each that may ends with obi_agent_hub_end_poll(). */
bool obi_agent_hub_begin_poll(struct obi_agent_hub *hub);
void obi_agent_hub_end_poll(struct obi_agent_hub *hub);
/* Whether they should be short, to make room for each other. */
bool obi_agent_hub_is_crowded(const struct obi_agent_hub *hub);

#endif
