/* SPDX-License-Identifier: MIT */
#include "cli/run/requests.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/text.h"
#include "cli/run/pages.h"
#include "cli/run/answer.h"
#include "cli/run/edges.h"
#include "cli/run/order.h"
#include "cli/run/reload_report.h"

/* RESERVE: connections that are served when children have taken all descriptors. */
enum { ANSWER_MEMORY = 64 << 20, RESERVE = 4 };

/* What an answer may take of a message of 4 MiB: results of a request, of which one takes ROW_BYTES
 * without its error, and NOTE_BYTES what it has beside. */
enum { ANSWER_BYTES = 3 << 20, ROW_BYTES = 96, NOTE_BYTES = 80 };

/* How many names a request may have beyond the number of children (unknown or repeated ones). */
enum { NAMES_SPARE = 64 };

static const char note[] = "its config has changed in the file: outboard reload";

/* What a request asks of one child. */
struct obi_run_item {
	struct obi_run_request *request;
	struct obi_member *member;
	struct obi_run_item *next; /* in the list of those that wait for the child */
	enum obi_change change;	   /* of a reload */
	bool ok;
	char error[256];
};

struct obi_run_request {
	struct obi_run_request *next;
	struct obi_run_requests *requests;
	ob_call *call;	    /* NULL: nobody waits for an answer */
	bool reload;	    /* which tells what has changed, too */
	uint32_t unchanged; /* children that a reload did not touch */
	uint32_t open;	    /* items that are not done; one more while the request is carried out */
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
	size_t share = ANSWER_BYTES / (request->count + 1), others = ROW_BYTES;
	for (uint32_t i = 0; i < request->count && others == ROW_BYTES; i++) {
		bool more =
		    request->items[i].change != OBI_CHANGE_NONE || request->items[i].member->edited;
		others += more ? NOTE_BYTES : 0;
	}
	size_t room = share > others ? share - others : 0;
	return room < sizeof request->items[0].error ? room : sizeof request->items[0].error - 1;
}

static void build_result(struct ob_builder *b, struct obi_run_item *item, size_t room)
{
	item->error[room] = '\0';
	obi_text_clean(item->error); /* it may be cut within a character */
	ob_build(b, "{s:s,s:b,s:s", "name", item->member->options->name, "ok", (int)item->ok,
		 "error", item->ok ? NULL : item->error);
	if (item->change != OBI_CHANGE_NONE) {
		ob_build(b, "s:s", "change", obi_change_name(item->change));
	} else if (item->member->edited) {
		ob_build(b, "s:s", "note", note);
	}
	ob_build(b, "}");
}

/* A list; that of a reload in an object. */
static void build_answer(struct ob_builder *b, struct obi_run_request *request)
{
	size_t room = error_room(request);
	if (request->reload) {
		ob_build(b, "{s:U,s:", "unchanged", (uint64_t)request->unchanged, "children");
	}
	ob_build_array(b);
	for (uint32_t i = 0; i < request->count; i++) {
		build_result(b, &request->items[i], room);
	}
	ob_build_end(b);
	if (request->reload) {
		ob_build(b, "}");
	}
}

static void answer(struct obi_run_request *request)
{
	struct obi_arena arena;
	struct ob_builder b;
	if (request->call == NULL) {
		return;
	}
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	build_answer(&b, request);
	obi_answer_built(request->call, &b);
	obi_arena_free(&arena);
}

static void free_request(struct obi_run_request *request)
{
	for (uint32_t i = 0; i < request->count; i++) {
		if (request->items[i].member != NULL) {
			obi_member_unref(request->items[i].member);
		}
	}
	free(request);
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
	free_request(request);
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
	obi_member_ref(member); /* the last item may have the last one */
	while ((item = member->waiting) != NULL) {
		member->waiting = item->next;
		finish(item, error);
	}
	obi_member_unref(member);
}

/* Those who wait for the start of a member that waits for this one. */
static void finish_held(struct obi_member *member, const char *error, uint64_t visit)
{
	char text[320];
	snprintf(text, sizeof text, "blocked: %.64s: %.220s", member->options->name, error);
	for (struct obi_edge *e = member->followers, *next; e != NULL; e = next) {
		next = e->next_follower;
		if (e->member->held && e->member->visit != visit) {
			e->member->visit = visit;
			finish_waiting(e->member, text);
			finish_held(e->member, "blocked", visit);
		}
	}
}

static void finish_failed(struct obi_member *member, const char *error)
{
	obi_member_ref(member);
	finish_waiting(member, error);
	finish_held(member, error, ++member->members->visits);
	obi_member_unref(member);
}

void obi_requests_event(struct obi_member *member, const struct ob_event *event)
{
	char text[320], delay[32];
	switch (event->type) {
	case OB_EVENT_ADOPTED:
		finish_waiting(member, obi_member_is_unreachable(member) ? event->cause : NULL);
		break;
	case OB_EVENT_READY:
	case OB_EVENT_DONE:
		finish_waiting(member, NULL);
		break;
	case OB_EVENT_RESTARTING:
		ob_duration_format(event->delay_ms, delay, sizeof delay);
		snprintf(text, sizeof text, "restarting in %s: %s", delay, event->cause);
		finish_failed(member, text);
		break;
	case OB_EVENT_FAILED:
	case OB_EVENT_DETACHED:
		finish_failed(member, event->cause);
		break;
	case OB_EVENT_STOPPED:
		finish_waiting(member, event->cause); /* it may be a part of a restart */
		break;
	default:
		break;
	}
}

/* ---- What is asked ---- */

/* A request for a child is one for those that it is after; a reload starts only what is new. */
static void begin(struct obi_run_item *item)
{
	struct obi_member *member = obi_member_ref(item->member);
	char reason[192] = "blocked: ";
	struct ob_error err;
	wait_for(item);
	if (!item->request->reload) {
		obi_order_begin_hosts(member);
	}
	if (obi_member_begin(member, &err) < 0) {
		finish_waiting(member, err.text);
	} else if (member->held && obi_order_waits_in_vain(member)) {
		obi_order_reason(member, reason + strlen(reason), sizeof reason - strlen(reason));
		finish_waiting(member, reason);
	}
	obi_member_unref(member);
}

/* Ask for a stop, with this callback. */
static void ask_stop(struct obi_run_item *item, ob_done_fn *done)
{
	struct ob_error err;
	item->member->stopping++;
	if (obi_order_stop(item->member, done, item, &err) < 0) {
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

/* A child that others start can at most be asked to end, and they start it again. */
static void restart_as_asked(struct obi_run_item *item)
{
	const char *why = obi_member_restart_refusal(item->member);
	if (why != NULL) {
		finish(item, why);
	} else {
		restart(item);
	}
}

static void start(struct obi_run_item *item)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(item->member->connector, &status);
	switch (status.state) {
	case OB_STATE_READY:
		/* Its stop may wait for others. */
		item->member->stopping > 0 ? restart(item) : finish(item, NULL);
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
	case OB_STATE_RECONNECTING:
		finish(item, status.last_error[0] != '\0' ? status.last_error : "not connected");
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
	if (result == OB_OK) {
		finish_held(item->member, "stopped", ++item->member->members->visits);
	}
	finish(item, result < 0 ? err->text : NULL);
}

static void stop(struct obi_run_item *item)
{
	item->member->again = false;
	if (item->member->held) {
		/* Those who wait for its start: it was not begun, so no event will come. */
		item->member->held = false;
		finish_waiting(item->member, "stopped");
	}
	ask_stop(item, on_stopped);
}

/* ---- Reading a request ---- */

static void refuse_name(struct obi_run_request *request, struct ob_bytes text)
{
	char name[65];
	snprintf(name, sizeof name, "%.*s", (int)(text.len < 64 ? text.len : 64),
		 (const char *)text.data);
	if (obi_reload_compare(request->requests->reload, name)) {
		(void)ob_call_fail(request->call, OB_RPC_INVALID_PARAMS,
				   "%s: not loaded yet: outboard reload", name);
	} else {
		(void)ob_call_fail(request->call, OB_RPC_INVALID_PARAMS, "there is no child \"%s\"",
				   name);
	}
}

/* Fill in the items. False: a name is unknown, and the call was answered. */
static bool find_members(struct obi_run_request *request, const struct ob_value *names)
{
	const struct obi_members *members = request->requests->members;
	for (uint32_t i = 0; i < request->count; i++) {
		struct ob_bytes text = ob_bytes_text("");
		(void)ob_get_string(ob_value_at(names, i), &text);
		struct obi_member *member =
		    names != NULL ? obi_members_find(members, text) : members->list[i];
		if (member == NULL) {
			refuse_name(request, text);
			return false;
		}
		request->items[i] =
		    (struct obi_run_item){.request = request, .member = obi_member_ref(member)};
	}
	return true;
}

/* Takes over the request. */
static void ask_all(struct obi_run_request *request, void (*ask)(struct obi_run_item *))
{
	request->next = request->requests->first;
	request->requests->first = request;
	for (uint32_t i = 0; i < request->count; i++) {
		ask(&request->items[i]);
	}
	close_one(request);
}

static void carry_out(struct obi_run_requests *requests, ob_call *call,
		      const struct ob_value *params, void (*ask)(struct obi_run_item *))
{
	const struct ob_value *names;
	if (!obi_find_names(params, &names)) {
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
		free_request(request);
		return;
	}
	(void)obi_reload_compare(requests->reload, NULL);
	ask_all(request, ask);
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
	carry_out(user, call, params, restart_as_asked);
}

/* ---- Reload ---- */

/* Those who wait for its start wait in vain. */
static void end_member(struct obi_run_item *item)
{
	struct ob_error err;
	finish_waiting(item->member, "no longer in the config");
	if (obi_removed_member(item->request->requests->removed, item->member, &err) < 0) {
		finish(item, err.text);
	} else {
		ask_stop(item, on_stopped);
	}
}

static void carry_out_change(struct obi_run_item *item)
{
	switch (item->change) {
	case OBI_CHANGE_STARTED:
		begin(item);
		break;
	case OBI_CHANGE_ENDED:
		end_member(item);
		break;
	case OBI_CHANGE_RESTARTED:
		restart(item);
		break;
	default:
		finish(item, NULL);
		break;
	}
}

/* Takes over the references of the changes. */
static struct obi_run_request *request_of(struct obi_run_requests *requests, ob_call *call,
					  struct obi_changes *changes)
{
	struct obi_run_request *request =
	    calloc(1, sizeof *request + changes->count * sizeof request->items[0]);
	if (request == NULL) {
		return NULL;
	}
	*request = (struct obi_run_request){.requests = requests,
					    .call = call,
					    .reload = true,
					    .unchanged = changes->unchanged,
					    .open = changes->count + 1,
					    .count = changes->count};
	for (uint32_t i = 0; i < changes->count; i++) {
		request->items[i] = (struct obi_run_item){.request = request,
							  .member = changes->members[i],
							  .change = changes->changes[i]};
	}
	changes->count = 0;
	return request;
}

/* call: NULL, or deferred. */
static void reload(struct obi_run_requests *requests, ob_call *call, bool restart_changed)
{
	struct obi_faults faults;
	struct obi_changes changes;
	obi_faults_init(&faults, requests->reload->file);
	if (requests->members->ending) {
		obi_faults_add(&faults, "", "the supervisor is shutting down");
	}
	if (faults.count > 0 ||
	    !obi_reload_apply(requests->reload, restart_changed, &changes, &faults)) {
		obi_report_faults(requests->reload->log, &faults);
		if (call != NULL) {
			obi_answer_faults(call, &faults);
		}
	} else {
		obi_report_changes(requests->reload->log, &changes);
		struct obi_run_request *request = request_of(requests, call, &changes);
		if (request != NULL) {
			ask_all(request, carry_out_change);
		}
		obi_removed_flush(requests->removed); /* now those that leave are in it */
		obi_changes_free(&changes);
	}
	obi_faults_free(&faults);
}

void obi_requests_reload(struct obi_run_requests *requests)
{
	reload(requests, NULL, false);
}

static void on_reload(void *user, ob_call *call, const struct ob_value *params)
{
	const struct ob_value *given = ob_params_get(params, 0, "restart_changed");
	bool restart_changed = false;
	if (!ob_is_nil(given) && !ob_get_bool(given, &restart_changed)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS,
				   "restart_changed must be true or false");
	} else if (ob_call_defer(call) != NULL) {
		reload(user, call, restart_changed);
	}
}

/* ---- Status ---- */

static void on_status(void *user, ob_call *call, const struct ob_value *params)
{
	const struct obi_run_requests *requests = user;
	obi_page_answer(requests->members, call, params);
}

static void on_waiting(void *user, ob_call *call, const struct ob_value *params)
{
	const struct obi_run_requests *requests = user;
	(void)params;
	obi_waiting_answer(requests->members, call);
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
	const struct obi_run_requests *requests = user;
	const struct obi_member *failed = obi_members_find_failed(requests->members);
	if (failed != NULL) {
		snprintf(why->text, sizeof why->text, "%s has failed", failed->options->name);
	}
	return failed == NULL;
}

int obi_requests_serve(struct obi_run_requests *requests, ob_runtime *rt, const char *address,
		       ob_logger *logger, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {
	    {"status", on_status}, {"start", on_start},
	    {"stop", on_stop},	   {"restart", on_restart},
	    {"reload", on_reload}, {"waiting", on_waiting},
	    {NULL, NULL},
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
		if (request->call != NULL) {
			(void)ob_call_fail(request->call, OB_RPC_CLOSING,
					   "the supervisor has ended");
		}
		free_request(request);
	}
	ob_server_close(requests->server);
	requests->server = NULL;
}
