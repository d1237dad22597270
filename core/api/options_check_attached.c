/* SPDX-License-Identifier: MIT */
/* The options of a child that others start. */
#include "api/options_check.h"

/* An option that says how a process is started, ended or found, or what its config is. */
struct of_start {
	const char *option;
	bool set;
};

static void refuse(const struct of_start *options, size_t count, struct obi_option_faults *faults)
{
	for (size_t i = 0; i < count; i++) {
		if (options[i].set) {
			obi_option_fault(faults, OB_FAULT_ERROR, options[i].option,
					 "is for a child that is started here: without a command "
					 "others start it");
		}
	}
}

static void check_start(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	const struct of_start options[] = {
	    {"env", o->env != NULL},
	    {"env_clear", o->env_clear},
	    {"listen", o->listen != NULL},
	    {"ready", o->ready != OB_READY_CONFIG && o->ready != OB_READY_RPC},
	    {"restart.on", o->restart.on != OB_RESTART_ON_EXIT},
	    {"restart.max_restarts", o->restart.max_restarts != 0},
	    {"stop_signal", o->stop_signal != 0},
	    {"stop.timeout", o->stop_timeout_ms != 0},
	    {"cleanup", o->cleanup != NULL},
	    {"leftover", o->leftover != OB_LEFTOVER_KILL},
	    {"health_action", o->health_action == OB_HEALTH_RESTART},
	    {"user", o->user != NULL},
	    {"group", o->group != NULL},
	    {"cwd", o->cwd != NULL},
	    {"umask", o->umask != 0},
	    {"limits", o->limits != NULL},
	    {"cgroup", o->cgroup != NULL},
	    {"stdin_path", o->stdin_path != NULL},
	    {"log_pipe", o->log_pipe_bytes != 0},
	};
	refuse(options, sizeof options / sizeof options[0], faults);
}

static void check_config(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	const struct of_start options[] = {
	    {"rules", o->rules != NULL},
	    {"peer_users", o->peer_users != NULL},
	    {"peer_groups", o->peer_groups != NULL},
	    {"parent_address", o->parent_address != NULL},
	    {"child_settings", o->child_settings != NULL},
	    {"client_listen", o->client_listen != NULL},
	    {"accept", o->accept != NULL},
	    {"plugin_trust", o->plugin_trust != 0},
	};
	refuse(options, sizeof options / sizeof options[0], faults);
}

void obi_options_check_attached(const struct ob_connector_options *o,
				struct obi_option_faults *faults)
{
	if (o->logs > OB_LOGS_RPC) {
		obi_option_fault(faults, OB_FAULT_ERROR, "logs", "is not one of output and rpc");
	}
	if (o->argv != NULL) {
		if (o->token_file != NULL) {
			obi_option_fault(faults, OB_FAULT_ERROR, "token_file",
					 "is for a child that others start: with a command, each "
					 "start has a token of its own");
		}
		return;
	}
	if (o->connect == NULL) {
		obi_option_fault(faults, OB_FAULT_ERROR, "connect",
				 "is required without a command: it says where the child is");
	}
	if (o->token_file != NULL && o->token_file[0] != '/') {
		obi_option_fault(faults, OB_FAULT_ERROR, "token_file", "must be an absolute path");
	}
	check_start(o, faults);
	check_config(o, faults);
}
