/* SPDX-License-Identifier: MIT */
#include "agent/agent_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/connector_options.h"
#include "api/options_check.h"
#include "base/error.h"
#include "base/signal_names.h"
#include "place/agent_faults.h"
#include "place/agent_options.h"

enum { ANSWER_MEMORY = 1 << 20, PATH_SIZE = 4200 };

struct checking {
	struct ob_agent *agent;
	struct obi_arena arena; /* of the options, and of the answer */
	struct ob_builder builder;
	struct obi_option_faults faults; /* leads to on_fault() */
	uint32_t count;
	char data_path[PATH_SIZE];
	char state_path[PATH_SIZE];
};

static void build_text(struct checking *c, const char *key, const char *text)
{
	char shown[OBI_AGENT_TEXT_SIZE];
	obi_agent_text_set(shown, text);
	const char *copy = obi_arena_text(&c->arena, shown, strlen(shown));
	ob_build_key(&c->builder, key);
	ob_build_string(&c->builder, copy != NULL ? copy : "");
}

static void on_fault(void *user, const struct ob_fault *fault)
{
	struct checking *c = user;
	if (fault->kind > OB_FAULT_WARNING || ++c->count > OBI_AGENT_FAULTS_MAX) {
		return;
	}
	ob_build_map(&c->builder);
	build_text(c, "kind", obi_agent_fault_kinds[fault->kind]);
	build_text(c, "option", fault->option);
	build_text(c, "reason", fault->reason);
	ob_build_end(&c->builder);
}

/* ---- What only this agent knows ---- */

/* A command that is missing was told before. */
static void check_allowed(struct checking *c, const struct ob_connector_options *options)
{
	static const char *const names[] = {"argv", "cleanup"};
	const char *const *const commands[] = {options->argv, options->cleanup};
	struct ob_error err;
	for (size_t i = 0; i < 2; i++) {
		if (commands[i] != NULL && commands[i][0] != NULL &&
		    obi_agent_allow_command(&c->agent->allow, commands[i][0], options->env, &err) ==
			OB_EPERM) {
			obi_option_fault(&c->faults, OB_FAULT_ERROR, names[i], "%s", err.text);
		}
	}
}

/* How many descriptors any process may have; RLIM_INFINITY: not known. */
static rlim_t descriptors_max(void)
{
	unsigned long long max = 0;
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	bool known = file != NULL && fscanf(file, "%llu", &max) == 1;
	if (file != NULL) {
		fclose(file);
	}
	return known ? max : RLIM_INFINITY;
}

/* The highest hard limit that this agent can set: only root can raise one. */
static rlim_t highest(int number)
{
	struct rlimit now;
	if (geteuid() == 0 || getrlimit((__rlimit_resource_t)number, &now) < 0) {
		return number == RLIMIT_NOFILE ? descriptors_max() : RLIM_INFINITY;
	}
	return now.rlim_max;
}

static void check_limits(struct checking *c, const struct ob_rlimit *limits)
{
	for (size_t i = 0; limits != NULL && limits[i].name != NULL; i++) {
		int number = obi_rlimit_number(ob_bytes_text(limits[i].name));
		rlim_t most = number >= 0 ? highest(number) : RLIM_INFINITY;
		if (limits[i].hard > most) {
			obi_option_fault(&c->faults, OB_FAULT_ERROR, "limits",
					 "%s: is above %llu, the highest limit that the agent can "
					 "set",
					 limits[i].name, (unsigned long long)most);
		}
	}
}

/* With the placeholders replaced. What stands against that was told before. */
static void check_own(struct checking *c, const struct ob_connector_options *options)
{
	struct obi_connector_settings settings;
	if (obi_connector_settings(c->agent->rt, options, &settings, NULL) == OB_OK) {
		check_allowed(c, &settings.options);
		check_limits(c, settings.options.limits);
	}
	obi_connector_settings_free(&settings);
}

/* ---- The call ---- */

static bool name_child(struct checking *c, const char *name, struct ob_connector_options *options)
{
	int n = snprintf(c->data_path, sizeof c->data_path, "%s/%s", c->agent->root, name);
	int m = snprintf(c->state_path, sizeof c->state_path, "%s/" OBI_STATES_DIRECTORY "/%s",
			 c->agent->root, name);
	options->name = name;
	options->data_path = c->data_path;
	options->state_path = c->state_path;
	return n > 0 && m > 0 && (size_t)n < sizeof c->data_path &&
	       (size_t)m < sizeof c->state_path;
}

static int check(struct checking *c, const struct ob_value *params, struct ob_error *reterr)
{
	char name[OBI_AGENT_NAME_SIZE];
	struct ob_connector_options options;
	if (ob_is_nil(ob_value_find(params, "name"))) {
		return OB_OK;
	}
	if (!obi_agent_text(ob_value_find(params, "name"), name, sizeof name) ||
	    !obi_agent_name_is_good(name)) {
		return obi_fail(reterr, OB_EINVAL, 0, "name: is no name of a child");
	}
	int r =
	    obi_agent_options_read(ob_value_find(params, "options"), &c->arena, &options, reterr);
	if (r == OB_OK && !name_child(c, name, &options)) {
		r = obi_fail(reterr, OB_EINVAL, 0, "name: the path is too long");
	}
	if (r == OB_OK) {
		(void)ob_connector_options_check(c->agent->rt, &options, on_fault, c, NULL);
		check_own(c, &options);
	}
	return r;
}

static void answer(struct checking *c, struct ob_call *call, const struct ob_value *params)
{
	struct ob_builder *b = &c->builder;
	struct ob_error err = {0};
	struct ob_value value = ob_nil();
	ob_builder_init(b, &c->arena.ob);
	ob_build_map(b);
	ob_build_key(b, "version");
	ob_build_int(b, OBI_AGENT_VERSION);
	ob_build_key(b, "faults");
	ob_build_array(b);
	int r = check(c, params, &err);
	ob_build_end(b);
	ob_build_end(b);
	if (r == OB_EINVAL || r == OB_ETOOBIG) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS, "%s", err.text);
	} else if (r < 0 || ob_builder_finish(b, &value) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	} else {
		ob_call_reply(call, &value);
	}
}

void obi_agent_check(struct ob_agent *agent, struct ob_call *call, const struct ob_value *params)
{
	struct checking *c = calloc(1, sizeof *c);
	if (c == NULL) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	c->agent = agent;
	c->faults = (struct obi_option_faults){.fn = on_fault, .user = c};
	obi_arena_init(&c->arena, OBI_AGENT_OPTIONS_ARENA + ANSWER_MEMORY);
	answer(c, call, params);
	obi_arena_free(&c->arena);
	free(c);
}
