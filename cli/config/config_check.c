/* SPDX-License-Identifier: MIT */
/* The faults of a config that its text alone does not show. The library finds those of each child.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/names.h"
#include "base/uri.h"
#include "cli/config/expanded.h"
#include "cli/config/load.h"
#include "cli/config/order.h"
#include "cli/config/shared.h"

/* What outboard run needs beside its children: the loop, its files, connections and their reserve,
 * and what is open for the moment of a start. */
enum { OWN_DESCRIPTORS = 45 };

enum { MACHINE_SIZE = 512, EXPANDED_MEMORY = 1 << 30 };

struct child {
	const struct ob_connector_options *options;
	struct obi_faults *faults;
	struct obi_faults *warnings;
	struct obi_faults *missing;
	char *machine; /* last fault of the machine as a whole, to report it once */
};

const char *obi_option_key(const char *option)
{
	static const char *const other[][2] = {{"argv", "command"},
					       {"stdin_path", "stdin"},
					       {"lock_wait_ms", "lock_wait"},
					       {"cleanup", "stop.cleanup"},
					       {"stop_signal", "stop.signal"},
					       {"health_action", "health.on_fail"},
					       {"ready", "ready.mode"}};
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		if (strcmp(option, other[i][0]) == 0) {
			return other[i][1];
		}
	}
	return option;
}

void obi_child_fault(struct obi_faults *faults, const struct ob_connector_options *child,
		     const char *key, const char *format, ...)
{
	char path[256], reason[512];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s.%s%s%s", obi_child_object(child), child->name,
		 *key != '\0' ? "." : "", key);
	obi_faults_add(faults, path, reason);
}

static void on_fault(void *user, const struct ob_fault *fault)
{
	const struct child *c = user;
	struct obi_faults *where = fault->kind == OB_FAULT_WARNING ? c->warnings
				   : fault->kind == OB_FAULT_FILE  ? c->missing
								   : c->faults;
	if (where == NULL) {
		return;
	}
	if (fault->option[0] != '\0') {
		obi_child_fault(where, c->options, obi_option_key(fault->option), "%s",
				fault->reason);
	} else if (strcmp(c->machine, fault->reason) != 0) {
		snprintf(c->machine, MACHINE_SIZE, "%s", fault->reason);
		obi_faults_add(where, "children", fault->reason);
	}
}

/* ---- Between children ---- */

bool obi_child_listens_here(const struct ob_connector_options *child, const char *address,
			    struct obi_arena *arena, struct ob_uri *ret_uri)
{
	return address != NULL && child->connect == NULL && child->accept == NULL &&
	       obi_uri_parse(address, &arena->ob, ret_uri, NULL) == OB_OK;
}

/*
 * Each child takes descriptors of the supervisor. It raises its soft limit to the hard one, so only
 * that counts; another session or service may have another limit.
 */
static void check_descriptors(const struct obi_run_config *config, struct obi_faults *warnings)
{
	struct rlimit limit;
	char reason[256];
	uint64_t need = OWN_DESCRIPTORS + (uint64_t)OB_DESCRIPTORS_PER_CHILD * config->count;
	for (uint32_t i = 0; i < config->count; i++) {
		need += config->children[i].ports != NULL ? 1 : 0;
		need += config->children[i].cids != NULL ? 1 : 0;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY ||
	    need <= limit.rlim_max) {
		return;
	}
	snprintf(reason, sizeof reason,
		 "%u children need %llu descriptors (%d each, plus %d); the hard limit "
		 "RLIMIT_NOFILE is %llu",
		 config->count, (unsigned long long)need, OB_DESCRIPTORS_PER_CHILD, OWN_DESCRIPTORS,
		 (unsigned long long)limit.rlim_max);
	obi_faults_add(warnings, "children", reason);
}

/* ---- Without a pause ---- */

/* Below these, in ms, a delay or an interval is none: a child that ends at once, or one that is
 * asked, would keep a processor busy. */
enum { LEAST_BASE = 10, LEAST_MAX = 100, LEAST_INTERVAL = 100 };

/* As the library does: 0 is the default, below 0 is none. */
static int64_t given_or(int64_t given, int64_t by_default)
{
	return given != 0 ? given : by_default;
}

static struct ob_restart_policy complete(const struct ob_restart_policy *given)
{
	struct ob_restart_policy policy = *given, usual = ob_restart_policy_default();
	policy.backoff_base_ms = given_or(given->backoff_base_ms, usual.backoff_base_ms);
	policy.backoff_max_ms = given_or(given->backoff_max_ms, usual.backoff_max_ms);
	policy.reset_window_ms = given_or(given->reset_window_ms, usual.reset_window_ms);
	return policy;
}

/* Whether the count of restarts begins anew after this delay, though jitter makes it shorter. */
static bool is_forgotten(const struct ob_restart_policy *policy, int64_t delay)
{
	return policy->reset_window_ms >= 0 &&
	       (double)policy->reset_window_ms <= (double)delay * (1 - policy->jitter);
}

/* The longest delay before a child has failed so many times in a row; 0: any number. */
static int64_t longest_delay(const struct ob_restart_policy *policy)
{
	int64_t delay = policy->backoff_base_ms > 0 ? policy->backoff_base_ms : 0;
	int64_t max = policy->backoff_max_ms >= 0 ? policy->backoff_max_ms : INT64_MAX / 2;
	for (int32_t count = 1; count != policy->max_restarts && delay > 0 && delay < max &&
				!is_forgotten(policy, delay);
	     count++) {
		delay *= 2;
	}
	return delay < max ? delay : max;
}

static void check_window(const struct ob_connector_options *child, int64_t delay,
			 struct obi_faults *warnings)
{
	char text[48];
	ob_duration_format(delay, text, sizeof text);
	obi_child_fault(warnings, child, "restart.reset_window",
			"the delay of %s is not shorter: the count of restarts begins anew after "
			"it, and %s",
			text,
			child->restart.max_restarts > 0
			    ? "max_restarts is never reached"
			    : "a child that ends at once is started more than ten times a second");
}

static void check_restarts(const struct ob_connector_options *child, struct obi_faults *warnings)
{
	struct ob_restart_policy policy = complete(&child->restart);
	if (policy.on == OB_RESTART_NEVER || policy.max_restarts < 0) {
		return;
	}
	int64_t delay = longest_delay(&policy);
	bool forgotten = is_forgotten(&policy, delay);
	if (forgotten && (policy.max_restarts > 0 || delay < LEAST_MAX)) {
		check_window(child, delay, warnings);
	}
	if (policy.max_restarts > 0 && !forgotten) {
		return; /* it gives up soon */
	}
	if (policy.backoff_base_ms < LEAST_BASE) {
		obi_child_fault(warnings, child, "restart.backoff_base",
				"a child that ends at once is started again without a pause");
	} else if (policy.backoff_max_ms >= 0 && policy.backoff_max_ms < LEAST_MAX) {
		obi_child_fault(
		    warnings, child, "restart.backoff_max",
		    "a child that ends at once is started more than ten times a second");
	}
}

static void check_pace(const struct ob_connector_options *child, struct obi_faults *warnings)
{
	check_restarts(child, warnings);
	if (child->health_interval_ms > 0 && child->health_interval_ms < LEAST_INTERVAL) {
		obi_child_fault(warnings, child, "health.interval",
				"the child is asked more than ten times a second");
	}
}

static void check_between(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct obi_arena arena;
	struct obi_run_config expanded;
	obi_arena_init(&arena, EXPANDED_MEMORY);
	if (obi_config_expand(config, &arena, &expanded)) {
		obi_check_shared_paths(&expanded, faults);
		obi_check_shared_ports(&expanded, faults);
		obi_check_shared_cids(&expanded, faults);
		obi_check_containers(&expanded, faults);
		obi_check_askers(&expanded, faults);
	} else {
		obi_faults_add(faults, "children", "out of memory");
	}
	obi_arena_free(&arena);
}

/* The options are checked together with the agent, if the child is behind one that has no faults of
 * its own. */
static void check_child(ob_runtime *rt, const struct obi_run_config *config, uint32_t i,
			struct child *c)
{
	const char *via = config->orders[i].via;
	uint32_t agent = via != NULL ? obi_run_config_find(config, via) : config->count;
	struct ob_connector_options options = *c->options;
	options.user_data = NULL;
	if (via == NULL) {
		(void)ob_connector_options_check(rt, &options, on_fault, c, NULL);
	} else if (agent < config->count && config->orders[agent].via == NULL &&
		   ob_connector_new(rt, &config->children[agent], &options.via, NULL) == OB_OK) {
		(void)ob_connector_options_check(rt, &options, on_fault, c, NULL);
		ob_connector_close(options.via);
	}
}

void obi_config_check(ob_runtime *rt, const struct obi_run_config *config,
		      struct obi_faults *faults, struct obi_faults *warnings,
		      struct obi_faults *missing)
{
	if (config->data_root == NULL) {
		obi_faults_add(faults, "data_root",
			       "is required: outboard run keeps its socket and its record in it");
	}
	warnings->text = faults->text;
	check_descriptors(config, warnings);
	check_between(config, faults);
	obi_check_order(config, faults);
	char machine[MACHINE_SIZE] = "";
	for (uint32_t i = 0; i < config->count; i++) {
		struct child c = {&config->children[i], faults, warnings, missing, machine};
		check_child(rt, config, i, &c);
		check_pace(c.options, warnings);
	}
}
