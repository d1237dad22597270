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

/* ---- Beginning ---- */

static int make_one(struct obi_member *member, ob_runtime *rt, struct ob_error *reterr)
{
	struct ob_connector_options options = *member->options;
	options.on_event = on_event;
	options.on_log = on_log;
	options.user_data = member;
	int r = ob_connector_new(rt, &options, &member->connector, reterr);
	return r < 0 ? obi_wrap(reterr, "children.%s", options.name) : OB_OK;
}

int obi_members_make(struct obi_members *members, ob_runtime *rt,
		     const struct obi_run_config *config, struct ob_error *reterr)
{
	members->list = calloc((size_t)config->count + 1, sizeof *members->list);
	if (members->list == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	for (uint32_t i = 0; i < config->count; i++) {
		struct obi_member *member = &members->list[i];
		member->members = members;
		member->number = (uint64_t)i + 1;
		member->options = &config->children[i];
		int r = make_one(member, rt, reterr);
		if (r < 0) {
			return r;
		}
		obi_key_add(&members->names, &member->node,
			    obi_key_of_text(ob_bytes_text(member->options->name)));
		members->count++;
	}
	return OB_OK;
}

int obi_member_begin(struct obi_member *member, struct ob_error *reterr)
{
	member->held = false;
	if (member->members->ending) {
		return obi_fail(reterr, OB_ECLOSED, 0, "the supervisor is shutting down");
	}
	int r = ob_connector_supervise(member->connector, reterr);
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
		if (!members->list[i].held) {
			(void)obi_member_begin(&members->list[i], &err);
		}
	}
}

/* ---- End ---- */

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct obi_member *member = user;
	struct obi_members *members = member->members;
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
		struct ob_error err;
		if (end(members->list[i].connector, on_done, &members->list[i], &err) < 0) {
			on_done(&members->list[i], err.code, &err);
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

/* A close turns the loop, in which requests are still served: they find no member any more. */
void obi_members_close(struct obi_members *members)
{
	uint32_t count = members->count;
	members->count = 0;
	obi_key_table_free(&members->names);
	for (uint32_t i = 0; i < count; i++) {
		ob_connector_close(members->list[i].connector);
	}
	free(members->list);
	members->list = NULL;
}

struct obi_member *obi_members_behind(const struct obi_members *members, uint64_t number)
{
	uint32_t begin = 0, end = members->count;
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (members->list[middle].number > number) {
			end = middle;
		} else {
			begin = middle + 1;
		}
	}
	return begin < members->count ? &members->list[begin] : NULL;
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
