/* SPDX-License-Identifier: MIT */
#include "agent/agent.h"

#include <signal.h>
#include <sodium.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent_waits.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/names.h"
#include "base/options.h"
#include "files/file.h"
#include "server/server_parts.h"

#define HOSTS_FILE ".hosts.json"

enum {
	CHILDREN_MAX = 256,
	LOG_MEMORY = 1 << 20,
	LOG_MEMORY_MIN = 64 * 1024,
	HOSTS_MAX = 16 * 1024
};

/* ---- Children ---- */

bool obi_agent_name_is_good(const char *name)
{
	return obi_name_is_child(ob_bytes_text(name)) && strcmp(name, "bin") != 0;
}

struct obi_agent_child *obi_agent_find(const struct ob_agent *agent, const char *name)
{
	struct obi_agent_child *child = agent->first;
	while (child != NULL && strcmp(child->facts.name, name) != 0) {
		child = child->next;
	}
	return child;
}

/* Free the child that has been absent for longest. False: there is none. */
static bool make_room(struct ob_agent *agent)
{
	struct obi_agent_child **oldest = NULL;
	for (struct obi_agent_child **c = &agent->first; *c != NULL; c = &(*c)->next) {
		if ((*c)->facts.state == OBI_AGENT_ABSENT &&
		    (oldest == NULL || (*c)->facts.version < (*oldest)->facts.version)) {
			oldest = c;
		}
	}
	if (oldest == NULL) {
		return false;
	}
	struct obi_agent_child *gone = *oldest;
	*oldest = gone->next;
	agent->count--;
	obi_agent_logs_end(gone);
	obi_agent_child_free(gone);
	return true;
}

int obi_agent_find_or_make(struct ob_agent *agent, const char *name, struct obi_agent_child **ret,
			   struct ob_error *reterr)
{
	struct obi_agent_child *child = obi_agent_find(agent, name);
	if (child != NULL) {
		*ret = child;
		return OB_OK;
	}
	if (agent->count >= agent->children_max && !make_room(agent)) {
		return obi_agent_fail(reterr, OBI_AGENT_REFUSED,
				      "%s: the agent has %u children already", name, agent->count);
	}
	int r = obi_agent_child_new(&agent->setup, name, &child, reterr);
	if (r < 0) {
		return r;
	}
	struct obi_agent_child **last = &agent->first;
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = child;
	agent->count++;
	obi_agent_child_find(child);
	*ret = child;
	return OB_OK;
}

/* ---- What the children report ---- */

static bool all_are_gone(const struct ob_agent *agent)
{
	for (const struct obi_agent_child *c = agent->first; c != NULL; c = c->next) {
		if (c->facts.state == OBI_AGENT_RUNNING || c->facts.state == OBI_AGENT_LINGERING) {
			return false;
		}
	}
	return true;
}

static void on_all_gone(void *user)
{
	struct ob_agent *agent = user;
	ob_done_fn *done = agent->ending.done;
	agent->ending.done = NULL;
	if (done != NULL) {
		done(agent->ending.user, OB_OK, NULL);
	}
}

static void look_for_end(struct ob_agent *agent)
{
	if (agent->ending.asked && all_are_gone(agent)) {
		agent->ending.task.fn = on_all_gone;
		agent->ending.task.user = agent;
		obi_task_queue(agent->rt->loop, &agent->ending.task);
	}
}

static void on_changed(void *user, struct obi_agent_child *child)
{
	(void)child;
	obi_agent_changes_wake(user);
	look_for_end(user);
}

static void on_logged(void *user, struct obi_agent_child *child)
{
	(void)user;
	obi_agent_logs_wake(child);
}

static void warn(const struct ob_agent *agent, const char *what, const struct ob_error *err)
{
	ob_log(ob_server_logger(agent->server), OB_LOG_WARN, "the agent cannot keep its state",
	       "{s:s,s:s}", "of", what, "error", err->text);
}

static void on_warned(void *user, const struct obi_agent_child *child, const struct ob_error *err)
{
	warn(user, child->facts.name, err);
}

/* ---- Hosts ---- */

static int open_states(const struct ob_agent *agent, int *ret_fd, struct ob_error *reterr)
{
	char path[4200];
	int n = snprintf(path, sizeof path, "%s/" OBI_STATES_DIRECTORY, agent->root);
	if (n < 0 || (size_t)n >= sizeof path) {
		return obi_fail(reterr, OB_EINVAL, 0, "root: is too long");
	}
	return ob_directory_open(path, 0700, ret_fd, reterr);
}

static void save_hosts(const struct ob_agent *agent)
{
	struct ob_error err = {0};
	struct obi_buf text;
	int fd = -1;
	obi_buf_init(&text, HOSTS_MAX);
	int r = obi_agent_hosts_format(&agent->hosts, obi_buf_sink(&text), &err);
	r = r == OB_OK ? open_states(agent, &fd, &err) : r;
	if (r == OB_OK) {
		r = obi_file_replace(fd, HOSTS_FILE, "hosts", obi_buf_bytes(&text), 0, (uid_t)-1,
				     (gid_t)-1, &err);
		close(fd);
	}
	if (r < 0) {
		warn(agent, "its hosts", &err);
	}
	obi_buf_free(&text);
}

static void read_hosts(struct ob_agent *agent, int states)
{
	struct ob_error err = {0};
	struct obi_buf text;
	obi_buf_init(&text, HOSTS_MAX);
	int r = obi_file_read(states, HOSTS_FILE, (uid_t)-1, obi_buf_sink(&text), &err);
	r = r == OB_OK ? obi_agent_hosts_parse(obi_buf_bytes(&text), &agent->hosts, &err) : r;
	if (r < 0 && r != OB_ENOENT) {
		warn(agent, HOSTS_FILE, &err);
	}
	obi_buf_free(&text);
}

void obi_agent_answer_taken(const struct ob_agent *agent, struct ob_call *call)
{
	if (agent->hosts.current[0] == '\0') {
		ob_call_fail(call, OBI_AGENT_TAKEN, "no host has said hello");
	} else {
		ob_call_fail(call, OBI_AGENT_TAKEN, "taken over by %s", agent->hosts.label);
	}
}

bool obi_agent_hello(struct ob_agent *agent, const char *id, const char *label)
{
	bool is_new = false;
	if (!obi_agent_hosts_hello(&agent->hosts, id, label, &is_new)) {
		return false;
	}
	if (is_new) {
		obi_agent_waits_end(agent, obi_agent_answer_taken);
		save_hosts(agent);
	}
	return true;
}

/* ---- The start ---- */

/* One of which nothing is left is not kept in memory. */
static void find_child(struct ob_agent *agent, const char *name)
{
	struct obi_agent_child *child;
	struct ob_error err = {0};
	if (obi_agent_find_or_make(agent, name, &child, &err) < 0) {
		warn(agent, name, &err);
	} else if (child->facts.state == OBI_AGENT_ABSENT) {
		(void)make_room(agent);
	}
}

/* Children of an earlier agent: all of them, though it may have had a higher maximum. */
static void find_children(struct ob_agent *agent, int states)
{
	struct dirent *entry;
	uint32_t max = agent->children_max;
	int copy = fcntl(states, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	agent->children_max = UINT32_MAX;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (obi_agent_name_is_good(entry->d_name)) {
			find_child(agent, entry->d_name);
		}
	}
	agent->children_max = max;
	if (dir != NULL) {
		closedir(dir);
	} else if (copy >= 0) {
		close(copy);
	}
}

static int find_all(struct ob_agent *agent, struct ob_error *reterr)
{
	int states = -1;
	int r = open_states(agent, &states, reterr);
	if (r == OB_OK) {
		obi_file_sweep(states);
		read_hosts(agent, states);
		find_children(agent, states);
		close(states);
	}
	return r;
}

static char *copy_root(const char *root)
{
	size_t len = strlen(root);
	while (len > 1 && root[len - 1] == '/') {
		len--;
	}
	return strndup(root, len);
}

static int set_up(struct ob_agent *agent, const struct ob_agent_options *o, struct ob_error *reterr)
{
	unsigned char run[16];
	if (o->root == NULL || o->root[0] != '/') {
		return obi_fail(reterr, OB_EINVAL, 0, "root: must be an absolute path");
	}
	if (o->log_memory != 0 && o->log_memory < LOG_MEMORY_MIN) {
		return obi_fail(reterr, OB_EINVAL, 0, "log_memory: must be at least %d",
				LOG_MEMORY_MIN);
	}
	agent->root = copy_root(o->root);
	if (agent->root == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (sodium_init() < 0) {
		return obi_fail(reterr, OB_EIO, 0, "libsodium cannot start");
	}
	randombytes_buf(run, sizeof run);
	sodium_bin2hex(agent->run, sizeof agent->run, run, sizeof run);
	agent->children_max = o->children_max != 0 ? o->children_max : CHILDREN_MAX;
	agent->setup = (struct obi_agent_child_setup){
	    .rt = agent->rt,
	    .root = agent->root,
	    .allow = &agent->allow,
	    .log_memory = o->log_memory != 0 ? o->log_memory : LOG_MEMORY,
	    .version = &agent->version,
	    .changed = on_changed,
	    .logged = on_logged,
	    .warned = on_warned,
	    .user = agent,
	};
	return obi_agent_allow_init(&agent->allow, agent->root, o->allow, reterr);
}

static int begin(struct ob_agent *agent, const struct ob_agent_options *given,
		 struct ob_error *reterr)
{
	struct ob_agent_options o;
	int r = obi_options_copy(&o, sizeof o, given, reterr);
	r = r == OB_OK ? set_up(agent, &o, reterr) : r;
	r = r == OB_OK ? obi_agent_relays_begin(&agent->relays, agent->connections, reterr) : r;
	r = r == OB_OK ? obi_interfaces_add(&agent->connections->interfaces, OBI_AGENT_INTERFACE,
					    obi_agent_methods, agent, reterr)
		       : r;
	if (r < 0) {
		return r;
	}
	r = find_all(agent, reterr);
	if (r < 0) {
		obi_interfaces_remove(&agent->connections->interfaces, OBI_AGENT_INTERFACE);
	}
	return r;
}

/* ---- The end ---- */

static void free_agent(struct ob_agent *agent)
{
	obi_task_stop(&agent->ending.task);
	obi_agent_relays_end(&agent->relays);
	while (agent->first != NULL) {
		struct obi_agent_child *next = agent->first->next;
		obi_agent_child_free(agent->first);
		agent->first = next;
	}
	obi_agent_allow_free(&agent->allow);
	free(agent->root);
	free(agent);
}

int ob_agent_new(ob_server *server, const struct ob_agent_options *options, ob_agent **ret_agent,
		 struct ob_error *reterr)
{
	struct ob_agent *agent = calloc(1, sizeof *agent);
	if (agent == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	agent->server = server;
	agent->connections = obi_server_connections(server);
	if (agent->connections == NULL) {
		free(agent);
		return obi_fail(reterr, OB_EBUSY, 0,
				"the agent must be made before the server starts");
	}
	struct ob_runtime *rt = agent->rt = agent->connections->rt;
	obi_enter(rt);
	int r = begin(agent, options, reterr);
	if (r < 0) {
		free_agent(agent);
	} else {
		*ret_agent = agent;
	}
	obi_leave(rt);
	return r;
}

static void answer_closing(const struct ob_agent *agent, struct ob_call *call)
{
	(void)agent;
	ob_call_fail(call, OB_RPC_CLOSING, "the agent is shutting down");
}

void ob_agent_free(ob_agent *agent)
{
	if (agent == NULL) {
		return;
	}
	struct ob_runtime *rt = agent->rt;
	obi_enter(rt);
	obi_interfaces_remove(&agent->connections->interfaces, OBI_AGENT_INTERFACE);
	obi_agent_waits_end(agent, answer_closing);
	free_agent(agent);
	obi_leave(rt);
}

void ob_agent_end_children(ob_agent *agent, int64_t timeout_ms, ob_done_fn *done, void *user)
{
	obi_enter(agent->rt);
	agent->ending.asked = true;
	agent->ending.done = done;
	agent->ending.user = user;
	for (struct obi_agent_child *c = agent->first; c != NULL; c = c->next) {
		obi_agent_child_shut_down(c, SIGTERM, timeout_ms);
	}
	look_for_end(agent);
	obi_leave(agent->rt);
}
