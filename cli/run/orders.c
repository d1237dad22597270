/* SPDX-License-Identifier: MIT */
/*
 * The interface `run` that a running supervisor serves on data_root/run.sock, to its own user and
 * to root:
 *
 *   run.status()         -> [{name, state, link, pid, ...}, ...]
 *   run.start(names)     -> [{name, ok, error}, ...], each when the child is ready, or has failed
 * to become so run.stop(names)      -> the same, when it has ended run.restart(names)   -> the same
 *
 * No names: every child. An unknown one: nothing is done at all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "cli/call/connect.h"
#include "api/runtime.h"
#include "cli/status/row.h"
#include "cli/run/run.h"
#include "cli/call/connect.h"

enum { ANSWER_MEMORY = 64 << 20 };

struct obi_order_item {
	struct obi_order_item *next; /* of those that wait for the same child */
	struct obi_order *order;
	struct obi_member *member;
	bool ok;
	char error[256];
};

struct obi_order {
	struct obi_order *next;
	struct obi_run *run;
	ob_call *call;
	uint32_t open; /* items that are not done, and one for who still hands out work */
	uint32_t count;
	struct obi_order_item items[];
};

/* ---- Answering ---- */

static void reply(struct obi_order *order)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value list;
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	ob_build_array(&b);
	for (uint32_t i = 0; i < order->count; i++) {
		const struct obi_order_item *item = &order->items[i];
		ob_build(&b, "{s:s,s:b,s:s}", "name", item->member->options->name, "ok",
			 (int)item->ok, "error", item->ok ? NULL : item->error);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) == OB_OK) {
		(void)ob_call_reply(order->call, &list);
	} else {
		(void)ob_call_fail(order->call, OB_RPC_INTERNAL, "out of memory");
	}
	obi_arena_free(&arena);
}

static void give_back(struct obi_order *order)
{
	struct obi_order **at = &order->run->orders;
	if (--order->open > 0) {
		return;
	}
	while (*at != order) {
		at = &(*at)->next;
	}
	*at = order->next;
	reply(order);
	free(order);
}

/* error NULL: done. */
static void finish(struct obi_order_item *item, const char *error)
{
	item->ok = error == NULL;
	snprintf(item->error, sizeof item->error, "%.*s", (int)sizeof item->error - 1,
		 error != NULL ? error : "");
	give_back(item->order);
}

static void finish_waiting(struct obi_member *member, const char *error)
{
	struct obi_order_item *item = member->waiting;
	member->waiting = NULL;
	while (item != NULL) {
		struct obi_order_item *next = item->next;
		finish(item, error);
		item = next;
	}
}

/* ---- Waiting for a child ---- */

void obi_orders_event(struct obi_member *member, const struct ob_event *event)
{
	char text[256], delay[32];
	switch (event->type) {
	case OB_EVENT_READY:
	case OB_EVENT_ADOPTED:
		finish_waiting(member, NULL);
		break;
	case OB_EVENT_RESTARTING:
		ob_duration_format(event->delay_ms, delay, sizeof delay);
		snprintf(text, sizeof text, "%s; starts again in %s", event->cause, delay);
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

static void await_ready(struct obi_order_item *item)
{
	item->next = item->member->waiting;
	item->member->waiting = item;
}

/* ---- The orders ---- */

static void begin(struct obi_order_item *item)
{
	if (item->member->run->mode != OBI_RUN_SERVING) {
		finish(item, "the supervisor is ending");
		return;
	}
	await_ready(item);
	if (!item->member->held) {
		obi_member_begin(item->member);
	}
}

static void on_stopped_first(void *user, int result, const struct ob_error *err)
{
	struct obi_order_item *item = user;
	if (result < 0) {
		finish(item, err->text);
	} else {
		begin(item);
	}
}

static void order_restart(struct obi_order_item *item)
{
	struct ob_error err;
	if (ob_connector_stop_async(item->member->connector, on_stopped_first, item, &err) < 0) {
		finish(item, err.text);
	}
}

static void order_start(struct obi_order_item *item)
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
		await_ready(item);
		break;
	case OB_STATE_BACKOFF: /* at once, not when the policy says so */
	case OB_STATE_STOPPING:
		order_restart(item);
		break;
	default:
		begin(item);
		break;
	}
}

static void on_stopped(void *user, int result, const struct ob_error *err)
{
	finish(user, result < 0 ? err->text : NULL);
}

static void order_stop(struct obi_order_item *item)
{
	struct ob_error err;
	item->member->held = false;
	if (ob_connector_stop_async(item->member->connector, on_stopped, item, &err) < 0) {
		finish(item, err.text);
	}
}

/* ---- Reading an order ---- */

static struct obi_member *find_member(struct obi_run *run, const struct ob_value *name)
{
	struct ob_bytes text;
	for (uint32_t i = 0; ob_get_string(name, &text) && i < run->count; i++) {
		if (ob_bytes_is(text, run->members[i].options->name)) {
			return &run->members[i];
		}
	}
	return NULL;
}

/*
 * The names in *ret, an array; NULL: none are given, so every child is meant. They come as a list,
 * or one by one. False: as something else, and everybody is the last one to be meant by that.
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

/* Who is meant; answers the call and returns false when somebody is not there. */
static bool find_members(struct obi_order *order, const struct ob_value *names)
{
	for (uint32_t i = 0; i < order->count; i++) {
		const struct ob_value *name = ob_value_at(names, i);
		struct obi_member *member =
		    names != NULL ? find_member(order->run, name) : &order->run->members[i];
		struct ob_bytes text = ob_bytes_text("");
		if (member == NULL) {
			(void)ob_get_string(name, &text);
			(void)ob_call_fail(
			    order->call, OB_RPC_INVALID_PARAMS, "there is no child \"%.*s\"",
			    (int)(text.len < 64 ? text.len : 64), (const char *)text.data);
			return false;
		}
		order->items[i] = (struct obi_order_item){.order = order, .member = member};
	}
	return true;
}

static void take_order(struct obi_run *run, ob_call *call, const struct ob_value *params,
		       void (*carry_out)(struct obi_order_item *))
{
	const struct ob_value *names;
	if (!find_names(params, &names)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS,
				   "names must be a list of names, or not there");
		return;
	}
	uint32_t count = names != NULL ? names->count : run->count;
	struct obi_order *order = calloc(1, sizeof *order + count * sizeof order->items[0]);
	if (order == NULL) {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	*order = (struct obi_order){.run = run, .call = call, .open = count + 1, .count = count};
	if (!find_members(order, names) || ob_call_defer(call) == NULL) {
		free(order);
		return;
	}
	order->next = run->orders;
	run->orders = order;
	for (uint32_t i = 0; i < count; i++) {
		carry_out(&order->items[i]);
	}
	give_back(order);
}

static void on_start(void *user, ob_call *call, const struct ob_value *params)
{
	take_order(user, call, params, order_start);
}

static void on_stop(void *user, ob_call *call, const struct ob_value *params)
{
	take_order(user, call, params, order_stop);
}

static void on_restart(void *user, ob_call *call, const struct ob_value *params)
{
	take_order(user, call, params, order_restart);
}

static void on_status(void *user, ob_call *call, const struct ob_value *params)
{
	struct obi_run *run = user;
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value list;
	(void)params;
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	ob_build_array(&b);
	for (uint32_t i = 0; i < run->count; i++) {
		const struct ob_connector_options *o = run->members[i].options;
		struct obi_row row = {
		    .name = o->name, .data_path = o->data_path, .supervised = true};
		row.status.size = sizeof row.status;
		ob_connector_status(run->members[i].connector, &row.status);
		obi_row_build(&b, &row);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) == OB_OK) {
		(void)ob_call_reply(call, &list);
	} else {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	}
	obi_arena_free(&arena);
}

/* ---- Serving ---- */

static void on_shutdown(void *user, ob_server *server)
{
	(void)server;
	obi_run_stop(user);
}

static bool is_well(void *user, struct ob_error *why)
{
	const struct obi_run *run = user;
	for (uint32_t i = 0; i < run->count; i++) {
		struct ob_status status = {.size = sizeof status};
		ob_connector_status(run->members[i].connector, &status);
		if (status.state == OB_STATE_FAILED) {
			snprintf(why->text, sizeof why->text, "%s has failed",
				 run->members[i].options->name);
			return false;
		}
	}
	return true;
}

int obi_orders_serve(struct obi_run *run, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {
	    {"status", on_status},   {"start", on_start}, {"stop", on_stop},
	    {"restart", on_restart}, {NULL, NULL},
	};
	static const char *const auth[] = {"peercred", NULL};
	/* It has no parent: whoever may give orders may end it. */
	static const char *const rules[] = {"allow outboard-control.shutdown", "allow *", NULL};
	struct ob_server_options options = {.size = sizeof options,
					    .runtime = run->rt,
					    .shutdown = on_shutdown,
					    .user_data = run,
					    .listen = run->address,
					    .auth = auth,
					    .logger = run->logger,
					    .rules = rules};
	int r = ob_server_open(&options, &run->server, reterr);
	r = r == OB_OK ? ob_server_expose(run->server, "run", methods, run, reterr) : r;
	r = r == OB_OK ? ob_server_add_probe(run->server, "children", is_well, run, reterr) : r;
	return r == OB_OK ? ob_server_start(run->server, reterr) : r;
}

void obi_orders_close(struct obi_run *run)
{
	while (run->orders != NULL) {
		struct obi_order *order = run->orders;
		run->orders = order->next;
		(void)ob_call_fail(order->call, OB_RPC_CLOSING, "the supervisor has ended");
		free(order);
	}
	ob_server_close(run->server);
	run->server = NULL;
}
