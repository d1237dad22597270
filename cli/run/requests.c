/* SPDX-License-Identifier: MIT */
#include "cli/run/requests.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/text.h"
#include "cli/status/row.h"

/* RESERVE: connections that are served when children have taken all descriptors. */
enum { ANSWER_MEMORY = 64 << 20, RESERVE = 4 };

/* What an answer may take of a message of 4 MiB: results of a request, of which one takes ROW_BYTES
 * without its error; rows of a page of the status, in memory. */
enum { ANSWER_BYTES = 3 << 20, ROW_BYTES = 96, PAGE_ROWS = 256, PAGE_MEMORY = 1 << 20 };

/* How many names a request may have beyond the number of children (unknown or repeated ones). */
enum { NAMES_SPARE = 64 };

/* What a request asks of one child. */
struct obi_run_item {
	struct obi_run_request *request;
	struct obi_member *member;
	struct obi_run_item *next; /* in the list of those that wait for the child */
	bool ok;
	char error[256];
};

struct obi_run_request {
	struct obi_run_request *next;
	struct obi_run_requests *requests;
	ob_call *call;
	uint32_t open; /* items that are not done; one more while the request is carried out */
	uint32_t count;
	struct obi_run_item items[];
};

/* ---- Answers ---- */

/*
 * The answer has to fit into a message: where children are many, the texts of errors are cut to an
 * equal share.
 */
static size_t error_room(const struct obi_run_request *request)
{
	size_t share = ANSWER_BYTES / (request->count + 1);
	size_t room = share > ROW_BYTES ? share - ROW_BYTES : 0;
	return room < sizeof request->items[0].error ? room : sizeof request->items[0].error - 1;
}

static void build_result(struct ob_builder *b, struct obi_run_item *item, size_t room)
{
	item->error[room] = '\0';
	obi_text_clean(item->error); /* it may be cut within a character */
	ob_build(b, "{s:s,s:b,s:s}", "name", item->member->options->name, "ok", (int)item->ok,
		 "error", item->ok ? NULL : item->error);
}

static void answer(struct obi_run_request *request)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value list;
	size_t room = error_room(request);
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	ob_build_array(&b);
	for (uint32_t i = 0; i < request->count; i++) {
		build_result(&b, &request->items[i], room);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) == OB_OK) {
		(void)ob_call_reply(request->call, &list);
	} else {
		(void)ob_call_fail(request->call, OB_RPC_INTERNAL, "out of memory");
	}
	obi_arena_free(&arena);
}

/* One item is done, or all have been begun. Answers when that was the last thing to wait for. */
static void close_one(struct obi_run_request *request)
{
	struct obi_run_request **slot = &request->requests->first;
	if (--request->open > 0) {
		return;
	}
	while (*slot != request) {
		slot = &(*slot)->next;
	}
	*slot = request->next;
	answer(request);
	free(request);
}

/* error NULL: success. */
static void finish(struct obi_run_item *item, const char *error)
{
	item->ok = error == NULL;
	snprintf(item->error, sizeof item->error, "%.*s", (int)sizeof item->error - 1,
		 error != NULL ? error : "");
	close_one(item->request);
}

/* ---- Waiting for a child ---- */

static void wait_for(struct obi_run_item *item)
{
	item->next = item->member->waiting;
	item->member->waiting = item;
}

static void finish_waiting(struct obi_member *member, const char *error)
{
	struct obi_run_item *item;
	while ((item = member->waiting) != NULL) {
		member->waiting = item->next;
		finish(item, error);
	}
}

void obi_requests_event(struct obi_member *member, const struct ob_event *event)
{
	char text[320], delay[32];
	switch (event->type) {
	case OB_EVENT_READY:
	case OB_EVENT_ADOPTED:
	case OB_EVENT_DONE:
		finish_waiting(member, NULL);
		break;
	case OB_EVENT_RESTARTING:
		ob_duration_format(event->delay_ms, delay, sizeof delay);
		snprintf(text, sizeof text, "restarting in %s: %s", delay, event->cause);
		finish_waiting(member, text);
		break;
	case OB_EVENT_FAILED:
	case OB_EVENT_STOPPED:
	case OB_EVENT_DETACHED:
		finish_waiting(member, event->cause);
		break;
	default:
		break;
	}
}

/* ---- What is asked ---- */

static void begin(struct obi_run_item *item)
{
	struct ob_error err;
	wait_for(item);
	if (!item->member->held && obi_member_begin(item->member, &err) < 0) {
		finish_waiting(item->member, err.text);
	}
}

/* Ask for a stop, with this callback. */
static void ask_stop(struct obi_run_item *item, ob_done_fn *done)
{
	struct ob_error err;
	item->member->stopping++;
	if (ob_connector_stop_async(item->member->connector, done, item, &err) < 0) {
		item->member->stopping--;
		finish(item, err.text);
	}
}

static void on_stopped_first(void *user, int result, const struct ob_error *err)
{
	struct obi_run_item *item = user;
	item->member->stopping--;
	if (result < 0) {
		finish(item, err->text);
	} else {
		begin(item);
	}
}

static void restart(struct obi_run_item *item)
{
	ask_stop(item, on_stopped_first);
}

static void start(struct obi_run_item *item)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(item->member->connector, &status);
	switch (status.state) {
	case OB_STATE_READY:
		finish(item, NULL);
		break;
	case OB_STATE_WAITING:
	case OB_STATE_STARTING:
	case OB_STATE_ADOPTING:
		wait_for(item);
		break;
	case OB_STATE_LINGERING:
		if (item->member->stopping > 0) {
			restart(item);
		} else {
			wait_for(item); /* the restart policy goes on after it */
		}
		break;
	case OB_STATE_BACKOFF: /* now, not after the delay */
	case OB_STATE_STOPPING:
		restart(item);
		break;
	default:
		begin(item);
		break;
	}
}

static void on_stopped(void *user, int result, const struct ob_error *err)
{
	struct obi_run_item *item = user;
	item->member->stopping--;
	finish(item, result < 0 ? err->text : NULL);
}

static void stop(struct obi_run_item *item)
{
	if (item->member->held) {
		/* Those who wait for its start: it was not begun, so no event will come. */
		item->member->held = false;
		finish_waiting(item->member, "stopped");
	}
	ask_stop(item, on_stopped);
}

/* ---- Reading a request ---- */

/*
 * The names as an array in *ret; NULL: none are given, which means every child. They come as a list
 * or one by one. False: as something else.
 */
static bool find_names(const struct ob_value *params, const struct ob_value **ret)
{
	const struct ob_value *names = ob_params_get(params, 0, "names");
	*ret = NULL;
	if (ob_is_nil(names)) {
		return true;
	}
	if (names->type == OB_STRING && params->type == OB_ARRAY) {
		*ret = params;
	} else if (names->type == OB_ARRAY) {
		*ret = names;
	}
	return *ret != NULL;
}

/* Fill in the items. False: a name is unknown, and the call was answered. */
static bool find_members(struct obi_run_request *request, const struct ob_value *names)
{
	const struct obi_members *members = request->requests->members;
	for (uint32_t i = 0; i < request->count; i++) {
		struct ob_bytes text = ob_bytes_text("");
		(void)ob_get_string(ob_value_at(names, i), &text);
		struct obi_member *member =
		    names != NULL ? obi_members_find(members, text) : &members->list[i];
		if (member == NULL) {
			(void)ob_call_fail(
			    request->call, OB_RPC_INVALID_PARAMS, "there is no child \"%.*s\"",
			    (int)(text.len < 64 ? text.len : 64), (const char *)text.data);
			return false;
		}
		request->items[i] = (struct obi_run_item){.request = request, .member = member};
	}
	return true;
}

static void carry_out(struct obi_run_requests *requests, ob_call *call,
		      const struct ob_value *params, void (*ask)(struct obi_run_item *))
{
	const struct ob_value *names;
	if (!find_names(params, &names)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS, "names must be a list of names");
		return;
	}
	if (names != NULL && names->count > requests->members->count + NAMES_SPARE) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS,
				   "more names than there are children");
		return;
	}
	uint32_t count = names != NULL ? names->count : requests->members->count;
	struct obi_run_request *request =
	    calloc(1, sizeof *request + count * sizeof request->items[0]);
	if (request == NULL) {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	*request = (struct obi_run_request){
	    .requests = requests, .call = call, .open = count + 1, .count = count};
	if (!find_members(request, names) || ob_call_defer(call) == NULL) {
		free(request);
		return;
	}
	request->next = requests->first;
	requests->first = request;
	for (uint32_t i = 0; i < count; i++) {
		ask(&request->items[i]);
	}
	close_one(request);
}

static void on_start(void *user, ob_call *call, const struct ob_value *params)
{
	carry_out(user, call, params, start);
}

static void on_stop(void *user, ob_call *call, const struct ob_value *params)
{
	carry_out(user, call, params, stop);
}

static void on_restart(void *user, ob_call *call, const struct ob_value *params)
{
	carry_out(user, call, params, restart);
}

static void build_row(struct ob_builder *b, const struct obi_member *member)
{
	const struct ob_connector_options *o = member->options;
	struct obi_row row = {.name = o->name, .data_path = o->data_path, .supervised = true};
	row.status.size = sizeof row.status;
	ob_connector_status(member->connector, &row.status);
	obi_row_build(b, &row);
}

static void build_page(struct ob_builder *b, const struct obi_arena *arena,
		       const struct obi_members *members, uint64_t after)
{
	const struct obi_member *member = obi_members_behind(members, after);
	ob_build_map(b);
	ob_build_key(b, "children");
	ob_build_array(b);
	for (uint32_t i = 0; member != NULL && i < PAGE_ROWS && arena->used < PAGE_MEMORY; i++) {
		build_row(b, member);
		after = member->number;
		member = obi_members_behind(members, after);
	}
	ob_build_end(b);
	ob_build_key(b, "next");
	ob_build_value(b, member != NULL ? ob_uint(after) : ob_nil());
	ob_build_end(b);
}

static void on_status(void *user, ob_call *call, const struct ob_value *params)
{
	const struct obi_run_requests *requests = user;
	const struct ob_value *given = ob_params_get(params, 0, "after");
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value page;
	uint64_t after = 0;
	if (!ob_is_nil(given) && !ob_get_uint(given, &after)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS, "after must be a number");
		return;
	}
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	build_page(&b, &arena, requests->members, after);
	if (ob_builder_finish(&b, &page) == OB_OK) {
		(void)ob_call_reply(call, &page);
	} else {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	}
	obi_arena_free(&arena);
}

/* ---- Serving ---- */

static void on_shutdown(void *user, ob_server *server)
{
	struct obi_run_requests *requests = user;
	(void)server;
	requests->on_shutdown(requests->user);
}

/* The supervisor is healthy unless a child has failed. */
static bool is_healthy(void *user, struct ob_error *why)
{
	const struct obi_members *members = ((const struct obi_run_requests *)user)->members;
	for (uint32_t i = 0; i < members->count; i++) {
		struct ob_status status = {.size = sizeof status};
		ob_connector_status(members->list[i].connector, &status);
		if (status.state == OB_STATE_FAILED) {
			snprintf(why->text, sizeof why->text, "%s has failed",
				 members->list[i].options->name);
			return false;
		}
	}
	return true;
}

int obi_requests_serve(struct obi_run_requests *requests, ob_runtime *rt, const char *address,
		       ob_logger *logger, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {
	    {"status", on_status},   {"start", on_start}, {"stop", on_stop},
	    {"restart", on_restart}, {NULL, NULL},
	};
	static const char *const auth[] = {"peercred", NULL};
	/* The server has no parent, and whoever may start and stop children may shut it down. */
	static const char *const rules[] = {"allow outboard-control.shutdown", "allow *", NULL};
	const struct ob_server_options options = {.size = sizeof options,
						  .runtime = rt,
						  .shutdown = on_shutdown,
						  .user_data = requests,
						  .listen = address,
						  .auth = auth,
						  .logger = logger,
						  .rules = rules,
						  .reserve = RESERVE};
	int r = ob_server_open(&options, &requests->server, reterr);
	r = r == OB_OK ? ob_server_expose(requests->server, "run", methods, requests, reterr) : r;
	r = r == OB_OK
		? ob_server_add_probe(requests->server, "children", is_healthy, requests, reterr)
		: r;
	return r == OB_OK ? ob_server_start(requests->server, reterr) : r;
}

void obi_requests_close(struct obi_run_requests *requests)
{
	while (requests->first != NULL) {
		struct obi_run_request *request = requests->first;
		requests->first = request->next;
		(void)ob_call_fail(request->call, OB_RPC_CLOSING, "the supervisor has ended");
		free(request);
	}
	ob_server_close(requests->server);
	requests->server = NULL;
}
