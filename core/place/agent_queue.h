/* SPDX-License-Identifier: MIT */
/*
 * place/agent_queue - requests to an agent about one child, one after the other. A request whose
 * answer was lost with the connection is sent again: every request names the instance that it is
 * about, and the agent answers a repeated one as it did the first.
 */
#ifndef OBI_PLACE_AGENT_QUEUE_H
#define OBI_PLACE_AGENT_QUEUE_H

#include "place/agent_hub.h"

struct obi_agent_request;

/* The answer. err: the agent refused, or it could not be sent at all; its text may be printed.
 * The request is not in the queue any more, and is freed after this. */
typedef void obi_agent_answered_fn(void *user, const struct obi_agent_request *request,
				   const struct ob_value *result, const struct ob_error *err);

struct obi_agent_request {
	const char *method; /* static */
	obi_agent_answered_fn *answered;
	uint64_t op; /* for its user */
	char instance[OBI_INSTANCE_SIZE];
	struct obi_arena arena;
	struct ob_builder builder; /* of the params: the map is open until it is added */
	bool repeated;		   /* it was sent, and its answer was lost */
	struct obi_agent_request *next;
};

struct obi_agent_queue {
	struct obi_loop *loop;
	struct obi_agent_hub *hub;
	void *user;
	struct obi_agent_request *first; /* in flight, if call is set */
	struct obi_agent_call *call;
	struct obi_timer timer; /* until it is sent again */
};

void obi_agent_queue_init(struct obi_agent_queue *queue, struct obi_loop *loop,
			  struct obi_agent_hub *hub, void *user);

/* Begin a request: its params are {host, name, instance} so far ("": without instance). NULL: out
 * of memory. */
struct obi_agent_request *obi_agent_request_new(const struct obi_agent_queue *queue,
						const char *method, const char *name,
						const char *instance,
						obi_agent_answered_fn *answered);
void obi_agent_request_free(struct obi_agent_request *request);

/* Add a request, which belongs to the queue from here on. */
void obi_agent_queue_add(struct obi_agent_queue *queue, struct obi_agent_request *request);

/* The agent is up: send what waits. */
void obi_agent_queue_resume(struct obi_agent_queue *queue);
/* The connection is lost, and with it the answer that was due. */
void obi_agent_queue_pause(struct obi_agent_queue *queue);

/* Whether a request of this method is queued or in flight. */
bool obi_agent_queue_has(const struct obi_agent_queue *queue, const char *method);

/* Answer all requests with this error. */
void obi_agent_queue_fail(struct obi_agent_queue *queue, const struct ob_error *err);

/* Forget all requests. */
void obi_agent_queue_clear(struct obi_agent_queue *queue);

#endif
