/* SPDX-License-Identifier: MIT */
/* The methods of outboard-agent. What a host sends is checked here; agent_child knows only what is
 * well-formed. */
#include <signal.h>
#include <stdio.h>

#include "agent/agent.h"
#include "agent/agent_check.h"
#include "agent/agent_waits.h"
#include "base/error.h"
#include "base/names.h"
#include "files/child_config.h"
#include "place/agent_options.h"

enum {
	END_MAX_MS = 24 * 3600 * 1000, /* of timeout_ms */
	FACTS_MEMORY = 4096	       /* bytes of a message that facts may take */
};

/* What a method needs in its params. */
enum need { HOST = 1, NAME = 2, INSTANCE = 4, MAKE = 8, KNOWN = 16 };

struct request {
	struct ob_agent *agent;
	struct ob_call *call;
	const struct ob_value *params;
	char name[OBI_AGENT_NAME_SIZE];
	char instance[OBI_AGENT_ID_SIZE];
	struct obi_agent_child *child; /* NULL: it is not known */
};

static void refuse(struct ob_call *call, const char *what)
{
	ob_call_fail(call, OB_RPC_INVALID_PARAMS, "%s", what);
}

static bool bad(struct ob_call *call, const char *what)
{
	refuse(call, what);
	return false;
}

static void answer_error(struct ob_call *call, const struct ob_error *err)
{
	bool of_params = err->code == OB_EINVAL || err->code == OB_ETOOBIG;
	int64_t number = err->code == OB_EREMOTE ? err->remote_code
			 : of_params		 ? OB_RPC_INVALID_PARAMS
						 : OB_RPC_INTERNAL;
	ob_call_fail(call, number, "%s", err->text);
}

static void answer_done(struct ob_call *call, int r, const struct ob_error *err)
{
	if (r < 0) {
		answer_error(call, err);
	} else {
		ob_call_replyf(call, "{}");
	}
}

/* ---- What all methods share ---- */

/* Clients of client_listen are not the host. */
static bool may_call(struct ob_call *call)
{
	struct ob_identity who = {.size = sizeof who};
	ob_call_identity(call, &who);
	if (who.listener == OB_LISTENER_CLIENT) {
		ob_call_fail(call, OB_RPC_DENIED, "%s: not for clients", ob_call_method(call));
		return false;
	}
	return true;
}

static bool take_host(const struct request *r)
{
	char host[OBI_AGENT_ID_SIZE];
	if (!obi_agent_id(ob_value_find(r->params, "host"), host)) {
		return bad(r->call, "host: must be 32 hex digits");
	}
	if (!obi_agent_hosts_serves(&r->agent->hosts, host)) {
		obi_agent_answer_taken(r->agent, r->call);
		return false;
	}
	return true;
}

static bool take_child(struct request *r, unsigned needs)
{
	struct ob_error err = {0};
	if (!obi_agent_text(ob_value_find(r->params, "name"), r->name, sizeof r->name) ||
	    !obi_agent_name_is_good(r->name)) {
		return bad(r->call, "name: is no name of a child");
	}
	if ((needs & INSTANCE) != 0 &&
	    !obi_agent_id(ob_value_find(r->params, "instance"), r->instance)) {
		return bad(r->call, "instance: must be 32 hex digits");
	}
	if ((needs & MAKE) != 0) {
		if (obi_agent_find_or_make(r->agent, r->name, &r->child, &err) < 0) {
			answer_error(r->call, &err);
			return false;
		}
		return true;
	}
	r->child = obi_agent_find(r->agent, r->name);
	if (r->child == NULL && (needs & (HOST | KNOWN)) != 0) {
		ob_call_fail(r->call, OBI_AGENT_UNKNOWN, "unknown child %s", r->name);
		return false;
	}
	return true;
}

/* False: the call was answered. */
static bool begin(void *user, struct ob_call *call, const struct ob_value *params, unsigned needs,
		  struct request *r)
{
	*r = (struct request){.agent = user, .call = call, .params = params};
	if (!may_call(call)) {
		return false;
	}
	if (needs != 0 && (params == NULL || params->type != OB_MAP)) {
		return bad(call, "params: must be a map");
	}
	return ((needs & HOST) == 0 || take_host(r)) &&
	       ((needs & NAME) == 0 || take_child(r, needs));
}

/* A number of the params. false: the call was answered. */
static bool take_number(const struct request *r, const char *key, uint64_t max, uint64_t *ret)
{
	if (!ob_get_uint(ob_value_find(r->params, key), ret) || *ret > max) {
		ob_call_fail(r->call, OB_RPC_INVALID_PARAMS,
			     "%s: must be an integer from 0 to %llu", key, (unsigned long long)max);
		return false;
	}
	return true;
}

/* ---- Reading ---- */

static void on_hello(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	char host[OBI_AGENT_ID_SIZE], label[OBI_AGENT_LABEL_SIZE];
	if (!begin(user, call, params, 0, &r)) {
		return;
	}
	if (!obi_agent_id(ob_value_find(params, "host"), host)) {
		refuse(call, "host: must be 32 hex digits");
	} else if (!obi_agent_text(ob_value_find(params, "label"), label, sizeof label)) {
		refuse(call, "label: must be a text of at most 128 bytes");
	} else if (!obi_agent_hello(r.agent, host, label)) {
		obi_agent_answer_taken(r.agent, call);
	} else {
		ob_call_replyf(call, "{s:i,s:s,s:s,s:U}", "version", OBI_AGENT_VERSION, "run",
			       r.agent->run, "root", r.agent->root, "children_max",
			       (uint64_t)r.agent->children_max);
	}
}

static void reply_built(struct ob_call *call, struct ob_builder *b)
{
	struct ob_value value = ob_nil();
	if (ob_builder_finish(b, &value) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	} else {
		ob_call_reply(call, &value);
	}
}

static void build_list(const struct ob_agent *agent, struct obi_arena *arena, struct ob_builder *b)
{
	ob_build_array(b);
	for (const struct obi_agent_child *c = agent->first; c != NULL; c = c->next) {
		struct obi_agent_facts now = obi_agent_child_facts(c);
		struct obi_agent_facts *facts = obi_arena_copy(arena, &now, sizeof now);
		if (facts == NULL) {
			b->error = OB_ENOMEM;
			return;
		}
		obi_agent_facts_build(b, facts);
	}
	ob_build_end(b);
}

static void on_list(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct obi_arena arena;
	struct ob_builder b;
	if (!begin(user, call, params, 0, &r)) {
		return;
	}
	obi_arena_init(&arena, (size_t)16 * FACTS_MEMORY * (r.agent->count + 1));
	ob_builder_init(&b, &arena.ob);
	build_list(r.agent, &arena, &b);
	reply_built(call, &b);
	obi_arena_free(&arena);
}

static void on_inspect(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct obi_arena arena;
	struct ob_builder b;
	if (!begin(user, call, params, NAME, &r)) {
		return;
	}
	struct obi_agent_facts facts = {0};
	memcpy(facts.name, r.name, sizeof facts.name);
	facts = r.child != NULL ? obi_agent_child_facts(r.child) : facts;
	obi_arena_init(&arena, (size_t)16 * FACTS_MEMORY);
	ob_builder_init(&b, &arena.ob);
	obi_agent_facts_build(&b, &facts);
	reply_built(call, &b);
	obi_arena_free(&arena);
}

static void on_check(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	if (begin(user, call, params, 0, &r)) {
		obi_agent_check(r.agent, call, params);
	}
}

/* ---- Starting ---- */

static int prepare(struct request *r, struct ob_error *reterr)
{
	struct ob_connector_options options;
	struct ob_config config = {.size = sizeof config};
	struct obi_arena arena;
	if (r->agent->ending.asked) {
		return obi_agent_fail(reterr, OBI_AGENT_REFUSED, "the agent is shutting down");
	}
	obi_arena_init(&arena, OBI_AGENT_OPTIONS_ARENA);
	int result =
	    obi_agent_options_read(ob_value_find(r->params, "options"), &arena, &options, reterr);
	result = result == OB_OK ? obi_agent_config_read(ob_value_find(r->params, "config"),
							 OBI_AGENT_CONFIG_GIVEN, &config, reterr)
				 : result;
	if (result == OB_OK && strcmp(r->instance, r->child->facts.instance) != 0) {
		obi_agent_logs_end(r->child); /* its offsets are of another start */
	}
	result = result == OB_OK
		     ? obi_agent_child_prepare(r->child, r->instance, &options, &config, reterr)
		     : result;
	obi_child_config_clear(&config);
	obi_arena_free(&arena);
	return result;
}

static void on_prepare(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	if (begin(user, call, params, HOST | NAME | INSTANCE | MAKE, &r)) {
		answer_done(call, prepare(&r, &err), &err);
	}
}

static void on_spawn(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	if (!begin(user, call, params, HOST | NAME | INSTANCE, &r)) {
		return;
	}
	if (r.agent->ending.asked) {
		ob_call_fail(call, OBI_AGENT_REFUSED, "the agent is shutting down");
	} else if (obi_agent_child_spawn(r.child, r.instance, &err) < 0) {
		answer_error(call, &err);
	} else {
		ob_call_replyf(call, "{s:i,s:s}", "pid", (int)r.child->last.pid, "record",
			       r.child->last.record);
	}
}

/* ---- Signals and the end ---- */

static void on_signal(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	uint64_t number;
	if (begin(user, call, params, HOST | NAME | INSTANCE, &r) &&
	    take_number(&r, "signal", (uint64_t)SIGRTMAX, &number)) {
		answer_done(call, obi_agent_child_signal(r.child, r.instance, (int)number, &err),
			    &err);
	}
}

static void on_end(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	uint64_t number, timeout;
	if (begin(user, call, params, HOST | NAME | INSTANCE, &r) &&
	    take_number(&r, "signal", (uint64_t)SIGRTMAX, &number) &&
	    take_number(&r, "timeout_ms", END_MAX_MS, &timeout)) {
		answer_done(
		    call,
		    obi_agent_child_end(r.child, r.instance, (int)number, (int64_t)timeout, &err),
		    &err);
	}
}

static void on_end_holders(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	if (begin(user, call, params, HOST | NAME, &r)) {
		answer_done(call, obi_agent_child_end_holders(r.child, &err), &err);
	}
}

static void on_ack_exit(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	if (begin(user, call, params, HOST | NAME | INSTANCE, &r)) {
		answer_done(call, obi_agent_child_ack_exit(r.child, r.instance, &err), &err);
	}
}

/* ---- What the child writes ---- */

static void answer_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	struct ob_call *call = user;
	struct ob_error failure = {0};
	struct obi_arena arena;
	struct ob_builder b;
	if (err != NULL) {
		ob_call_fail(call, OB_RPC_INTERNAL, "%s", err->text);
		return;
	}
	obi_arena_init(&arena, (size_t)8 * OBI_CHILD_CONFIG_MAX);
	ob_builder_init(&b, &arena.ob);
	if (obi_agent_config_build(&b, &arena, OBI_AGENT_CONFIG_WRITTEN, config, &failure) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "%s", failure.text);
	} else {
		reply_built(call, &b);
	}
	obi_arena_free(&arena);
}

static void on_read_config(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	struct ob_error err = {0};
	if (begin(user, call, params, HOST | NAME | INSTANCE, &r) &&
	    obi_agent_child_read_config(r.child, r.instance, answer_config, call, &err) < 0) {
		answer_error(call, &err);
	}
}

static void on_logs(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	uint64_t offset, wait, max;
	if (!begin(user, call, params, HOST | NAME | INSTANCE, &r) ||
	    !take_number(&r, "offset", UINT64_MAX, &offset) ||
	    !take_number(&r, "wait_ms", OBI_AGENT_WAIT_MAX, &wait) ||
	    !take_number(&r, "max", UINT32_MAX, &max)) {
		return;
	}
	uint32_t most = r.agent->connections->limits.message / 4;
	if (strcmp(r.child->facts.instance, r.instance) != 0) {
		ob_call_fail(call, OBI_AGENT_UNKNOWN, "%s: unknown instance %s", r.name,
			     r.instance);
	} else {
		obi_agent_logs(r.child, call, offset, (int64_t)wait, max < most ? max : most);
	}
}

static void on_changes(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	char run[OBI_AGENT_ID_SIZE];
	uint64_t seen, wait, max;
	if (!begin(user, call, params, HOST, &r) || !take_number(&r, "seen", UINT64_MAX, &seen) ||
	    !take_number(&r, "wait_ms", OBI_AGENT_WAIT_MAX, &wait) ||
	    !take_number(&r, "max", UINT32_MAX, &max)) {
		return;
	}
	if (!obi_agent_text(ob_value_find(params, "run"), run, sizeof run)) {
		refuse(call, "run: must be a text of at most 32 bytes");
		return;
	}
	uint32_t most = r.agent->connections->limits.message / FACTS_MEMORY;
	most = most < OBI_AGENT_CHANGES_MAX ? most : OBI_AGENT_CHANGES_MAX;
	most = max < most ? (uint32_t)max : most;
	seen = strcmp(run, r.agent->run) == 0 ? seen : 0;
	obi_agent_changes(r.agent, call, seen, (int64_t)wait, most > 0 ? most : 1);
}

/* ---- Streams to the children ---- */

/* Who only talks to a child need not be the host, and may name the start that he knows. */
static unsigned needs_of_connect(const struct ob_value *params)
{
	bool of_host = !ob_is_nil(ob_value_find(params, "host"));
	bool of_start = !ob_is_nil(ob_value_find(params, "instance"));
	return NAME | KNOWN | (of_host ? HOST : 0) | (of_start ? INSTANCE : 0);
}

/* The socket of the child that runs. False: the call has been answered. */
static bool find_socket(const struct request *r, char *ret_path, size_t size)
{
	int n = snprintf(ret_path, size, "%s/" OBI_FILE_SOCKET, r->child->data_path);
	if (r->instance[0] != '\0' && strcmp(r->instance, r->child->facts.instance) != 0) {
		ob_call_fail(r->call, OBI_AGENT_UNKNOWN, "%s: unknown instance %s", r->name,
			     r->instance);
	} else if (r->child->facts.state != OBI_AGENT_RUNNING) {
		ob_call_fail(r->call, OBI_AGENT_STATE, "%s is %s", r->name,
			     obi_agent_state_name(r->child->facts.state));
	} else if (n < 0 || (size_t)n >= size) {
		ob_call_fail(r->call, OB_RPC_INTERNAL, "%s: its path is too long", r->name);
	} else {
		return true;
	}
	return false;
}

static void on_connect(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	char path[4200];
	if (begin(user, call, params, needs_of_connect(params), &r) &&
	    find_socket(&r, path, sizeof path)) {
		obi_agent_relay_begin(&r.agent->relays, call, r.name, path,
				      r.child->settings.child_uid);
	}
}

/* Only the host may ask for it, since it is he who is dialled. */
static void on_connect_home(void *user, ob_call *call, const struct ob_value *params)
{
	struct request r;
	char path[4200], ticket[OBI_TICKET_SIZE];
	if (!begin(user, call, params, needs_of_connect(params) | HOST, &r)) {
		return;
	}
	const struct obi_dialer *dialer = r.agent->connections->dialer;
	if (!obi_agent_text(ob_value_find(params, "ticket"), ticket, sizeof ticket) ||
	    strlen(ticket) != OBI_TICKET_TEXT) {
		refuse(call, "ticket: must be a text of 64 bytes");
	} else if (dialer == NULL || !dialer->active) {
		ob_call_fail(call, OBI_AGENT_STATE, "the agent does not dial its host");
	} else if (find_socket(&r, path, sizeof path)) {
		obi_agent_relay_begin_home(&r.agent->relays, call, r.name, path,
					   r.child->settings.child_uid, dialer, ticket);
	}
}

const struct ob_method obi_agent_methods[] = {
    {"hello", on_hello},
    {"list", on_list},
    {"inspect", on_inspect},
    {"check", on_check},
    {"prepare", on_prepare},
    {"spawn", on_spawn},
    {"signal", on_signal},
    {"end", on_end},
    {"end_holders", on_end_holders},
    {"ack_exit", on_ack_exit},
    {"changes", on_changes},
    {"read_config", on_read_config},
    {"logs", on_logs},
    {"connect", on_connect},
    {"connect_home", on_connect_home},
    {NULL, NULL},
};
