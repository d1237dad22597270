/* SPDX-License-Identifier: MIT */
/*
 * place/agent_place_life - one child at an agent, as its place on the host sees it: what is
 * watched, and which events follow from the facts. The place (place/agent_place) has the
 * operations.
 */
#ifndef OBI_PLACE_AGENT_PLACE_LIFE_H
#define OBI_PLACE_AGENT_PLACE_LIFE_H

#include "place/agent_log_reader.h"
#include "place/agent_place.h"
#include "place/agent_queue.h"
#include "place/state_charge.h"

/* What is watched. */
enum obi_agent_life {
	OBI_AGENT_AT_REST = 0,
	OBI_AGENT_WATCHED,   /* spawned or adopted; `exited` is to come */
	OBI_AGENT_DEAD,	     /* `gone` is to come */
	OBI_AGENT_OF_EARLIER /* what an earlier start left is dealt with; `gone` is to come */
};

struct obi_agent_place {
	struct obi_place place; /* must be first */
	struct obi_place_agent_setup setup;
	struct obi_agent_member member;
	struct obi_state_charge charge;
	struct obi_agent_queue queue;
	struct obi_agent_log_reader logs;
	uint64_t probe_op; /* the agent is to be asked; 0: not */
	bool has_state;	   /* the answer to the probe has it */
	struct obi_statefile state;
	bool lost;			  /* as it was reported */
	char instance[OBI_INSTANCE_SIZE]; /* of our start; "": none */
	enum obi_agent_life life;
	bool known; /* facts are of this agent process */
	bool fresh; /* the agent has started anew since they were asked for */
	struct obi_agent_facts facts;
	obi_agent_answered_fn *inspected; /* takes the answer of `inspect` */
	bool drained;			  /* the logs were read to their end */
	bool holders_asked;		  /* the agent has answered end_holders */
	bool stopping;			  /* it was told to stop, which includes SIGCONT */
	bool killed;			  /* SIGKILL was asked for */
	bool watch_config;		  /* report when it changes */
	uint64_t config_version;	  /* that was reported last */
	bool ack_due;			  /* the exit was reported: acknowledged when saved */
	char said[OBI_AGENT_TEXT_SIZE];	  /* the last `remains` */
};

static inline const char *obi_agent_place_name(const struct obi_agent_place *child)
{
	return child->setup.options->name;
}

/* Whether the facts are about our start. */
bool obi_agent_place_is_ours(const struct obi_agent_place *child);

/* The process of the facts; its record is one of this kind of place. */
struct obi_place_child obi_agent_place_process(const struct obi_agent_place *child);

/* A request about this child. NULL: out of memory. */
struct obi_agent_request *obi_agent_place_request(struct obi_agent_place *child, const char *method,
						  const char *instance,
						  obi_agent_answered_fn *answered);
/* Add `signal` and `timeout_ms`. */
void obi_agent_request_put(struct obi_agent_request *request, const char *key, int64_t number);

/* Call without waiting for an answer, and without repeating it: `ack_exit`, or `end` with SIGKILL.
 */
void obi_agent_place_tell(struct obi_agent_place *child, const char *method, const char *instance);

/* How long the agent is to wait before it kills: stop_timeout_ms, within its limit. */
int64_t obi_agent_place_stop_ms(const struct obi_agent_place *child);

/* Have the agent deal with what is left of the child. */
void obi_agent_place_ask_holders(struct obi_agent_place *child);

/* Ask for the facts, behind all that was asked before. */
void obi_agent_place_inspect(struct obi_agent_place *child);

/* Report what follows from the facts. */
void obi_agent_place_step(struct obi_agent_place *child);

/* The logs were read to their end. An event of agent_log_reader. */
void obi_agent_place_drained(void *user);

/* There is no such process at the agent any more, nor anything that is left of one: report it. */
void obi_agent_place_vanish(struct obi_agent_place *child, const char *cause);

/* Nothing is done about what is left any more: report it. */
void obi_agent_place_fail(struct obi_agent_place *child, int code, const char *text);

#endif
