/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/string_list.h"
#include "base/uri.h"
#include "base/error.h"
#include "base/options.h"
#include "base/standard_fds.h"
#include "base/failpoint.h"
#include "server/control.h"
#include "server/dialer.h"
#include "server/entries.h"
#include "server/inherited.h"
#include "server/options_config.h"
#include "server/server_parts.h"

struct ob_server {
	struct ob_runtime *rt;
	bool own_runtime;
	struct ob_server_options options; /* with the defaults filled in */
	char *config_path;		  /* NULL: no file, the options have everything */
	struct ob_config config;
	pthread_mutex_t config_lock;
	char *instance;	  /* of the config at the start; another thread may replace the config */
	char *dial;	  /* the same; NULL: it does not dial */
	bool close_asked; /* inside a callback */
	struct obi_task close_task;
	int lock_fd; /* outboard.lock, held as long as the process lives; -1: none */
	struct ob_logger *logger;
	bool own_logger;
	bool started;
	atomic_bool stop;
	int stop_fd; /* an eventfd, for an ob_server_run() that does not turn the loop */
	struct obi_connections connections;
	struct obi_acceptor acceptors[OBI_ENTRIES];
	struct obi_dialer dialer;
	struct obi_control control;
	struct ob_client *parent;
};

/* The transport notices a parent that has vanished after about three of its heartbeats. This is the
 * interval if the config has none. */
enum { HEARTBEAT_MS = 10000 };

/* ---- Open ---- */

static int keep_instance(struct ob_server *s, struct ob_error *reterr)
{
	if (s->config.instance != NULL && (s->instance = strdup(s->config.instance)) == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	return OB_OK;
}

static int find_config(struct ob_server *s, struct ob_error *reterr)
{
	s->config.size = sizeof s->config;
	if (s->options.listen != NULL || s->options.dial != NULL) {
		int r = obi_config_of_options(&s->options, &s->config, reterr);
		return r == OB_OK ? keep_instance(s, reterr) : r;
	}
	const char *path =
	    s->options.config_path != NULL ? s->options.config_path : getenv("OUTBOARD_CONFIG");
	if (path == NULL || *path == '\0') {
		return obi_fail(reterr, OB_ENOENT, 0,
				"not started as an outboard: OUTBOARD_CONFIG is not set, and no "
				"config_path was given");
	}
	s->config_path = strdup(path);
	if (s->config_path == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = ob_config_read(path, &s->config, reterr);
	return r == OB_OK ? keep_instance(s, reterr) : r;
}

static int take_rules_of_options(struct ob_server *s, struct ob_error *reterr)
{
	int r = obi_acl_check(s->options.rules, reterr);
	if (r < 0) {
		return r;
	}
	/* Without rules everything would be allowed. */
	s->config.rules = obi_string_list_join(s->options.rules, "; ");
	return s->config.rules != NULL ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* The rules of the config file; if it has none, those of the program. */
static int read_rules(struct ob_server *s, struct ob_error *reterr)
{
	if (s->config.rules == NULL && s->options.rules != NULL) {
		int r = take_rules_of_options(s, reterr);
		if (r < 0) {
			return r;
		}
	}
	int r = obi_acl_parse(s->config.rules, &s->connections.permissions.acl, reterr);
	return r < 0 && reterr != NULL ? obi_wrap(reterr, "rules of the config") : r;
}

/* The parent's comes first. */
static void on_dropped(void *user)
{
	struct ob_server *s = user;
	for (int i = 0; i < OBI_ENTRIES; i++) {
		obi_acceptor_refill(&s->acceptors[i]);
	}
}

static void on_slot_free(void *user, struct obi_entry *entry)
{
	struct ob_server *s = user;
	obi_acceptor_slot_free(&s->acceptors[entry - s->connections.entries]);
}

/* The shutdown function of the program, or by default the end of ob_server_run(). */
static void shut_down(void *user)
{
	struct ob_server *s = user;
	if (s->options.shutdown != NULL) {
		s->options.shutdown(s->options.user_data, s);
	} else {
		ob_server_stop(s);
	}
}

static bool has_clients(const struct ob_server *s)
{
	return s->config.client_listen != NULL;
}

static void set_up_acceptors(struct ob_server *s)
{
	uint32_t reserve =
	    s->options.reserve < OBI_RESERVE_MAX ? s->options.reserve : OBI_RESERVE_MAX;
	for (int i = 0; i < OBI_ENTRIES; i++) {
		s->acceptors[i].loop = s->rt->loop;
		s->acceptors[i].events =
		    obi_connections_acceptor_events(&s->connections.entries[i]);
	}
	/* Clients may take all other descriptors, but not the last one of the parent. */
	s->acceptors[OBI_ENTRY_PARENT].reserve_want = has_clients(s) && reserve == 0 ? 1 : reserve;
}

static void set_up_connections(struct ob_server *s)
{
	struct obi_connections *cs = &s->connections;
	cs->rt = s->rt;
	cs->events = (struct obi_connections_events){on_slot_free, on_dropped, shut_down, s};
	cs->warner.logger = s->logger;
	cs->limits.calls = s->options.calls_max;
	cs->limits.queue = s->options.queue_max;
	cs->auth_timeout_ms = s->options.auth_timeout_ms;
	cs->instance = s->instance;
	set_up_acceptors(s);
	obi_connections_init_entries(cs);
	s->control.connections = cs;
	s->control.version = s->options.version;
}

static int make_parts(struct ob_server *s, struct ob_error *reterr)
{
	struct obi_peer *peer = obi_peer_new(s->rt);
	s->connections.parent_peer = peer;
	s->connections.orphans = obi_orphan_count_new();
	s->parent = peer != NULL ? obi_client_new(peer, NULL) : NULL;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->parent == NULL || s->connections.orphans == NULL || s->stop_fd < 0) {
		return obi_fail(reterr, OB_ENOMEM, s->stop_fd < 0 ? errno : 0,
				"creating the server");
	}
	s->logger = s->options.logger;
	s->own_logger = s->logger == NULL;
	int r = s->own_logger ? ob_logger_new(STDOUT_FILENO, &s->logger, reterr) : OB_OK;
	set_up_connections(s);
	return r == OB_OK ? obi_control_expose(&s->control, s->logger, &s->config,
					       s->options.log_ring_bytes, reterr)
			  : r;
}

static int open_server(struct ob_server *s, struct ob_error *reterr)
{
	OBI_CRASHPOINT("server_open");
	if (s->options.runtime == NULL) {
		int r = ob_runtime_new(NULL, &s->options.runtime, reterr);
		if (r < 0) {
			return r;
		}
		s->own_runtime = true;
	}
	s->rt = s->options.runtime;
	signal(SIGPIPE, SIG_IGN);
	int r = find_config(s, reterr);
	r = r == OB_OK ? obi_runtime_take_trust(s->rt, s->config.plugin_trust, reterr) : r;
	s->connections.limits = obi_rpc_limits_default();
	r = r == OB_OK ? obi_rpc_limits_message(s->config.message_max, s->options.message_max,
						&s->connections.limits.message, reterr)
		       : r;
	r = r == OB_OK ? read_rules(s, reterr) : r;
	r = r == OB_OK ? make_parts(s, reterr) : r;
	if (r == OB_OK && s->config_path != NULL) {
		s->lock_fd = obi_inherited_lock_fd();
		obi_inherited_clear();
	}
	return r;
}

int ob_server_open(const struct ob_server_options *options, ob_server **ret_server,
		   struct ob_error *reterr)
{
	struct ob_server *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	obi_standard_fds_fill();
	s->lock_fd = s->stop_fd = -1;
	pthread_mutex_init(&s->config_lock, NULL);
	int r = obi_options_copy(&s->options, sizeof s->options, options, reterr);
	obi_server_options_fill(&s->options);
	r = r == OB_OK ? open_server(s, reterr) : r;
	if (r < 0) {
		ob_server_close(s);
		return r;
	}
	*ret_server = s;
	return OB_OK;
}

/* ---- Interfaces and probes ---- */

int ob_server_expose(ob_server *s, const char *interface_name, const struct ob_method *methods,
		     void *user, struct ob_error *reterr)
{
	if (s->started) {
		return obi_fail(reterr, OB_EBUSY, 0,
				"interfaces must be exposed before the server starts");
	}
	obi_enter(s->rt);
	int r = obi_interfaces_expose(&s->connections.interfaces, interface_name, methods, user,
				      reterr);
	obi_leave(s->rt);
	return r;
}

struct obi_connections *obi_server_connections(struct ob_server *s)
{
	return s->started ? NULL : &s->connections;
}

int ob_server_add_probe(ob_server *s, const char *name, ob_probe_fn *fn, void *user,
			struct ob_error *reterr)
{
	obi_enter(s->rt);
	int r = obi_control_add_probe(&s->control, name, fn, user, reterr);
	obi_leave(s->rt);
	return r;
}

ob_logger *ob_server_logger(ob_server *s)
{
	return s->logger;
}

ob_client *ob_server_parent(ob_server *s)
{
	return s->parent;
}

/* ---- The config ---- */

const struct ob_config *ob_server_config(ob_server *s)
{
	return &s->config;
}

int ob_server_update_config(ob_server *s, int (*fn)(void *user, struct ob_config *config),
			    void *user, struct ob_error *reterr)
{
	struct ob_config config = {.size = sizeof config};
	if (s->config_path == NULL) {
		return obi_fail(reterr, OB_ENOTSUP, 0, "this server has no config file");
	}
	pthread_mutex_lock(&s->config_lock);
	int r = ob_config_read(s->config_path, &config, reterr);
	if (r == OB_OK) {
		r = fn(user, &config);
		r = r < 0 ? obi_fail(reterr, r, 0, "the function failed; the config is unchanged")
			  : ob_config_write(s->config_path, &config, reterr);
	}
	if (r == OB_OK) {
		struct ob_config was = s->config;
		s->config = config;
		config = was;
	}
	ob_config_clear(&config);
	pthread_mutex_unlock(&s->config_lock);
	return r;
}

/* Where it listens, if it does. */
static int set_address(const struct obi_acceptor *a, char **field)
{
	char *address = a->listener != NULL ? obi_acceptor_address(a) : NULL;
	if (a->listener != NULL && address == NULL) {
		return OB_ENOMEM;
	}
	free(*field);
	*field = address;
	return OB_OK;
}

static int mark_ready(void *user, struct ob_config *config)
{
	const struct ob_server *s = user;
	int r = set_address(&s->acceptors[OBI_ENTRY_PARENT], &config->rpc_addr);
	r = r == OB_OK ? set_address(&s->acceptors[OBI_ENTRY_CLIENTS], &config->client_addr) : r;
	if (r < 0) {
		return r;
	}
	config->pid = getpid();
	config->ready = true;
	config->message_max = s->connections.limits.message;
	return OB_OK;
}

/* ---- Listening ---- */

static uint32_t heartbeat_of(const struct ob_server *s)
{
	int64_t beat = s->config.heartbeat_ms;
	return beat > 0 && beat <= INT32_MAX ? (uint32_t)beat : HEARTBEAT_MS;
}

static struct ob_listen_params listen_params(const struct ob_server *s, int which)
{
	return (struct ob_listen_params){
	    .size = sizeof(struct ob_listen_params),
	    .heartbeat_ms = heartbeat_of(s),
	    .state = s->connections.entries[which].endpoint.transport_state};
}

static const char *address_of(const struct ob_server *s, int which)
{
	return which == OBI_ENTRY_CLIENTS ? s->config.client_listen : s->config.listen;
}

static void warn_of_plaintext(const struct ob_server *s, const struct obi_endpoint *endpoint)
{
	ob_log(s->logger, OB_LOG_WARN,
	       "connections are not encrypted: anyone on the network path can read and change the "
	       "data",
	       "{s:s,s:s}", "transport", endpoint->transport->name, "because", "allow_plaintext");
}

static int listen_at(struct ob_server *s, int which, struct ob_error *reterr)
{
	const struct obi_endpoint *endpoint = &s->connections.entries[which].endpoint;
	const char *address = address_of(s, which);
	struct ob_listen_params params = listen_params(s, which);
	params.lock_held = obi_inherited_lock_covers(s->lock_fd, s->config_path, address);
	s->acceptors[which].host = endpoint->host;
	s->acceptors[which].transport = &endpoint->transport->as.transport;
	int r = obi_acceptor_listen(&s->acceptors[which], address, &params, reterr);
	if (r == OB_OK && endpoint->plaintext) {
		warn_of_plaintext(s, endpoint);
	}
	return r;
}

/* Clients first: when the parent gets through, all is there. */
static int start_listening(struct ob_server *s, struct ob_error *reterr)
{
	int r = obi_entries_set_up(&s->connections, &s->config, &s->options, reterr);
	if (r < 0) {
		return r;
	}
	r = has_clients(s) ? listen_at(s, OBI_ENTRY_CLIENTS, reterr) : OB_OK;
	return r == OB_OK && s->config.listen != NULL ? listen_at(s, OBI_ENTRY_PARENT, reterr) : r;
}

static int start_to_dial(struct ob_server *s, struct ob_error *reterr)
{
	struct obi_entry *entry = &s->connections.entries[OBI_ENTRY_HOME];
	if (s->config.dial == NULL) {
		return OB_OK;
	}
	free(s->dial);
	s->dial = strdup(s->config.dial); /* the config may be replaced */
	if (s->dial == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (entry->endpoint.plaintext) {
		warn_of_plaintext(s, &entry->endpoint);
	}
	s->dialer = (struct obi_dialer){
	    .connections = &s->connections,
	    .entry = entry,
	    .uri = s->dial,
	    .run = s->control.run,
	    .instance = s->instance != NULL ? s->instance : "",
	    .heartbeat_ms = heartbeat_of(s),
	};
	obi_dialer_start(&s->dialer);
	return OB_OK;
}

static void hang_up(struct ob_server *s)
{
	obi_dialer_stop(&s->dialer);
	for (int i = 0; i < OBI_ENTRIES; i++) {
		obi_acceptor_stop(&s->acceptors[i]);
	}
	obi_connections_free(&s->connections);
	for (int i = 0; i < OBI_ENTRIES; i++) {
		obi_acceptor_close(&s->acceptors[i]);
		obi_endpoint_clear(&s->connections.entries[i].endpoint);
	}
}

/* ---- Running ---- */

static int publish(struct ob_server *s, struct ob_error *reterr)
{
	if (s->config_path != NULL) {
		return ob_server_update_config(s, mark_ready, s, reterr);
	}
	int r = mark_ready(s, &s->config);
	return r == OB_OK ? OB_OK : obi_fail(reterr, r, 0, "out of memory");
}

int ob_server_start(ob_server *s, struct ob_error *reterr)
{
	obi_enter(s->rt);
	int r = s->started ? obi_fail(reterr, OB_EBUSY, 0, "the server is started already") : OB_OK;
	OBI_CRASHPOINT("server_start");
	r = r == OB_OK ? start_listening(s, reterr) : r;
	if (r == OB_OK) {
		OBI_CRASHPOINT("server_listening");
		r = publish(s, reterr);
		r = r == OB_OK ? start_to_dial(s, reterr) : r;
	}
	if (r < 0 && !s->started) {
		hang_up(s);
	}
	s->started = s->started || r == OB_OK;
	obi_leave(s->rt);
	return r;
}

static int listen_again(struct ob_server *s, int which, struct ob_error *reterr)
{
	struct ob_listen_params params = listen_params(s, which);
	return obi_acceptor_listen_again(&s->acceptors[which], address_of(s, which), &params,
					 reterr);
}

/* An address that is taken by the socket that listens there already is no fault. */
static bool is_fault(const struct ob_server *s, int which, int r)
{
	return r < 0 && !(r == OB_EEXIST &&
			  obi_acceptor_is_in_place(&s->acceptors[which], address_of(s, which)));
}

/* Both are tried, whatever becomes of the first. */
static int listen_again_at_all(struct ob_server *s, struct ob_error *reterr)
{
	struct ob_error other = {0};
	if (s->config.listen == NULL) {
		return has_clients(s)
			   ? listen_again(s, OBI_ENTRY_CLIENTS, reterr)
			   : obi_fail(reterr, OB_EINVAL, 0, "the server listens nowhere");
	}
	int r = listen_again(s, OBI_ENTRY_PARENT, reterr);
	if (!has_clients(s)) {
		return r;
	}
	int clients = listen_again(s, OBI_ENTRY_CLIENTS, &other);
	if (is_fault(s, OBI_ENTRY_PARENT, r)) {
		return r;
	}
	if (is_fault(s, OBI_ENTRY_CLIENTS, clients)) {
		return obi_fail(reterr, clients, 0, "%s", other.text);
	}
	return r == OB_OK || clients == OB_OK ? OB_OK : r;
}

int ob_server_listen_again(ob_server *s, struct ob_error *reterr)
{
	obi_enter(s->rt);
	int r = s->started ? listen_again_at_all(s, reterr)
			   : obi_fail(reterr, OB_EINVAL, 0, "the server was not started");
	obi_leave(s->rt);
	return r;
}

void ob_server_stop(ob_server *s)
{
	const uint64_t one = 1;
	int saved = errno; /* we may be in a signal handler */
	atomic_store(&s->stop, true);
	ssize_t n = write(s->stop_fd, &one, sizeof one);
	(void)n;
	obi_loop_wake(s->rt->loop);
	errno = saved;
}

static void close_fd(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

static void close_server(struct ob_server *s)
{
	if (s->rt != NULL) {
		obi_enter(s->rt);
		obi_kept_logs_close(s->control.logs);
		obi_client_release(s->parent); /* first, so that its calls end from the loop */
		hang_up(s);
		obi_peer_unref(s->connections.parent_peer);
		obi_task_stop(&s->close_task);
		obi_leave(s->rt);
	}
	obi_orphan_count_unref(s->connections.orphans);
	obi_interfaces_free(&s->connections.interfaces);
	obi_control_free(&s->control);
	ob_logger_free(s->own_logger ? s->logger : NULL);
	if (s->own_runtime) {
		ob_runtime_free(s->rt);
	}
	obi_acl_free(&s->connections.permissions.acl);
	ob_config_clear(&s->config);
	pthread_mutex_destroy(&s->config_lock);
	close_fd(s->lock_fd);
	close_fd(s->stop_fd);
	free(s->config_path);
	free(s->instance);
	free(s->dial);
	free(s);
}

int ob_server_run(ob_server *s, struct ob_error *reterr)
{
	struct pollfd waiting = {.fd = s->stop_fd, .events = POLLIN};
	if (s->rt->mode == OB_RUNTIME_ATTACHED) {
		return obi_fail(reterr, OB_ENOTSUP, 0,
				"ob_server_run() is not available on an attached runtime: the "
				"application runs the loop");
	}
	int r = obi_check_may_block(s->rt, reterr);
	if (r < 0) {
		return r;
	}
	while (s->rt->mode == OB_RUNTIME_THREADED && !atomic_load(&s->stop)) {
		(void)poll(&waiting, 1, -1);
	}
	while (!atomic_load(&s->stop)) {
		obi_runtime_turn(s->rt);
	}
	if (s->close_asked) {
		close_server(s);
	}
	return OB_OK;
}

static void on_close_task(void *user)
{
	close_server(user);
}

/*
 * Inside a callback the server is still in use by functions on the stack. It is then closed from
 * the loop; or, if it owns its runtime, by ob_server_run() before it returns.
 */
void ob_server_close(ob_server *s)
{
	if (s == NULL) {
		return;
	}
	if (s->rt == NULL || !obi_in_callback(s->rt)) {
		close_server(s);
		return;
	}
	if (s->own_runtime) {
		s->close_asked = true;
		ob_server_stop(s);
		return;
	}
	s->close_task.fn = on_close_task;
	s->close_task.user = s;
	obi_task_queue(s->rt->loop, &s->close_task);
}
