/* SPDX-License-Identifier: MIT */
#include "cli/run/members.h"

#include <stdlib.h>

#include "base/error.h"
#include "cli/run/edges.h"
#include "cli/run/order.h"

/* ---- Events and logs ---- */

static struct obi_event_place place_of(const struct obi_member *member)
{
	struct ob_status status = {.size = sizeof status};
	if (member->connector != NULL) { /* events of a close come without */
		ob_connector_status(member->connector, &status);
	}
	return (struct obi_event_place){.where = obi_member_where_name(member),
					.inner_pid = status.inner_pid};
}

static void on_event(void *user, const struct ob_event *event)
{
	struct obi_member *member = user;
	struct obi_members *members = member->members;
	member->begun = false;
	const struct obi_event_place place = place_of(member);
	obi_run_log_event(members->log, event, &place);
	obi_order_event(member, event);
	members->on_event(members->user, member, event);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct obi_member *member = user;
	ob_log_writer_record(member->members->log->writer, record);
}

/* ---- Making ---- */

/* A connector with the options of member->now; agent is that of its agent, or NULL. */
static int connect_member(struct obi_member *member, ob_connector *agent, struct ob_error *reterr)
{
	struct ob_connector_options options = *obi_member_config_options(&member->now);
	options.on_event = on_event;
	options.on_log = on_log;
	options.user_data = member;
	options.via = agent;
	int r = ob_connector_new(member->members->rt, &options, &member->connector, reterr);
	if (r < 0) {
		return obi_wrap(reterr, "%s.%s",
				obi_child_object(obi_member_config_options(&member->now)),
				options.name);
	}
	member->options = obi_member_config_options(&member->now);
	member->via = agent;
	return OB_OK;
}

static int new_member(struct obi_members *members, struct obi_generation *generation,
		      uint32_t index, ob_connector *agent, struct obi_member **ret,
		      struct ob_error *reterr)
{
	struct obi_member *member = calloc(1, sizeof *member);
	if (member == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	member->members = members;
	member->refs = 1;
	obi_member_config_set(&member->now, generation, index);
	int r = connect_member(member, agent, reterr);
	if (r < 0) {
		obi_member_unref(member);
		return r;
	}
	*ret = member;
	return OB_OK;
}

/* Those that are behind agents come after all others. */
int obi_members_complete(struct obi_members *members, struct obi_generation *generation,
			 struct obi_member **list, struct ob_error *reterr)
{
	const struct obi_run_config *config = &generation->config;
	int r = OB_OK;
	for (uint32_t i = 0; r == OB_OK && i < config->count; i++) {
		if (list[i] == NULL && config->orders[i].via == NULL) {
			r = new_member(members, generation, i, NULL, &list[i], reterr);
		}
	}
	for (uint32_t i = 0; r == OB_OK && i < config->count; i++) {
		if (list[i] == NULL) {
			uint32_t agent = obi_run_config_find(config, config->orders[i].via);
			r = agent == config->count
				? obi_fail(reterr, OB_ENOENT, 0, "no agent")
				: new_member(members, generation, i, list[agent]->connector,
					     &list[i], reterr);
		}
	}
	return r;
}

struct obi_member *obi_member_ref(struct obi_member *member)
{
	member->refs++;
	return member;
}

void obi_member_unref(struct obi_member *member)
{
	if (--member->refs == 0) {
		obi_member_config_set(&member->now, NULL, 0);
		obi_member_config_set(&member->next, NULL, 0);
		free(member);
	}
}

/* Numbers grow in the order of the list. A member that a reload has moved behind others, or that
 * others were put before, gets a new one: a cursor misses nothing. */
static void number_members(struct obi_members *members)
{
	uint64_t before = 0;
	for (uint32_t i = 0; i < members->count; i++) {
		struct obi_member *member = members->list[i];
		if (member->number <= before) {
			member->number = ++members->last_number;
		}
		before = member->number;
	}
}

static void name_members(struct obi_members *members)
{
	obi_key_table_free(&members->names);
	for (uint32_t i = 0; i < members->count; i++) {
		struct obi_member *member = members->list[i];
		member->left = false;
		obi_key_add(&members->names, &member->node,
			    obi_key_of_text(ob_bytes_text(member->options->name)));
	}
}

void obi_members_replace(struct obi_members *members, struct obi_member **list, uint32_t count,
			 struct obi_edge *edges)
{
	struct obi_member **old = members->list;
	uint32_t old_count = members->count;
	for (uint32_t i = 0; i < old_count; i++) {
		old[i]->left = true;
	}
	members->list = list;
	members->count = count;
	name_members(members);
	number_members(members);
	for (uint32_t i = 0; i < old_count; i++) {
		if (old[i]->left) {
			old[i]->next_leaving = members->leaving;
			members->leaving = old[i];
			members->leaving_count++;
		}
	}
	free(old);
	obi_edges_connect(members, edges);
	obi_order_changed(members);
}

int obi_members_make(struct obi_members *members, struct obi_generation *generation,
		     struct ob_error *reterr)
{
	uint32_t count = generation->config.count;
	struct obi_edge *edges = NULL;
	members->list = calloc((size_t)count + 1, sizeof(struct obi_member *));
	if (members->list == NULL || !obi_edges_reserve(&generation->config, &edges)) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = obi_members_complete(members, generation, members->list, reterr);
	for (uint32_t i = 0; i < count; i++) { /* without the gaps of a failure */
		if (members->list[i] != NULL) {
			members->list[members->count++] = members->list[i];
		}
	}
	name_members(members);
	number_members(members);
	obi_edges_connect(members, edges);
	return r;
}

/* ---- Beginning ---- */

/* The connector of the agent that its next start is to go through. */
static ob_connector *agent_of(const struct obi_member *member)
{
	const char *via = obi_member_order(member)->via;
	const struct obi_member *agent =
	    via != NULL ? obi_members_find(member->members, ob_bytes_text(via)) : NULL;
	return agent != NULL ? agent->connector : NULL;
}

/* Its connector runs nothing: another one takes its place, with the new config, or through the new
 * connector of its agent. */
static int renew(struct obi_member *member, struct ob_error *reterr)
{
	ob_connector *old = member->connector;
	struct obi_member_config was = member->now;
	ob_connector *agent = agent_of(member);
	bool edited = member->next.generation != NULL;
	member->now = edited ? member->next : member->now;
	int r = connect_member(member, agent, reterr);
	if (r < 0) {
		member->now = was;
		return r;
	}
	if (edited) {
		member->next = (struct obi_member_config){0};
		obi_member_config_set(&was, NULL, 0);
	}
	ob_connector_close(old);
	member->members->on_renewed(member->members->user);
	return OB_OK;
}

static bool must_be_renewed(const struct obi_member *member)
{
	return member->next.generation != NULL || member->via != agent_of(member);
}

/* *ret_held: it is not to be started now. */
static int hold(struct obi_member *member, bool *ret_held, struct ob_error *reterr)
{
	char reason[160];
	bool was = member->held;
	if (member->members->ending) {
		return obi_fail(reterr, OB_ECLOSED, 0, "the supervisor is shutting down");
	}
	if (member->left) {
		return obi_fail(reterr, OB_ENOENT, 0, "no longer in the config");
	}
	*ret_held = member->held = member->blocked || obi_order_must_wait(member);
	if (member->held && !was) {
		obi_order_reason(member, reason, sizeof reason);
		obi_run_log_blocked(member->members->log, member->options->name, reason);
	}
	return OB_OK;
}

/* Start or adopt it now. */
static int supervise(struct obi_member *member, struct ob_error *reterr)
{
	int r = must_be_renewed(member) ? renew(member, reterr) : OB_OK;
	r = r == OB_OK ? ob_connector_supervise(member->connector, reterr) : r;
	member->begun = r == OB_OK;
	if (r < 0) {
		obi_run_log(member->members->log, member->options->name, OB_LOG_ERROR,
			    "cannot be supervised", "{s:s}", "cause", reterr->text);
	}
	return r;
}

int obi_member_begin(struct obi_member *member, struct ob_error *reterr)
{
	bool held = false;
	int r = hold(member, &held, reterr);
	return r == OB_OK && !held ? supervise(member, reterr) : r;
}

/* One that runs already is adopted at once: it is to be supervised, whatever it is after. */
void obi_members_begin(struct obi_members *members)
{
	struct ob_error err;
	for (uint32_t i = 0; i < members->count; i++) {
		struct obi_member *member = members->list[i];
		if (!member->blocked && obi_order_is_running(member)) {
			(void)supervise(member, &err);
		} else {
			(void)obi_member_begin(member, &err);
		}
	}
}

/* Whoever asked for another stop meanwhile does not want a start. */
static void on_stopped(void *user, int result, const struct ob_error *err)
{
	struct obi_member *member = user;
	struct ob_error failure;
	bool wanted = --member->stopping == 0 && !member->left && !member->members->ending;
	if (result < 0) {
		obi_run_log(member->members->log, member->options->name, OB_LOG_ERROR,
			    "cannot be stopped", "{s:s}", "cause", err->text);
	} else if (wanted) {
		(void)obi_member_begin(member, &failure);
	}
	obi_member_unref(member);
}

void obi_member_restart(struct obi_member *member)
{
	struct ob_error err;
	member->stopping++;
	obi_member_ref(member);
	if (ob_connector_stop_async(member->connector, on_stopped, member, &err) < 0) {
		on_stopped(member, err.code, &err);
	}
}

/* ---- End ---- */

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct obi_member *member = user;
	struct obi_members *members = member->members;
	member->ending = false;
	if (result < 0) {
		obi_run_log(members->log, member->options->name, OB_LOG_ERROR,
			    "cannot be stopped or detached", "{s:s}", "cause", err->text);
	}
	members->pending--;
	members->on_done(members->user);
}

static void end_all(struct obi_members *members,
		    int (*end)(struct obi_member *, ob_done_fn *, void *, struct ob_error *))
{
	members->ending = true;
	members->pending += members->count;
	for (uint32_t i = 0; i < members->count; i++) {
		struct obi_member *member = members->list[i];
		struct ob_error err;
		member->ending = true;
		if (end(member, on_done, member, &err) < 0) {
			on_done(member, err.code, &err);
		}
	}
}

void obi_members_stop(struct obi_members *members)
{
	end_all(members, obi_order_stop);
}

static int detach(struct obi_member *member, ob_done_fn *done, void *user, struct ob_error *reterr)
{
	return ob_connector_detach_async(member->connector, done, user, reterr);
}

void obi_members_detach(struct obi_members *members)
{
	end_all(members, detach);
}

void obi_members_hurry(struct obi_members *members)
{
	obi_order_hurry(members);
	for (uint32_t i = 0; i < members->count; i++) {
		ob_connector_hurry(members->list[i]->connector);
	}
	for (struct obi_member *m = members->leaving; m != NULL; m = m->next_leaving) {
		ob_connector_hurry(m->connector);
	}
}

void obi_member_close(struct obi_member *member)
{
	struct obi_members *members = member->members;
	struct obi_member **slot = &members->leaving;
	ob_connector *connector = member->connector;
	if (connector == NULL) {
		return; /* the close that is under way ended what asks for this one */
	}
	obi_order_close(member);
	member->connector = NULL;
	while (*slot != NULL && *slot != member) {
		slot = &(*slot)->next_leaving;
	}
	if (*slot == member) {
		*slot = member->next_leaving;
		members->leaving_count--;
	}
	ob_connector_close(connector);
	obi_member_unref(member);
}

/* A close turns the loop, in which requests are still served: they find no member any more. */
void obi_members_close(struct obi_members *members)
{
	uint32_t count = members->count;
	members->count = 0;
	obi_key_table_free(&members->names);
	for (uint32_t i = 0; i < count; i++) { /* an agent is closed after those behind it */
		if (members->list[i]->via != NULL) {
			obi_member_close(members->list[i]);
			members->list[i] = NULL;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		if (members->list[i] != NULL) {
			obi_member_close(members->list[i]);
		}
	}
	while (members->leaving != NULL) {
		obi_member_close(members->leaving);
	}
	free(members->list);
	members->list = NULL;
}

struct obi_member *obi_members_find_failed(const struct obi_members *members)
{
	for (uint32_t i = 0; i < members->count; i++) {
		struct ob_status status = {.size = sizeof status};
		ob_connector_status(members->list[i]->connector, &status);
		if (status.state == OB_STATE_FAILED) {
			return members->list[i];
		}
	}
	return NULL;
}

const struct obi_child_order *obi_member_order(const struct obi_member *member)
{
	const struct obi_member_config *config =
	    member->next.generation != NULL ? &member->next : &member->now;
	return &config->generation->config.orders[config->index];
}

enum obi_where obi_member_where(const struct obi_member *member)
{
	uint32_t said = obi_member_order(member)->where;
	return said != OBI_WHERE_UNKNOWN ? (enum obi_where)said : obi_where_of(member->options);
}

const char *obi_member_where_name(const struct obi_member *member)
{
	const char *via = obi_member_order(member)->via;
	return via != NULL ? via : obi_where_name(obi_member_where(member));
}

void obi_member_status(const struct obi_member *member, struct ob_status *ret)
{
	ob_connector_status(member->connector, ret);
	ret->stale = ret->stale || (ret->pid != 0 && member->next.generation != NULL);
}

struct obi_member *obi_members_behind(const struct obi_members *members, uint64_t number)
{
	uint32_t begin = 0, end = members->count;
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (members->list[middle]->number > number) {
			end = middle;
		} else {
			begin = middle + 1;
		}
	}
	return begin < members->count ? members->list[begin] : NULL;
}

struct obi_member *obi_members_find(const struct obi_members *members, struct ob_bytes name)
{
	struct obi_key_node *node = obi_key_find(&members->names, obi_key_of_text(name));
	for (; node != NULL; node = obi_key_again(node)) {
		struct obi_member *member = (struct obi_member *)(void *)node;
		if (ob_bytes_is(name, member->options->name)) {
			return member;
		}
	}
	return NULL;
}

bool obi_member_is_unreachable(const struct obi_member *member)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(member->connector, &status);
	return status.state == OB_STATE_RECONNECTING;
}

const char *obi_member_restart_refusal(const struct obi_member *member)
{
	const struct ob_connector_options *o = member->options;
	return o->argv == NULL && o->stop_rpc_ms <= 0
		   ? "others start this child (its command is null), so it is not restarted here; "
		     "stop.rpc would let it be asked to shut down"
		   : NULL;
}
