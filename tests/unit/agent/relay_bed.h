/* SPDX-License-Identifier: MIT */
/*
 * unit/agent/relay_bed - an agent in a process of its own, which relays to sockets in a directory;
 * streams to it by the transport `via`; and the sockets of "children", which the test serves.
 */
#ifndef OB_TESTS_UNIT_RELAY_BED_H
#define OB_TESTS_UNIT_RELAY_BED_H

#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/relay.h"
#include "base/uri.h"
#include "json/json.h"
#include "rpc/via_stream.h"
#include "server/server_parts.h"
#include "support/program.h"
#include "support/scratch.h"

#define RELAY_HOST  "0123456789abcdef0123456789abcdef"
#define RELAY_TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { RELAY_WAIT_MS = 20000, RELAY_CHUNK = 64 * 1024 };

/* How the agent is reached. */
struct relay_way {
	const char *name;
	const char *listen; /* with %s for the directory */
	const char *auth;
	bool sealed; /* a cut is told from an end */
	bool tls;
};

static const struct relay_way relay_ways[] = {
    {"unix", "unix://%s/agent.sock", "token", false, false},
    {"tcp with noise", "tcp://127.0.0.1:0", "noise", true, false},
    {"tls", "tls+tcp://127.0.0.1:0", "token", true, true},
};
enum { RELAY_WAYS = sizeof relay_ways / sizeof *relay_ways };

struct relay_bed {
	const struct relay_way *way;
	char *dir;
	char *settings;
	char *uri;
	int fds; /* before it began */
	struct program agent;
	int agent_fds; /* at its start */
	ob_runtime *rt;
	struct obi_endpoint endpoint;
	struct obi_via_setup via;
	int listener; /* of the child "kv"; -1: none */
};

/* ---- The agent ---- */

static struct obi_agent_relays relay_all;
static const char *relay_dir;
static ob_server *relay_server;
static ob_call *relay_kept;

static inline void relay_connect(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes host, name;
	(void)user;
	if (!ob_get_string(ob_value_find(params, "host"), &host) ||
	    !ob_get_string(ob_value_find(params, "name"), &name)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS, "host and name are required");
	} else if (!ob_bytes_is(host, RELAY_HOST)) {
		ob_call_fail(call, -32011, "taken over by another");
	} else if (ob_bytes_is(name, "nobody")) {
		ob_call_fail(call, -32010, "unknown child");
	} else {
		char shown[65] = "";
		memcpy(shown, name.data, name.len < 64 ? name.len : 64); /* no NUL ends it */
		char *path = scratch_text("%s/%s", relay_dir, shown);
		obi_agent_relay_begin(&relay_all, call, shown, path, (uint32_t)geteuid());
		free(path);
	}
}

static inline void relay_wait(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	relay_kept = ob_call_defer(call) != NULL ? call : NULL;
}

static inline void relay_free(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	if (relay_kept != NULL) {
		ob_call_replyf(relay_kept, "s", "freed");
		relay_kept = NULL;
	}
	ob_call_replyf(call, "s", "done");
}

static inline void relay_on_term(int number)
{
	(void)number;
	ob_server_stop(relay_server);
}

static inline void relay_must(int r, const struct ob_error *err)
{
	if (r < 0) {
		printf("error %s\n", err->text);
		exit(1);
	}
}

/* argv: agent CONFIG DIRECTORY. It says where it listens. */
static inline int relay_serve(char **argv)
{
	static const struct ob_method methods[] = {
	    {"connect", relay_connect}, {"wait", relay_wait}, {"free", relay_free}, {NULL, NULL}};
	const struct ob_server_options options = {.size = sizeof options, .config_path = argv[2]};
	struct ob_error err = {.text = ""};
	relay_dir = argv[3];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	relay_must(ob_server_open(&options, &relay_server, &err), &err);
	struct obi_connections *cs = obi_server_connections(relay_server);
	relay_must(obi_interfaces_add(&cs->interfaces, "outboard-agent", methods, NULL, &err),
		   &err);
	relay_must(obi_agent_relays_begin(&relay_all, cs, &err), &err);
	signal(SIGTERM, relay_on_term);
	relay_must(ob_server_start(relay_server, &err), &err);
	printf("at %s\n", ob_server_config(relay_server)->rpc_addr);
	relay_must(ob_server_run(relay_server, &err), &err);
	obi_agent_relays_end(&relay_all);
	ob_server_close(relay_server);
	return 0;
}

static inline int relay_count_fds(pid_t pid)
{
	struct program p;
	char *command = scratch_text("ls /proc/%d/fd | wc -l", (int)pid);
	const char *const argv[] = {"sh", "-c", command, NULL};
	program_begin(&p, argv, NULL);
	const char *line = program_line(&p);
	int count = line != NULL ? atoi(line) : -1;
	(void)program_end(&p);
	free(command);
	return count;
}

/* ---- The bed ---- */

static inline void relay_write_config(struct relay_bed *b, const char *path)
{
	struct ob_config config = {.size = sizeof config};
	char *listen = scratch_text(b->way->listen, b->dir);
	assert_int_equal(ob_config_set(&config.token, RELAY_TOKEN), OB_OK);
	assert_int_equal(ob_config_set(&config.listen, listen), OB_OK);
	assert_int_equal(ob_config_set(&config.auth, b->way->auth), OB_OK);
	assert_int_equal(ob_config_set(&config.settings, b->settings), OB_OK);
	assert_int_equal(ob_config_write(path, &config, NULL), OB_OK);
	ob_config_clear(&config);
	free(listen);
}

static inline void relay_make_certificate(struct relay_bed *b)
{
	char *command = scratch_text(
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
	    "%s/key -out %s/certificate -subj /CN=agent -days 30 2>%s/said",
	    b->dir, b->dir, b->dir);
	assert_int_equal(system(command), 0);
	free(command);
	b->settings = scratch_text("{\"transport\":{\"certificate\":\"%s/certificate\",\"key\":"
				   "\"%s/key\",\"ca\":\"%s/certificate\",\"names\":[\"agent\"]}}",
				   b->dir, b->dir, b->dir);
}

static inline void relay_start_agent(struct relay_bed *b)
{
	char *config = scratch_text("%s/outboard.json", b->dir);
	relay_write_config(b, config);
	const char *const argv[] = {"/proc/self/exe", "agent", config, b->dir, NULL};
	program_begin(&b->agent, argv, NULL);
	const char *line = program_await(&b->agent, "at ");
	assert_non_null(line);
	b->uri = scratch_text("%s", line + 3);
	b->agent_fds = relay_count_fds(b->agent.pid);
	free(config);
}

static inline void relay_set_via(struct relay_bed *b)
{
	const char *const auth[] = {b->way->auth, NULL};
	struct ob_error err = {.text = ""};
	struct obi_endpoint_names names = {.use = OBI_ENDPOINT_DIALER,
					   .uri = b->uri,
					   .auth = auth,
					   .parent_dials = true,
					   .allowed_uid = UINT32_MAX};
	struct obi_endpoint *ep = &b->endpoint;
	assert_int_equal(obi_endpoint_init(b->rt, &names, ep, &err), OB_OK);
	assert_int_equal(obi_endpoint_set_token(ep, RELAY_TOKEN, &err), OB_OK);
	assert_int_equal(obi_endpoint_configure(ep, b->settings, &err), OB_OK);
	b->via = (struct obi_via_setup){.host = ep->host,
					.transport = &ep->transport->as.transport,
					.transport_state = ep->transport_state,
					.codec = &ep->codec->as.codec,
					.codec_state = ep->codec_state,
					.auth = &ep->auth,
					.uri = b->uri,
					.owner = UINT32_MAX,
					.agent = "guest1",
					.child = "kv",
					.host_id = RELAY_HOST};
}

static inline int relay_listen(const struct relay_bed *b, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", b->dir, name) <
		    sizeof at.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static inline void relay_begin(struct relay_bed *b, const struct relay_way *way)
{
	*b = (struct relay_bed){.way = way, .fds = scratch_open_fds(), .dir = scratch_make()};
	print_message("  by %s\n", way->name);
	if (way->tls) {
		relay_make_certificate(b);
	}
	assert_int_equal(ob_runtime_new(NULL, &b->rt, NULL), OB_OK);
	relay_start_agent(b);
	relay_set_via(b);
	b->listener = relay_listen(b, "kv");
}

static inline void relay_end(struct relay_bed *b)
{
	if (b->agent.pid != 0) {
		program_kill(&b->agent, SIGTERM);
		assert_int_equal(program_end(&b->agent), 0);
	}
	close(b->listener);
	obi_endpoint_clear(&b->endpoint);
	ob_runtime_free(b->rt);
	free(b->settings);
	free(b->uri);
	scratch_remove(b->dir);
	assert_int_equal(scratch_open_fds(), b->fds);
}

/* ---- A stream by `via` ---- */

/* Wait for what it wants. Returns the events. */
static inline int relay_heed(const struct ob_want *want)
{
	struct pollfd at = {.fd = want->fd};
	at.events = (short)(((want->events & OB_READABLE) != 0 ? POLLIN : 0) |
			    ((want->events & OB_WRITABLE) != 0 ? POLLOUT : 0));
	if (want->deadline >= 0 && want->deadline <= obi_now_ms()) {
		return 0;
	}
	assert_int_equal(poll(&at, 1, RELAY_WAIT_MS), 1);
	return ((at.revents & ~POLLOUT) != 0 ? OB_READABLE : 0) |
	       ((at.revents & ~POLLIN) != 0 ? OB_WRITABLE : 0);
}

static inline int relay_finish_dial(struct ob_dial *dial, struct ob_want *want,
				    struct ob_stream **ret, struct ob_error *err)
{
	int r = OB_EAGAIN;
	while (r == OB_EAGAIN) {
		r = obi_via_transport()->finish_dial(dial, relay_heed(want), ret, want, err);
	}
	obi_via_transport()->dial_close(dial);
	return r;
}

/* Dial and shake hands. */
static inline int relay_open(const struct relay_bed *b, struct ob_stream **ret,
			     struct ob_error *err)
{
	const struct ob_transport_ops *via = obi_via_transport();
	struct ob_dial_params params = {
	    .size = sizeof params, .state = (void *)(uintptr_t)&b->via, .owner = UINT32_MAX};
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_uri uri;
	struct obi_arena arena;
	struct ob_dial *dial;
	struct ob_stream *stream = NULL;
	obi_arena_init(&arena, 0);
	assert_int_equal(obi_uri_parse("via://guest1/kv", &arena.ob, &uri, err), OB_OK);
	int r = via->dial(b->via.host, &uri, &params, &dial, &want, err);
	r = r == OB_OK ? relay_finish_dial(dial, &want, &stream, err) : r;
	for (int events = 0; r == OB_OK;) {
		int state = via->handshake(stream, events, &want, err);
		if (state <= OB_HANDSHAKE_DONE) {
			r = state;
			break;
		}
		events = relay_heed(&want);
	}
	obi_arena_free(&arena);
	if (r < 0) {
		via->close(stream);
		stream = NULL;
	}
	*ret = stream;
	return r;
}

/* The other end of what was opened. */
static inline int relay_accept(const struct relay_bed *b)
{
	struct pollfd at = {.fd = b->listener, .events = POLLIN};
	assert_int_equal(poll(&at, 1, RELAY_WAIT_MS), 1);
	int fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline struct ob_stream *relay_pair(const struct relay_bed *b, int *ret_child)
{
	struct ob_stream *stream;
	struct ob_error err = {.text = ""};
	int r = relay_open(b, &stream, &err);
	if (r < 0) {
		fail_msg("%d: %s", r, err.text);
	}
	*ret_child = relay_accept(b);
	return stream;
}

static inline void relay_wait_host(struct ob_stream *s, int events)
{
	const struct ob_transport_ops *via = obi_via_transport();
	struct ob_want want = {.fd = via->fd(s), .events = via->want(s, events), .deadline = -1};
	if (!((events & OB_READABLE) != 0 && via->pending(s))) {
		(void)relay_heed(&want);
	}
}

/* Up to len bytes; 0: the end; or the code of a failure. */
static inline ptrdiff_t relay_read_host(struct ob_stream *s, void *to, size_t len)
{
	struct iovec piece = {to, len};
	ptrdiff_t n;
	while ((n = obi_via_transport()->readv(s, &piece, 1, NULL)) == OB_EAGAIN) {
		relay_wait_host(s, OB_READABLE);
	}
	return n;
}

static inline ptrdiff_t relay_try_host(struct ob_stream *s, const void *from, size_t len)
{
	struct iovec piece = {(void *)(uintptr_t)from, len};
	return obi_via_transport()->writev(s, &piece, 1, NULL);
}

static inline ptrdiff_t relay_read_child(int fd, void *to, size_t len)
{
	struct ob_want want = {.fd = fd, .events = OB_READABLE, .deadline = -1};
	ssize_t n;
	while ((n = read(fd, to, len)) < 0 && errno == EAGAIN) {
		(void)relay_heed(&want);
	}
	return n;
}

static inline ptrdiff_t relay_try_child(int fd, const void *from, size_t len)
{
	return send(fd, from, len, MSG_NOSIGNAL);
}

/* Announce the end of the host; the child is read meanwhile by nobody. */
static inline void relay_finish_host(struct ob_stream *s)
{
	int r;
	while ((r = obi_via_transport()->shutdown_write(s, NULL)) == OB_EAGAIN) {
		relay_wait_host(s, OB_WRITABLE);
	}
	assert_int_equal(r, OB_OK);
}

#endif
