/* SPDX-License-Identifier: MIT */
#include "cli/run/members.h"

#include <stdlib.h>

#include "base/error.h"

/* ---- Events and logs ---- */

static void on_event(void *user, const struct ob_event *event)
{
	struct obi_member *member = user;
	struct obi_members *members = member->members;
	obi_run_log_event(members->log, event);
	members->on_event(members->user, member, event);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct obi_member *member = user;
	ob_log_writer_record(member->members->log->writer, record);
}

/* ---- Making ---- */

/* A connector with the options of member->now. */
static int connect_member(struct obi_member *member, struct ob_error *reterr)
{
	struct ob_connector_options options = *obi_member_config_options(&member->now);
	options.on_event = on_event;
	options.on_log = on_log;
	options.user_data = member;
	int r = ob_connector_new(member->members->rt, &options, &member->connector, reterr);
	if (r < 0) {
		return obi_wrap(reterr, "children.%s", options.name);
	}
	member->options = obi_member_config_options(&member->now);
	return OB_OK;
}

int obi_member_new(struct obi_members *members, struct obi_generation *generation, uint32_t index,
		   struct obi_member **ret, struct ob_error *reterr)
{
	struct obi_member *member = calloc(1, sizeof *member);
	if (member == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	member->members = members;
	member->refs = 1;
	obi_member_config_set(&member->now, generation, index);
	int r = connect_member(member, reterr);
	if (r < 0) {
		obi_member_unref(member);
		return r;
	}
	*ret = member;
	return OB_OK;
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

void obi_members_replace(struct obi_members *members, struct obi_member **list, uint32_t count)
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
}

int obi_members_make(struct obi_members *members, struct obi_generation *generation,
		     struct ob_error *reterr)
{
	uint32_t count = generation->config.count;
	members->list = calloc((size_t)count + 1, sizeof(struct obi_member *));
	if (members->list == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = OB_OK;
	for (uint32_t i = 0; r == OB_OK && i < count; i++) {
		r = obi_member_new(members, generation, i, &members->list[i], reterr);
		members->count += r == OB_OK;
	}
	name_members(members);
	number_members(members);
	return r;
}

/* ---- Beginning ---- */

/* Its connector runs nothing: another one takes its place, with the new config. */
static int renew(struct obi_member *member, struct ob_error *reterr)
{
	ob_connector *old = member->connector;
	struct obi_member_config was = member->now;
	member->now = member->next;
	int r = connect_member(member, reterr);
	if (r < 0) {
		member->now = was;
		return r;
	}
	member->next = (struct obi_member_config){0};
	obi_member_config_set(&was, NULL, 0);
	ob_connector_close(old);
	member->members->on_renewed(member->members->user);
	return OB_OK;
}

int obi_member_begin(struct obi_member *member, struct ob_error *reterr)
{
	if (member->members->ending) {
		return obi_fail(reterr, OB_ECLOSED, 0, "the supervisor is shutting down");
	}
	if (member->left) {
		return obi_fail(reterr, OB_ENOENT, 0, "no longer in the config");
	}
	member->held = member->blocked;
	if (member->held) {
		return OB_OK;
	}
	int r = member->next.generation != NULL ? renew(member, reterr) : OB_OK;
	r = r == OB_OK ? ob_connector_supervise(member->connector, reterr) : r;
	if (r < 0) {
		obi_run_log(member->members->log, member->options->name, OB_LOG_ERROR,
			    "cannot be supervised", "{s:s}", "cause", reterr->text);
	}
	return r;
}

void obi_members_begin(struct obi_members *members)
{
	struct ob_error err;
	for (uint32_t i = 0; i < members->count; i++) {
		(void)obi_member_begin(members->list[i], &err);
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
		    int (*end)(ob_connector *, ob_done_fn *, void *, struct ob_error *))
{
	members->ending = true;
	members->pending += members->count;
	for (uint32_t i = 0; i < members->count; i++) {
		struct obi_member *member = members->list[i];
		struct ob_error err;
		member->ending = true;
		if (end(member->connector, on_done, member, &err) < 0) {
			on_done(member, err.code, &err);
		}
	}
}

void obi_members_stop(struct obi_members *members)
{
	end_all(members, ob_connector_stop_async);
}

void obi_members_detach(struct obi_members *members)
{
	end_all(members, ob_connector_detach_async);
}

void obi_members_hurry(struct obi_members *members)
{
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
	for (uint32_t i = 0; i < count; i++) {
		obi_member_close(members->list[i]);
	}
	while (members->leaving != NULL) {
		obi_member_close(members->leaving);
	}
	free(members->list);
	members->list = NULL;
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
