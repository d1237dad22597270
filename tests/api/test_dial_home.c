/* SPDX-License-Identifier: MIT */
/* Children that dial their parent: over each transport, with its life, and who else may try. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/peer.h"
#include "support/scratch.h"

/* The family comes first. */
struct home {
	struct family f;
	char *socket; /* of accept, if that is a file */
	char *accept;
	char *dial;
	const char *auth[4];
	ob_server *guests[2]; /* that the test plays, in this process */
	struct ob_config config;
	uint32_t asked; /* calls of the child */
};

/* ---- What the parent offers ---- */

static void on_ask(void *user, ob_call *call, const struct ob_value *params)
{
	struct home *h = user;
	h->asked++;
	ob_call_reply(call, ob_value_at(params, 0));
}

static const struct ob_method source[] = {{"ask", on_ask}, {NULL, NULL}};

/* ---- Beginning and end ---- */

static void begin(struct home *h, const char *argument)
{
	memset(h, 0, sizeof *h);
	h->config.size = sizeof h->config;
	family_begin(&h->f, OB_RUNTIME_INLINE, argument, NULL);
	h->socket = scratch_text("%s/home.sock", h->f.scratch);
	h->accept = scratch_text("unix://%s", h->socket);
	h->f.options.ready = OB_READY_DIAL_HOME;
	h->f.options.accept = h->accept;
	h->f.options.restart.backoff_base_ms = 1;
}

static void connector(struct home *h)
{
	struct ob_error err;
	family_connector(&h->f);
	expect(ob_connector_expose(h->f.connector, "source", source, h, &err), OB_OK, &err, NULL);
}

static void start(struct home *h)
{
	struct ob_error err;
	connector(h);
	expect(ob_connector_start(h->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static void end(struct home *h)
{
	ob_server_close(h->guests[0]);
	ob_server_close(h->guests[1]);
	ob_config_clear(&h->config);
	unlink(h->socket);
	free(h->socket);
	free(h->accept);
	free(h->dial);
	family_end(&h->f);
}

static void stop(struct home *h)
{
	struct ob_error err;
	expect(ob_connector_stop(h->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static bool has_file(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* Calls pass both ways. */
static void assert_both_ways(struct home *h)
{
	uint32_t asked = h->asked;
	struct ob_bytes text = {NULL, 0};
	assert_true(ob_get_string(family_call(&h->f, "echo", "[s]", "to the child"), &text));
	assert_true(ob_bytes_is(text, "to the child"));
	assert_true(ob_get_string(family_call(&h->f, "ask", "[s,s]", "source.ask", "back"), &text));
	assert_true(ob_bytes_is(text, "back"));
	assert_int_equal(h->asked, asked + 1);
}

/* ---- Warnings ---- */

struct wanted {
	struct home *h;
	const char *text;
};

static bool is_told(void *user)
{
	const struct wanted *w = user;
	for (uint32_t i = 0; i < w->h->f.line_count; i++) {
		if (strstr(w->h->f.lines[i], w->text) != NULL) {
			return true;
		}
	}
	return false;
}

static void await_line(struct home *h, const char *text)
{
	struct wanted w = {h, text};
	family_until(&h->f, is_told, &w);
}

/* ---- Transports ---- */

static void a_whole_life_over(struct home *h)
{
	start(h);
	struct ob_status s = family_status(&h->f);
	assert_int_equal(s.state, OB_STATE_READY);
	assert_int_equal(s.link, OB_LINK_UP);
	assert_int_equal(s.healthy, 1);
	assert_string_equal(s.address, h->accept);
	assert_both_ways(h);
	stop(h);
	assert_false(has_file(h->socket));
}

static void over_unix(void **state)
{
	static struct home h;
	(void)state;
	begin(&h, NULL);
	a_whole_life_over(&h);
	end(&h);
}

static void over_tcp(void **state)
{
	static struct home h;
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		begin(&h, NULL);
		free(h.accept);
		h.accept = scratch_text("tcp://127.0.0.1:%d", peer_free_port());
		h.f.options.accept = h.accept;
		h.auth[0] = "token";
		h.f.options.auth = plain ? h.auth : NULL;
		h.f.options.allow_plaintext = plain != 0;
		a_whole_life_over(&h);
		end(&h);
	}
}

/* As the VMM does it: what the guest dials ends at PATH_PORT. */
static void over_hybrid_vsock(void **state)
{
	static struct home h;
	(void)state;
	begin(&h, NULL);
	free(h.accept);
	h.accept = scratch_text("hvsock://%s/v.sock:52", h.f.scratch);
	h.dial = scratch_text("unix://%s/v.sock_52", h.f.scratch);
	h.f.options.accept = h.accept;
	h.f.options.dial = h.dial;
	a_whole_life_over(&h);
	char *path = scratch_text("%s/v.sock_52", h.f.scratch);
	assert_false(has_file(path));
	free(path);
	end(&h);
}

/* Only in a guest: its vsock reaches the guest itself. */
static void over_vsock(void **state)
{
	static struct home h;
	(void)state;
	if (getenv("OB_TEST_GUEST") == NULL) {
		print_message("skipped: it needs a guest (test guest-vsock-dial-home)\n");
		skip();
	}
	for (int any = 0; any < 2; any++) {
		begin(&h, NULL);
		free(h.accept);
		h.accept = scratch_text("vsock://%s:7052", any ? "any" : "local");
		h.f.options.accept = h.accept;
		h.f.options.dial = "vsock://local:7052";
		a_whole_life_over(&h);
		end(&h);
	}
}

/* ---- Life ---- */

static void fault_175_a_broken_connection_is_made_again_by_the_child(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	begin(&h, NULL);
	start(&h);
	int32_t pid = ob_connector_pid(h.f.connector);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_not_equal(family_try(&h.f, 0, &err, "cut", NULL), OB_OK);
		family_await(&h.f, OB_EVENT_LINK_UP, i);
		assert_both_ways(&h);
	}
	assert_int_equal(family_count(&h.f, OB_EVENT_LINK_DOWN), 3);
	assert_int_equal(family_count(&h.f, OB_EVENT_EXITED), 0);
	assert_int_equal(ob_connector_pid(h.f.connector), pid);
	end(&h);
}

static void fault_175_a_killed_child_is_started_again(void **state)
{
	static struct home h;
	(void)state;
	begin(&h, NULL);
	start(&h);
	kill(ob_connector_pid(h.f.connector), SIGKILL);
	family_await(&h.f, OB_EVENT_READY, 2);
	assert_both_ways(&h);
	end(&h);
}

static void fault_175_the_next_parent_listens_again_and_finds_the_child(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	begin(&h, NULL);
	start(&h);
	int32_t pid = ob_connector_pid(h.f.connector);
	for (int i = 0; i < 3; i++) {
		expect(ob_connector_detach(h.f.connector, &err), OB_OK, &err, NULL);
		assert_false(has_file(h.socket));
		ob_connector_close(h.f.connector);
		connector(&h);
		expect(ob_connector_start_or_reconnect(h.f.connector, 0, NULL, &err), OB_OK, &err,
		       NULL);
		assert_int_equal(ob_connector_pid(h.f.connector), pid);
		assert_both_ways(&h);
	}
	assert_int_equal(family_count(&h.f, OB_EVENT_ADOPTED), 3);
	assert_int_equal(family_count(&h.f, OB_EVENT_REPLACED), 0);
	end(&h);
}

static void a_child_that_was_to_be_dialled_is_not_waited_for(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	for (int home = 0; home < 2; home++) {
		begin(&h, NULL);
		h.f.options.ready = home ? OB_READY_DIAL_HOME : OB_READY_CONFIG;
		h.f.options.accept = home ? h.accept : NULL;
		start(&h);
		expect(ob_connector_detach(h.f.connector, &err), OB_OK, &err, NULL);
		ob_connector_close(h.f.connector);
		h.f.options.ready = home ? OB_READY_CONFIG : OB_READY_DIAL_HOME;
		h.f.options.accept = home ? NULL : h.accept;
		connector(&h);
		expect(ob_connector_reconnect(h.f.connector, 0, NULL, &err), OB_EINVAL, &err,
		       "the child was started to");
		ob_connector_close(h.f.connector);
		h.f.options.ready = home ? OB_READY_DIAL_HOME : OB_READY_CONFIG;
		h.f.options.accept = home ? h.accept : NULL;
		connector(&h);
		expect(ob_connector_reconnect(h.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
		end(&h);
	}
}

/* The connection dies without a trace. The parent has more patience here than the child, who comes
 * again: that counts, since it is the same process. */
static void fault_175_a_silent_connection_is_replaced_by_the_child(void **state)
{
	static struct home h;
	(void)state;
	begin(&h, NULL);
	free(h.accept);
	h.accept = scratch_text("chaos+unix://%s?drop=@3000&side=acceptor&way=in", h.socket);
	h.f.options.accept = h.accept;
	h.f.options.health_interval_ms = 50;
	h.f.options.health_misses = 100000;
	start(&h);
	int32_t pid = ob_connector_pid(h.f.connector);
	family_await(&h.f, OB_EVENT_LINK_UP, 2);
	assert_int_equal(family_count(&h.f, OB_EVENT_UNRESPONSIVE), 0);
	assert_int_equal(ob_connector_pid(h.f.connector), pid);
	end(&h);
}

static void a_child_that_never_dials_is_not_ready(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	begin(&h, "silent");
	h.f.options.ready_timeout_ms = 300;
	connector(&h);
	expect(ob_connector_start(h.f.connector, 0, NULL, &err), OB_ETIMEDOUT, &err,
	       "the child has not dialled unix://");
	assert_false(has_file(h.socket));
	end(&h);
}

/* ---- Others ---- */

static void read_config(struct home *h)
{
	struct ob_error err;
	char *path = family_path(&h->f, "outboard.json");
	expect(ob_config_read(path, &h->config, &err), OB_OK, &err, NULL);
	free(path);
}

/* The process runs and says nothing: the test plays what answers. interval_ms: of heartbeats; 0:
 * the default. */
static void begin_silent(struct home *h, int64_t interval_ms)
{
	struct ob_error err;
	begin(h, "silent");
	h->f.options.health_interval_ms = interval_ms;
	connector(h);
	expect(ob_connector_start_async(h->f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	family_await(&h->f, OB_EVENT_STARTING, 1);
	read_config(h);
}

static ob_server *guest(struct home *h, const char *token, const char *instance)
{
	struct ob_server_options options = {.size = sizeof options,
					    .runtime = h->f.runtime,
					    .dial = h->accept,
					    .token = token,
					    .instance = instance};
	struct ob_error err;
	ob_server *server;
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
	return server;
}

static void a_child_that_does_not_come_back_is_unresponsive(void **state)
{
	static struct home h;
	(void)state;
	begin_silent(&h, 50);
	h.guests[0] = guest(&h, h.config.token, h.config.instance);
	family_await(&h.f, OB_EVENT_READY, 1);
	ob_server_close(h.guests[0]);
	h.guests[0] = NULL;
	family_await(&h.f, OB_EVENT_UNRESPONSIVE, 1);
	assert_int_equal(family_status(&h.f).state, OB_STATE_READY);
	h.guests[0] = guest(&h, h.config.token, h.config.instance);
	family_await_state(&h.f, OB_STATE_READY, OB_LINK_UP);
	end(&h);
}

static void fault_171_a_stranger_is_refused(void **state)
{
	static struct home h;
	static const char wrong[] =
	    "1111111111111111111111111111111111111111111111111111111111111111";
	(void)state;
	begin_silent(&h, 0);
	h.guests[0] = guest(&h, wrong, h.config.instance);
	await_line(&h, "a connection was given up by the peer");
	struct ob_status s = family_status(&h.f);
	assert_int_equal(s.state, OB_STATE_STARTING);
	assert_non_null(strstr(s.last_error, "a connection was given up by the peer"));
	h.guests[1] = guest(&h, h.config.token, h.config.instance);
	family_await(&h.f, OB_EVENT_READY, 1);
	end(&h);
}

/* It has the token, and proves it as one who dials a child. */
static void fault_171_174_a_client_of_a_child_is_refused(void **state)
{
	static struct home h;
	struct ob_error err;
	ob_client *client;
	(void)state;
	begin(&h, NULL);
	start(&h);
	read_config(&h);
	struct ob_client_options options = {
	    .size = sizeof options, .address = h.accept, .token = h.config.token};
	expect(ob_client_connect(h.f.runtime, &options, NULL, &client, &err), OB_EAUTH, &err, NULL);
	await_line(&h, "a connection was given up by the peer");
	assert_both_ways(&h);
	end(&h);
}

static void fault_172_a_guest_of_an_earlier_start_is_refused(void **state)
{
	static struct home h;
	static const char old[] = "0123456789abcdef0123456789abcdef";
	(void)state;
	begin_silent(&h, 0);
	h.guests[0] = guest(&h, h.config.token, old);
	await_line(&h, "a child of an earlier start still dials");
	assert_int_equal(family_status(&h.f).state, OB_STATE_STARTING);
	h.guests[1] = guest(&h, h.config.token, h.config.instance);
	family_await(&h.f, OB_EVENT_READY, 1);
	end(&h);
}

static void fault_173_of_two_guests_the_first_one_stays(void **state)
{
	static struct home h;
	(void)state;
	begin_silent(&h, 0);
	h.guests[0] = guest(&h, h.config.token, h.config.instance);
	family_await(&h.f, OB_EVENT_READY, 1);
	h.guests[1] = guest(&h, h.config.token, h.config.instance);
	await_line(&h, "another process of this instance is connected already");
	assert_int_equal(family_status(&h.f).link, OB_LINK_UP);
	assert_int_equal(family_count(&h.f, OB_EVENT_LINK_DOWN), 0);
	/* When the first has gone the other one takes its place, and that is told. */
	ob_server_close(h.guests[0]);
	h.guests[0] = NULL;
	family_await(&h.f, OB_EVENT_REPLACED, 1);
	family_await_state(&h.f, OB_STATE_READY, OB_LINK_UP);
	end(&h);
}

/* ---- By hand ---- */

/* ["INSTANCE", "RUN"] in MessagePack. */
static size_t hello(uint8_t *to, const char *instance, const char *run)
{
	size_t n = 0;
	to[n++] = 0x92;
	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? instance : run;
		to[n++] = 0xd9;
		to[n++] = (uint8_t)strlen(text);
		memcpy(to + n, text, strlen(text));
		n += strlen(text);
	}
	return n;
}

struct pending_peer {
	int fd;
	uint8_t first;
};

static bool has_answer(void *user)
{
	struct pending_peer *p = user;
	return recv(p->fd, &p->first, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Say hello, and wait until something has come back. */
static int say_hello(struct home *h, const char *run)
{
	uint8_t params[128], request[256];
	struct pending_peer p = {.fd = peer_dial(h->socket)};
	size_t len = hello(params, h->config.instance, run);
	assert_true(
	    peer_send(p.fd, request, peer_request(request, 1, "outboard.hello", params, len)));
	family_until(&h->f, has_answer, &p);
	return p.fd;
}

static void assert_yes(int fd)
{
	static const uint8_t yes[] = {0x94, 0x01, 0x01, 0xc0, 0xc3};
	uint8_t reply[sizeof yes];
	assert_true(peer_read(fd, reply, sizeof reply));
	assert_memory_equal(reply, yes, sizeof yes);
}

static void fault_173_the_newest_connection_of_one_process_counts(void **state)
{
	static const char run[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char other[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	static const char *const auth[] = {"peercred", NULL};
	static struct home h;
	struct ob_error err;
	uint8_t byte[4];
	bool ended;
	(void)state;
	begin(&h, "silent");
	h.f.options.auth = auth;
	connector(&h);
	expect(ob_connector_start_async(h.f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	family_await(&h.f, OB_EVENT_STARTING, 1);
	read_config(&h);
	int first = say_hello(&h, run);
	assert_yes(first);
	int stranger = say_hello(&h, other);
	assert_true(peer_read(stranger, byte, sizeof byte));
	assert_int_equal(byte[3] & 0xf0, 0x90); /* an error */
	int second = say_hello(&h, run);
	assert_yes(second);
	(void)peer_drain(first, PEER_WAIT_MS, &ended);
	assert_true(ended);
	(void)peer_drain(stranger, PEER_WAIT_MS, &ended);
	assert_true(ended);
	close(first);
	close(second);
	close(stranger);
	end(&h);
}

/* ---- Floods ---- */

enum { FLOOD = 300 };

/* More than there are slots, silent or with nonsense, of the same user as the child. */
static void fault_176_a_flood_does_not_keep_the_child_out(void **state)
{
	static struct home h;
	static int fds[FLOOD];
	(void)state;
	begin_silent(&h, 0);
	for (int i = 0; i < FLOOD; i++) {
		fds[i] = peer_dial(h.socket);
		if (i % 2 == 1) {
			(void)peer_send(fds[i], "\x94\x00\x01\xad", 4);
		}
	}
	h.guests[0] = guest(&h, h.config.token, h.config.instance);
	family_await(&h.f, OB_EVENT_READY, 1);
	for (int i = 0; i < FLOOD; i++) {
		close(fds[i]);
	}
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(over_unix),
	    cmocka_unit_test(over_tcp),
	    cmocka_unit_test(over_hybrid_vsock),
	    cmocka_unit_test(over_vsock),
	    cmocka_unit_test(fault_175_a_broken_connection_is_made_again_by_the_child),
	    cmocka_unit_test(fault_175_a_killed_child_is_started_again),
	    cmocka_unit_test(fault_175_the_next_parent_listens_again_and_finds_the_child),
	    cmocka_unit_test(a_child_that_was_to_be_dialled_is_not_waited_for),
	    cmocka_unit_test(fault_175_a_silent_connection_is_replaced_by_the_child),
	    cmocka_unit_test(a_child_that_never_dials_is_not_ready),
	    cmocka_unit_test(a_child_that_does_not_come_back_is_unresponsive),
	    cmocka_unit_test(fault_171_a_stranger_is_refused),
	    cmocka_unit_test(fault_171_174_a_client_of_a_child_is_refused),
	    cmocka_unit_test(fault_172_a_guest_of_an_earlier_start_is_refused),
	    cmocka_unit_test(fault_173_of_two_guests_the_first_one_stays),
	    cmocka_unit_test(fault_173_the_newest_connection_of_one_process_counts),
	    cmocka_unit_test(fault_176_a_flood_does_not_keep_the_child_out),
	};
	const struct CMUnitTest in_a_guest[] = {cmocka_unit_test(over_vsock)};
	if (getenv("OB_TEST_GUEST") != NULL) {
		return cmocka_run_group_tests(in_a_guest, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
