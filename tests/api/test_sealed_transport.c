/* SPDX-License-Identifier: MIT */
/* Whole programs over a transport with a handshake that seals: hello of the test plugins. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/life.h"
#include "support/peer.h"
#include "support/scratch.h"

enum { SLOTS = 4, BIG = 1 << 20 };

static const char token[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const char greeting[] = "HELO0123456789abcdef\x05peers";

static char *path_before;

/* A server in this process, and what it logs. */
struct bench {
	char *dir, *address;
	ob_runtime *runtime;
	ob_server *server;
	ob_logger *logger;
	int fds, log[2];
};

static int set_up(void **state)
{
	(void)state;
	path_before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *path = scratch_text("%s:%s/test-plugins", path_before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", path, 1);
	free(path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	setenv("OUTBOARD_PLUGIN_PATH", path_before, 1);
	free(path_before);
	return 0;
}

static void say_who(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_identity who = {.size = sizeof who};
	(void)user, (void)params;
	ob_call_identity(call, &who);
	ob_call_replyf(call, "[S,S]", who.subject.data, who.subject.len, who.method.data,
		       who.method.len);
}

static void echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static const struct ob_method methods[] = {{"who", say_who}, {"echo", echo}, {NULL, NULL}};

static void begin(struct bench *b, const char *scheme, struct ob_server_options options)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	struct ob_error err = {.text = ""};
	*b = (struct bench){.fds = scratch_open_fds(), .dir = scratch_make()};
	b->address = scratch_text("%s://%s/s", scheme, b->dir);
	assert_int_equal(pipe2(b->log, O_CLOEXEC), 0);
	expect(ob_logger_new(b->log[1], &b->logger, &err), OB_OK, &err, NULL);
	expect(ob_runtime_new(&threaded, &b->runtime, &err), OB_OK, &err, NULL);
	options.size = sizeof options;
	options.runtime = b->runtime;
	options.listen = b->address;
	options.logger = b->logger;
	expect(ob_server_open(&options, &b->server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(b->server, "it", methods, NULL, &err), OB_OK, &err, NULL);
	expect(ob_server_start(b->server, &err), OB_OK, &err, NULL);
}

static void end(struct bench *b)
{
	ob_server_close(b->server);
	ob_runtime_free(b->runtime);
	ob_logger_free(b->logger);
	close(b->log[0]);
	close(b->log[1]);
	free(b->address);
	scratch_remove(b->dir);
	assert_int_equal(scratch_open_fds(), b->fds);
}

/* Wait until the server has logged this. */
static void expect_line(const struct bench *b, const char *text)
{
	char all[16384] = "";
	size_t have = 0;
	struct pollfd more = {.fd = b->log[0], .events = POLLIN};
	while (strstr(all, text) == NULL) {
		ssize_t n = poll(&more, 1, PEER_WAIT_MS) == 1
				? read(b->log[0], all + have, sizeof all - 1 - have)
				: 0;
		if (n <= 0) {
			fail_msg("\"%s\" is not in:\n%s", text, all);
		}
		have += (size_t)n;
		all[have] = '\0';
	}
}

static int dial(const struct bench *b, const char *const *auth, const char *settings,
		ob_client **ret, struct ob_error *reterr)
{
	const struct ob_client_options options = {.size = sizeof options,
						  .address = b->address,
						  .auth = auth,
						  .token = token,
						  .settings = settings};
	return ob_client_connect(b->runtime, &options, NULL, ret, reterr);
}

static void expect_who(ob_client *client, const char *subject, const char *method)
{
	struct ob_error err = {.text = ""};
	struct ob_bytes got[2];
	ob_reply *reply;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	expect(ob_client_callf(client, PEER_WAIT_MS, reply, &err, "it.who", "[]"), OB_OK, &err,
	       NULL);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(ob_get_string(ob_value_at(ob_reply_value(reply), i), &got[i]));
	}
	assert_true(ob_bytes_is(got[0], subject));
	assert_true(ob_bytes_is(got[1], method));
	ob_reply_free(reply);
}

/* ---- Who is there ---- */

/* Without a list the token is asked for; the subject is what the transport has proved. */
static void the_subject_is_that_of_the_transport(void **state)
{
	struct bench b;
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	begin(&b, "hello+unix", (struct ob_server_options){.token = token});
	expect(dial(&b, NULL, "{\"transport\":{\"subject\":\"spiffe://a/b\"}}", &client, &err),
	       OB_OK, &err, NULL);
	expect_who(client, "spiffe://a/b", "token");
	ob_client_free(client);
	expect(dial(&b, NULL, NULL, &client, &err), OB_OK, &err, NULL);
	expect_who(client, "outboard", "token");
	ob_client_free(client);
	end(&b);
}

static void rules_see_the_subject(void **state)
{
	static const char *const rules[] = {"allow subject=ann it.who", "deny *", NULL};
	static const char *const certificate[] = {"certificate", NULL};
	struct bench b;
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	begin(&b, "hello+unix", (struct ob_server_options){.auth = certificate, .rules = rules});
	expect(dial(&b, certificate, "{\"transport\":{\"subject\":\"ann\"}}", &client, &err),
	       OB_EAUTH, &err, "certificate: the transport has not proved who the peer is");
	end(&b);
	begin(&b, "hello+unix",
	      (struct ob_server_options){.auth = certificate,
					 .rules = rules,
					 .settings = "{\"transport\":{\"subject\":\"server\"}}"});
	expect(dial(&b, certificate, "{\"transport\":{\"subject\":\"ann\"}}", &client, &err), OB_OK,
	       &err, NULL);
	expect_who(client, "ann", "certificate");
	ob_client_free(client);
	expect(dial(&b, certificate, "{\"transport\":{\"subject\":\"bob\"}}", &client, &err), OB_OK,
	       &err, NULL);
	expect(ob_client_callf(client, PEER_WAIT_MS, NULL, &err, "it.who", "[]"), OB_EREMOTE, &err,
	       "permission denied");
	ob_client_free(client);
	/* The dialer, which knows the server, has nothing to wait for. */
	expect(dial(&b, certificate, NULL, &client, &err), OB_OK, &err, NULL);
	assert_true(ob_client_callf(client, PEER_WAIT_MS, NULL, &err, "it.who", "[]") < 0);
	ob_client_free(client);
	expect_line(&b, "certificate: the transport has not proved who the peer is");
	end(&b);
}

/* ---- Policy ---- */

static int open_server(const struct ob_server_options *given, const char *listen,
		       struct ob_error *reterr)
{
	struct ob_server_options options = *given;
	ob_server *server = NULL;
	options.size = sizeof options;
	options.listen = listen;
	int r = ob_server_open(&options, &server, reterr);
	r = r == OB_OK ? ob_server_start(server, reterr) : r;
	ob_server_close(server);
	return r;
}

static void what_is_not_for_others_is_still_refused(void **state)
{
	static const char *const lists[][3] = {{"peercred"}, {"bearer"}, {"certificate"},
					       {"token"},    {"keys"},	 {"noise", "token"}};
	static const char *const hello[] = {"local transports only",
					    "local transports only",
					    NULL,
					    NULL,
					    "auth keys: settings",
					    NULL};
	static const char *const tcp[] = {
	    "local transports only",
	    "local transports only",
	    "certificate is refused on transport tcp without encryption",
	    "use noise",
	    "keys is refused on transport tcp without encryption",
	    NULL};
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct ob_server_options options = {.auth = lists[i], .token = token};
		struct ob_error err = {.text = ""};
		int r = open_server(&options, "hello+tcp://127.0.0.1:0", &err);
		assert_int_equal(r < 0, hello[i] != NULL);
		assert_true(hello[i] == NULL || strstr(err.text, hello[i]) != NULL);
		r = open_server(&options, "tcp://127.0.0.1:0", &err);
		assert_int_equal(r < 0, tcp[i] != NULL);
		assert_true(tcp[i] == NULL || strstr(err.text, tcp[i]) != NULL);
	}
}

static void chaos_goes_below_a_handshake(void **state)
{
	const struct ob_server_options options = {.token = token, .auth = NULL};
	struct bench b;
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	expect(open_server(&options, "chaos+hello+tcp://127.0.0.1:0", &err), OB_EINVAL, &err,
	       "chaos: it cannot wrap hello, which makes a handshake of its own: write "
	       "hello+chaos+tcp instead of chaos+hello+tcp");
	begin(&b, "hello+chaos+unix", options);
	expect(dial(&b, NULL, NULL, &client, &err), OB_OK, &err, NULL);
	expect_who(client, "outboard", "token");
	ob_client_free(client);
	end(&b);
}

/* ---- Failures ---- */

/* Each has a server of its own, which warns once a second. */
static void both_ends_tell_why_a_handshake_failed(void **state)
{
	static const struct {
		const char *dialers, *acceptors, *told, *logged;
	} table[] = {
	    {"{\"transport\":{\"subject\":\"bob\"}}", "{\"transport\":{\"require\":\"ann\"}}",
	     "handshake: hello: the peer refused",
	     "handshake: hello: the peer is \\\"bob\\\", not \\\"ann\\\""},
	    {"{\"transport\":{\"require\":\"me\"}}", "{\"transport\":{\"subject\":\"you\"}}",
	     "handshake: hello: the peer is \"you\", not \"me\"",
	     "handshake: hello: the peer refused"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench b;
		struct ob_error err = {.text = ""};
		ob_client *client = NULL;
		begin(&b, "hello+unix",
		      (struct ob_server_options){.token = token, .settings = table[i].acceptors});
		expect(dial(&b, NULL, table[i].dialers, &client, &err), OB_EAUTH, &err,
		       table[i].told);
		expect_line(&b, table[i].logged);
		end(&b);
	}
}

/* The dialer was done: it learns of it when it reads. */
static void a_late_refusal_is_told(void **state)
{
	struct bench b;
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	begin(&b, "hello+unix",
	      (struct ob_server_options){.token = token,
					 .settings = "{\"transport\":{\"late\":true}}"});
	expect(dial(&b, NULL, NULL, &client, &err), OB_EAUTH, &err, "hello: the peer refused late");
	expect_line(&b, "handshake: hello: refused late");
	end(&b);
}

static void a_silent_acceptor_is_given_up(void **state)
{
	struct bench b;
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	begin(&b, "hello+unix",
	      (struct ob_server_options){.token = token,
					 .auth_timeout_ms = 60000,
					 .settings = "{\"transport\":{\"step\":\"mute\"}}"});
	const struct ob_client_options options = {
	    .size = sizeof options, .address = b.address, .token = token, .connect_timeout_ms = 50};
	expect(ob_client_connect(b.runtime, &options, NULL, &client, &err), OB_ETIMEDOUT, &err,
	       NULL);
	end(&b);
}

/* ---- Slots ---- */

/* Half-open handshakes hold slots, and give them up: those that have said nothing first. */
static void half_open_handshakes_do_not_keep_others_out(void **state)
{
	struct bench b;
	int fds[3 * SLOTS];
	struct ob_error err = {.text = ""};
	ob_client *client = NULL;
	(void)state;
	begin(&b, "hello+unix",
	      (struct ob_server_options){
		  .token = token, .preauth_max = SLOTS, .auth_timeout_ms = 3600 * 1000});
	for (size_t i = 0; i < 3 * SLOTS; i++) {
		fds[i] = peer_dial(strchr(b.address, '/') + 2);
		assert_true(peer_send(fds[i], greeting,
				      i % 3 == 0   ? 0
				      : i % 3 == 1 ? 4
						   : sizeof greeting - 1));
	}
	expect(dial(&b, NULL, NULL, &client, &err), OB_OK, &err, NULL);
	expect_who(client, "outboard", "token");
	expect_line(&b, "too many connections that have not authenticated");
	ob_client_free(client);
	for (size_t i = 0; i < 3 * SLOTS; i++) {
		close(fds[i]);
	}
	end(&b);
}

/* [0, 7, "outboard.ping", []] in a record. */
static void send_ping(int fd)
{
	uint8_t record[] = "D\0\022\x94\0\007\xadoutboard.ping\x90";
	for (size_t i = 3; i < sizeof record - 1; i++) {
		record[i] ^= 0x5a;
	}
	assert_true(peer_send(fd, record, sizeof record - 1));
}

/* One that has begun stays, while silent ones push each other out. */
static void one_that_has_begun_outlasts_silent_ones(void **state)
{
	static const char *const certificate[] = {"certificate", NULL};
	struct bench b;
	char answer[21];
	int silent[3 * SLOTS];
	(void)state;
	begin(&b, "hello+unix",
	      (struct ob_server_options){
		  .auth = certificate, .preauth_max = SLOTS, .auth_timeout_ms = 3600 * 1000});
	const char *path = strchr(b.address, '/') + 2;
	int first = peer_dial(path);
	assert_true(peer_send(first, greeting, sizeof greeting - 1));
	assert_true(peer_read(first, answer, sizeof answer));
	for (int i = 0; i < 3 * SLOTS; i++) {
		silent[i] = peer_dial(path);
	}
	assert_true(peer_is_refused(silent[0]));
	assert_true(peer_send(first, "DONE", 4));
	send_ping(first);
	assert_true(peer_read(first, answer, 1));
	assert_int_equal(answer[0], 'D');
	close(first);
	for (int i = 0; i < 3 * SLOTS; i++) {
		close(silent[i]);
	}
	end(&b);
}

/* ---- Bytes ---- */

/* Records that go out a few bytes at a time, and questions between them that must be answered
 * before reading goes on. The plugin notices if it gets other bytes after OB_EAGAIN. */
static void large_messages_cross_both_ways(void **state)
{
	static const char hard[] = "{\"transport\":{\"narrow\":true,\"ask_every\":3}}";
	static const char *const noise[] = {"noise", NULL};
	static const char *const lists[] = {"token", "noise"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bench b;
		struct ob_error err = {.text = ""};
		struct ob_bytes back = {NULL, 0};
		ob_client *client = NULL;
		ob_reply *reply;
		uint8_t *big = malloc(BIG);
		assert_non_null(big);
		for (size_t k = 0; k < BIG; k++) {
			big[k] = (uint8_t)(k * 131 ^ k >> 11);
		}
		begin(&b, "hello+unix",
		      (struct ob_server_options){
			  .token = token, .auth = i > 0 ? noise : NULL, .settings = hard});
		expect(dial(&b, i > 0 ? noise : NULL, hard, &client, &err), OB_OK, &err, NULL);
		assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
		expect(
		    ob_client_callf(client, 60000, reply, &err, "it.echo", "[B]", big, (size_t)BIG),
		    OB_OK, &err, NULL);
		assert_true(ob_get_binary(ob_reply_value(reply), &back));
		assert_true(ob_bytes_equal(back, ob_bytes_of(big, BIG)));
		expect_who(client, "outboard", lists[i]);
		ob_reply_free(reply);
		ob_client_free(client);
		free(big);
		end(&b);
	}
}

/* ---- Parents and children ---- */

static void a_whole_life(void **state)
{
	static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		family_begin(&f, modes[i], NULL);
		f.options.listen = "hello+tcp://127.0.0.1:0";
		f.options.settings =
		    "{\"transport\":{\"subject\":\"parent\",\"require\":\"child\"}}";
		f.options.child_settings =
		    "{\"transport\":{\"subject\":\"child\",\"require\":\"parent\"}}";
		life_live(&f);
		family_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_subject_is_that_of_the_transport),
	    cmocka_unit_test(rules_see_the_subject),
	    cmocka_unit_test(what_is_not_for_others_is_still_refused),
	    cmocka_unit_test(chaos_goes_below_a_handshake),
	    cmocka_unit_test(both_ends_tell_why_a_handshake_failed),
	    cmocka_unit_test(a_late_refusal_is_told),
	    cmocka_unit_test(a_silent_acceptor_is_given_up),
	    cmocka_unit_test(half_open_handshakes_do_not_keep_others_out),
	    cmocka_unit_test(one_that_has_begun_outlasts_silent_ones),
	    cmocka_unit_test(large_messages_cross_both_ways),
	    cmocka_unit_test(a_whole_life),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
