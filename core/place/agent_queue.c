/* SPDX-License-Identifier: MIT */
#include "place/agent_queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

enum { RETRY_MS = 500, REQUEST_MAX = 4 << 20 };

/* ---- One request ---- */

/* It may have the token of the child. */
static void wipe(struct obi_agent_request *request)
{
	struct ob_bytes token;
	struct ob_value params = ob_nil();
	if (ob_builder_finish(&request->builder, &params) == OB_OK &&
	    ob_get_string(ob_value_find(ob_value_find(&params, "config"), "token"), &token)) {
		explicit_bzero((void *)(uintptr_t)token.data, token.len);
	}
}

void obi_agent_request_free(struct obi_agent_request *request)
{
	if (request != NULL) {
		wipe(request);
		obi_arena_free(&request->arena);
		free(request);
	}
}

struct obi_agent_request *obi_agent_request_new(const struct obi_agent_queue *queue,
						const char *method, const char *name,
						const char *instance,
						obi_agent_answered_fn *answered)
{
	struct obi_agent_request *request = calloc(1, sizeof *request);
	if (request == NULL) {
		return NULL;
	}
	struct ob_builder *b = &request->builder;
	request->method = method;
	request->answered = answered;
	snprintf(request->instance, sizeof request->instance, "%s", instance);
	obi_arena_init(&request->arena, REQUEST_MAX);
	ob_builder_init(b, &request->arena.ob);
	ob_build_map(b);
	ob_build_key(b, "host");
	ob_build_string(b, obi_agent_hub_host(queue->hub));
	ob_build_key(b, "name");
	ob_build_string(b, name);
	if (instance[0] != '\0') {
		ob_build_key(b, "instance");
		ob_build_string(b, request->instance);
	}
	return request;
}

/* ---- The first one ---- */

static void send_first(struct obi_agent_queue *queue);

static void finish(struct obi_agent_queue *queue, const struct ob_value *result,
		   const struct ob_error *err)
{
	struct obi_agent_request *request = queue->first;
	queue->first = request->next;
	request->answered(queue->user, request, result, err);
	obi_agent_request_free(request);
}

/* Whether it is worth to send it again: the agent has not refused it. */
static bool is_lost(int code, const struct ob_error *err)
{
	switch (code) {
	case OB_EREMOTE:
		return err->remote_code == OB_RPC_BUSY || err->remote_code == OB_RPC_CLOSING ||
		       err->remote_code == OB_RPC_CANCELED;
	case OB_ECONNLOST:
	case OB_EDOWN:
	case OB_ETIMEDOUT:
	case OB_EAGAIN:
	case OB_ECLOSED:
	case OB_ECANCELED:
		return true;
	default:
		return false;
	}
}

static void finish_with(struct obi_agent_queue *queue, const struct ob_error *err)
{
	char text[OBI_AGENT_TEXT_SIZE];
	struct ob_error shown = *err;
	obi_agent_text_set(text, err->text);
	obi_fail(&shown, err->code, 0, "%s: %s", obi_agent_hub_name(queue->hub), text);
	shown.remote_code = err->remote_code;
	finish(queue, NULL, &shown);
}

static void again_later(struct obi_agent_queue *queue)
{
	queue->first->repeated = true;
	if (obi_agent_hub_link(queue->hub) == OBI_AGENT_UP) {
		obi_timer_set(queue->loop, &queue->timer, RETRY_MS);
	}
}

static void on_answer(void *user, int result, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_agent_queue *queue = user;
	queue->call = NULL;
	if (result == OB_OK) {
		finish(queue, value, NULL);
	} else if (is_lost(result, err)) {
		again_later(queue);
	} else {
		finish_with(queue, err);
	}
	send_first(queue);
}

static void send_first(struct obi_agent_queue *queue)
{
	while (queue->first != NULL && queue->call == NULL && queue->timer.loop == NULL &&
	       obi_agent_hub_link(queue->hub) == OBI_AGENT_UP) {
		struct ob_value params = ob_nil();
		struct ob_error err;
		int r = ob_builder_finish(&queue->first->builder, &params);
		r = r < 0 ? obi_fail(&err, r, 0, "out of memory")
			  : obi_agent_hub_call(queue->hub, queue->first->method, &params,
					       OBI_AGENT_CALL_MS, on_answer, queue, &queue->call,
					       &err);
		if (r < 0 && is_lost(r, &err)) {
			again_later(queue);
		} else if (r < 0) {
			finish_with(queue, &err);
		}
	}
}

static void on_timer(void *user)
{
	send_first(user);
}

/* ---- The queue ---- */

void obi_agent_queue_init(struct obi_agent_queue *queue, struct obi_loop *loop,
			  struct obi_agent_hub *hub, void *user)
{
	*queue = (struct obi_agent_queue){.loop = loop, .hub = hub, .user = user};
	queue->timer.fn = on_timer;
	queue->timer.user = queue;
}

void obi_agent_queue_add(struct obi_agent_queue *queue, struct obi_agent_request *request)
{
	struct obi_agent_request **slot = &queue->first;
	ob_build_end(&request->builder);
	while (*slot != NULL) {
		slot = &(*slot)->next;
	}
	*slot = request;
	send_first(queue);
}

void obi_agent_queue_resume(struct obi_agent_queue *queue)
{
	obi_timer_stop(&queue->timer);
	send_first(queue);
}

void obi_agent_queue_pause(struct obi_agent_queue *queue)
{
	obi_timer_stop(&queue->timer);
	if (queue->call != NULL) {
		obi_agent_call_drop(queue->call);
		queue->call = NULL;
		queue->first->repeated = true;
	}
}

bool obi_agent_queue_has(const struct obi_agent_queue *queue, const char *method)
{
	const struct obi_agent_request *r = queue->first;
	while (r != NULL && strcmp(r->method, method) != 0) {
		r = r->next;
	}
	return r != NULL;
}

void obi_agent_queue_fail(struct obi_agent_queue *queue, const struct ob_error *err)
{
	obi_agent_queue_pause(queue);
	/* Those that an answer adds are not of these. */
	struct obi_agent_request *all = queue->first;
	queue->first = NULL;
	while (all != NULL) {
		struct obi_agent_request *next = all->next;
		all->answered(queue->user, all, NULL, err);
		obi_agent_request_free(all);
		all = next;
	}
}

void obi_agent_queue_clear(struct obi_agent_queue *queue)
{
	obi_agent_queue_pause(queue);
	while (queue->first != NULL) {
		struct obi_agent_request *next = queue->first->next;
		obi_agent_request_free(queue->first);
		queue->first = next;
	}
}
