/* SPDX-License-Identifier: MIT */
/*
 * run_config - the config of `outboard run`: from JSON text to the options of each child.
 *
 *   {"data_root": "/var/lib/x", "plugin_path": ["/usr/lib/x"], "ports": "20000-20999",
 *   "cids": "100-999", "cgroup_root": "/sys/fs/cgroup/x",
 *   "agents": {"NAME": {"connect": "...", "token_file": "/...", ...}}, "children": {"NAME": {
 *     "command": ["/usr/bin/x", "arg"] | null, "token_file": "/...",
 *     "env": {"A": "b ${HOME} $$"}, "env_clear": false,
 *     "data_path": "/...", "cwd": "/...", "stdin": "/...", "log_pipe": 262144,
 *     "logs": "auto" | "output" | "rpc", "message_max": 4194304,
 *     "transport": "unix", "listen": "unix:///...", "connect": "...", "codec": "msgpack",
 *     "auth": "token" | ["noise", {"use": "x", "settings": {...}, "child_settings": {...}}],
 *     "allow_plaintext": false,
 *     "client_listen": "tcp://...", "client_auth": ["noise", {"use": "x", "settings": {...}}],
 *     "client_transport": "x",
 *     "parent_address": "192.0.2.1" | "2", "rules": ["deny *"],
 *     "peer_users": ["x"], "peer_groups": ["x"],
 *     "ready":   {"mode": "config" | "rpc" | "none", "timeout": "60s"},
 *     "restart": {"on": "exit" | "failure" | "never", "max_restarts": 0,
 *                 "backoff_base": "2s", "backoff_max": "60s", "reset_window": "5m",
 *                 "jitter": 0.2},
 *     "stop":    {"signal": "SIGINT", "timeout": "10s", "rpc": "2s",
 *                 "cleanup": ["/usr/bin/x", "arg"], "cleanup_timeout": "30s"},
 *     "leftover": "kill" | "wait" | "fail",
 *     "health":  {"interval": "10s", "misses": 2, "on_fail": "event" | "restart"},
 *     "after": ["NAME"], "within": "NAME", "via": "NAME",
 *     "where": "host" | "bwrap" | "container" | "vm" | "far",
 *     "version": 7, "lock_wait": "30s", "user": "x", "group": "x", "umask": "022",
 *     "run_as":  {"uid": 1234, "gid": 1234}, "plugin_trust": "owned" | "unmapped",
 *     "limits":  {"nofile": 1024 | [1024, 4096] | "unlimited"},
 *     "cgroup":  {"memory.max": "64M", "memory.high": 1000000, "pids.max": 100,
 *                 "cpu.max": "50000 100000", "cpu.weight": 100, "io.weight": 100,
 *                 "oom.group": true}}}}
 *
 * An entry of "agents" is a child with "command": null.
 *
 * codec, transport and client_transport may be such objects, too. Only `command` is required; the
 * default of data_path is data_root/NAME. Durations are strings; "0s" means none, which is -1 in
 * the options, and 0 for lock_wait. Unknown keys are faults. command, env, listen, connect,
 * client_listen and stop.cleanup may have placeholders (base/placeholders.h), which the library
 * replaces. In the values of env any other ${NAME} is a variable of this process
 * (cli/config/expand.h).
 */
#ifndef OBI_CLI_CONFIG_RUN_CONFIG_H
#define OBI_CLI_CONFIG_RUN_CONFIG_H

#include "base/arena.h"

#include <outboard/outboard.h>

/* What the config says of a child to the command, and not to its connector. */
struct obi_child_order {
	const char *const *after; /* names, ended by NULL; NULL: none */
	const char *within;	  /* NULL: none */
	const char *via; /* the child that is its agent, which it is within, too; NULL: none */
	uint32_t where;	 /* enum obi_where; 0: it is found out */
};

bool obi_child_order_equals(const struct obi_child_order *a, const struct obi_child_order *b);

struct obi_run_config {
	struct obi_arena arena;		       /* of all that follows */
	const char *data_root;		       /* NULL: none */
	const char *const *plugin_path;	       /* ended by NULL; NULL: the default */
	const char *ports, *cids;	       /* ranges; NULL: none */
	const char *cgroup_root;	       /* NULL: the cgroup of the supervisor */
	struct ob_connector_options *children; /* in the order of the file */
	struct obi_child_order *orders;	       /* of each child */
	uint32_t count;
	bool is_file;	    /* it was read from a regular file, and can be read again by its name */
	const char **texts; /* of each child: what the file says, equal if it means the same;
			       without what is in orders */
};

/*
 * A fault: its key, such as "children.web.stop.signal" ("" for the whole text), and the reason. A
 * text that is refused as a whole has no keys: then offset is where it is wrong, else NULL. All are
 * valid for the length of the call.
 */
typedef void obi_fault_fn(void *user, const char *key, const char *reason, const size_t *offset);

struct obi_run_config_setup {
	obi_fault_fn *fault; /* may be NULL */
	void *user;
	bool other_environment; /* a variable that is not set is no fault (cli/config/load.h) */
};

/*
 * Parse text. Each fault is reported by a call of setup->fault; then this returns OB_EINVAL, with
 * their number and the first one in *reterr. On success free *ret with obi_run_config_free(); it
 * does not depend on text. setup may be NULL.
 */
int obi_run_config_parse(struct ob_bytes text, const struct obi_run_config_setup *setup,
			 struct obi_run_config *ret, struct ob_error *reterr);

void obi_run_config_free(struct obi_run_config *config);

/* The object of the config that the child is in: "children", or "agents" (its user_data is set). */
static inline const char *obi_child_object(const struct ob_connector_options *child)
{
	return child->user_data != NULL ? "agents" : "children";
}

/* The number of the child of this name; config->count: there is none. */
uint32_t obi_run_config_find(const struct obi_run_config *config, const char *name);

/* The settings of the agent that this child is behind; NULL: it has none, or there is no agent. */
const char *obi_run_config_agent_settings(const struct obi_run_config *config, uint32_t child);

#endif
