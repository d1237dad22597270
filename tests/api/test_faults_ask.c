/* SPDX-License-Identifier: MIT */
/* The helper of an authenticator is slow, dead, silent, restarted, or lies: its clients are refused
 * in time, nobody else waits, and the log says why. */
#include "support/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/peer.h"
#include "support/scratch.h"

/* The server gives its connections an hour, so only the timeout of ask can end an exchange. */
enum { IN_TIME_MS = 30 * 1000 };

/* ---- The log of the server ---- */

struct log {
	ob_logger *logger;
	int fds[2];
	char text[16 * 1024];
};

static void log_begin(struct log *log)
{
	assert_int_equal(pipe2(log->fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(ob_logger_new(log->fds[1], &log->logger, NULL), OB_OK);
}

/* What was logged since the last time. */
static const char *log_text(struct log *log)
{
	ssize_t n = read(log->fds[0], log->text, sizeof log->text - 1);
	log->text[n > 0 ? n : 0] = '\0';
	return log->text;
}

static void log_end(struct log *log)
{
	ob_logger_free(log->logger);
	close(log->fds[0]);
	close(log->fds[1]);
}

static void expect_logged(struct log *log, const char *what)
{
	const char *text = log_text(log);
	if (strstr(text, what) == NULL) {
		print_error("\"%s\" is not in:\n%s", what, text);
		fail();
	}
}

/* Serve anew, so that the limits of the log begin anew; log in, be refused in time, and find the
 * reason in the log. The timeout is short only where it is the reason: elsewhere the helper may be
 * slow. */
static void expect_refusal(struct asking *a, struct log *log, const char *user,
			   const char *password, const char *reason)
{
	struct ob_error err = {.text = ""};
	bool times_out = strstr(reason, "within 500 ms") != NULL;
	asking_serve(a, times_out ? "\"timeout\":\"500ms\"" : "\"timeout\":\"1m\"");
	int64_t before = now_ms();
	expect(asking_log_in(a, user, password, NULL, &err), OB_EAUTH, &err, "refused");
	assert_true(now_ms() - before < IN_TIME_MS);
	asking_close(a);
	expect_logged(log, reason);
}

static void with_log(struct asking *a, struct log *log)
{
	log_begin(log);
	asking_begin(a, NULL);
	a->options.logger = log->logger;
}

static void without_log(struct asking *a, struct log *log)
{
	asking_end(a);
	log_end(log);
}

/* ---- One helper that misbehaves ---- */

static void fault_105_a_helper_that_does_not_answer_properly_is_a_refusal(void **state)
{
	static const char *const table[][2] = {
	    {"silent", "does not answer within 500 ms"},
	    {"drip", "does not answer within 500 ms"},
	    {"close", "closed the connection without an answer"},
	    {"garbage", "answers what is not a message"},
	    {"large", "answers more than 32 KiB"},
	    {"flood", "answers more than 32 KiB"},
	};
	struct asking a;
	struct log log;
	(void)state;
	with_log(&a, &log);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		expect_refusal(&a, &log, table[i][0], "", table[i][1]);
	}
	without_log(&a, &log);
}

static void fault_105_a_lie_is_a_refusal(void **state)
{
	static const char *const table[][3] = {
	    {"say", "1", "not a map with a word"},
	    {"say", "null", "not a map with a word"},
	    {"say", "{\"word\":7}", "not a map with a word"},
	    {"say", "{\"word\":\"maybe\"}", "none of more, done and refused"},
	    {"say", "{\"word\":\"done\"}", "subject: required"},
	    {"say", "{\"word\":\"done\",\"subject\":7}", "subject: not a string"},
	    {"say", "{\"word\":\"done\",\"subject\":\"\"}", "subject: not of 1 to 255 bytes"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\\nb\"}", "subject: not a string of pr"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\\u009b\"}", "subject: not a string"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\",\"data\":7}", "data: neither binary"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\",\"claims\":7}", "claims: not a map"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\",\"claims\":{\"a b\":\"\"}}", "a name is"},
	    {"say", "{\"word\":\"done\",\"subject\":\"a\",\"claims\":{\"a\":7}}", "a value is"},
	    {"raw", "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}", "not the response to the"},
	    {"raw", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{}}", "not the response to"},
	    {"raw", "{\"jsonrpc\":\"2.0\",\"id\":ID,\"method\":\"a.b\"}", "not the response to"},
	    {"raw", "[{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{}}]", "what is not a message"},
	    {"raw", "{\"jsonrpc\":\"2.0\",\"id\":ID}", "answers what is not a message"},
	    {"raw", "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":1,\"message\":\"no\"}}",
	     "answers an error: no"},
	    {"say", "{\"word\":\"refused\",\"reason\":\"a\\u0007b\"}", "refuses: a?b"},
	    {"say", "{\"word\":\"refused\",\"reason\":\"a\\u009bb\"}", "refuses: a?b"},
	};
	struct asking a;
	struct log log;
	(void)state;
	with_log(&a, &log);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		expect_refusal(&a, &log, table[i][0], table[i][1], table[i][2]);
	}
	without_log(&a, &log);
}

/* ---- A helper that is not there ---- */

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strncpy(at.sun_path, path, sizeof at.sun_path - 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void fault_105_a_helper_that_is_not_there_is_a_refusal(void **state)
{
	struct asking a;
	struct log log;
	(void)state;
	with_log(&a, &log);
	asked_kill(&a.helper);
	expect_refusal(&a, &log, "alice", "sesame", "the helper cannot be reached: ");
	int deaf = listen_at(a.helper.socket, 0), other = peer_dial(a.helper.socket);
	/* Its backlog is full. */
	expect_refusal(&a, &log, "alice", "sesame", "does not answer within 500 ms");
	close(other);
	/* It has been connected to, and never accepts. */
	int hung = listen_at(a.helper.socket, 100);
	expect_refusal(&a, &log, "alice", "sesame", "does not answer within 500 ms");
	close(deaf);
	close(hung);
	assert_int_equal(unlink(a.helper.socket), 0);
	expect_refusal(&a, &log, "alice", "sesame", "the helper cannot be reached: ");
	/* Started again it is asked again, without a word to the server. */
	asking_serve(&a, "\"timeout\":\"1m\"");
	struct ob_error err;
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_EAUTH, &err, "refused");
	asked_again(&a.helper, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	without_log(&a, &log);
}

/* A backlog that is full for a moment is not a failure. */
static void fault_105_a_helper_with_a_full_backlog_is_dialled_again(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, "\"timeout\":\"1m\"");
	char *settings = asking_message("alice", "sesame");
	char *whole = scratch_text("{\"auth\":{\"ask\":%s}}", settings);
	asked_kill(&a.helper);
	int deaf = listen_at(a.helper.socket, 0), other = peer_dial(a.helper.socket);
	struct ob_client_options options = asking_client(&a, whole);
	options.connect_timeout_ms = 300;
	ob_client *client;
	expect(ob_client_connect(a.runtime, &options, NULL, &client, &err), OB_ETIMEDOUT, &err,
	       NULL);
	close(deaf);
	close(other);
	asked_again(&a.helper, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	free(settings);
	free(whole);
	asking_end(&a);
}

/* ---- kill -9 in the middle of each step ---- */

/* Restarted it works, and dies in its second exchange. */
static void die_at(struct asking *a, struct asked *one, const char *settings, const char *point)
{
	char *how = scratch_text("die=%s", point);
	struct ob_error err = {.text = ""};
	asked_again(one, how);
	free(how);
	expect(asking_dial(a, settings, NULL, &err), OB_OK, &err, NULL);
	expect(asking_dial(a, settings, NULL, &err), OB_EAUTH, &err, NULL);
	asked_has_died(one);
}

static void fault_105_a_helper_that_is_killed_in_a_step_is_a_refusal(void **state)
{
	static const char *const points[] = {"accept", "asked 1", "half 1",
					     "told 1", "asked 2", "half 2"};
	struct asking a;
	struct asked mine;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, "\"timeout\":\"1m\"");
	asked_begin(&mine, a.dir, "mine", NULL);
	char *settings = scratch_text("{\"socket\":\"%s\",\"timeout\":\"1m\"}", mine.socket);
	for (int i = 0; i < 2; i++) {
		struct asked *one = i == 0 ? &a.helper : &mine;
		asked_kill(one);
		for (size_t k = 0; k < sizeof points / sizeof points[0]; k++) {
			die_at(&a, one, settings, points[k]);
		}
		asked_again(one, NULL);
	}
	free(settings);
	asked_end(&mine);
	asking_end(&a);
}

/* ---- Nobody else waits ---- */

enum { MANY = 40 };

struct dialled {
	_Atomic int ended;
};

static void on_client(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct dialled *d = user;
	(void)result, (void)err;
	ob_client_free(client);
	d->ended++;
}

/* Clients whose helper does not answer. */
static void hang(struct asking *a, struct dialled *d, int count)
{
	char *settings = asking_message("silent", "");
	char *whole = scratch_text("{\"auth\":{\"ask\":%s}}", settings);
	const struct ob_client_options options = asking_client(a, whole);
	for (int i = 0; i < count; i++) {
		struct ob_error err;
		expect(ob_client_connect_async(a->runtime, &options, on_client, d, &err), OB_OK,
		       &err, NULL);
	}
	free(settings);
	free(whole);
}

/* The connections of the helper: its descriptors beyond those that it has without any. */
static void await_connections(const struct asking *a, int idle, int count)
{
	int64_t begin = now_ms();
	while (peer_open_fds(a->helper.pid) < idle + count) {
		assert_true(now_ms() - begin < IN_TIME_MS);
		program_let_pass(10);
	}
}

/* A client that is let in already, one that comes now, and one that comes by the other listener. */
static void everybody_else_is_served(struct asking *a, ob_client *before)
{
	static const char *const peercred[] = {"peercred", NULL};
	const struct ob_client_options options = {
	    .size = sizeof options, .address = a->parents, .auth = peercred};
	struct ob_error err;
	ob_client *parent;
	expect(ob_client_call(before, "who.am_i", NULL, 0, NULL, NULL, &err), OB_OK, &err, NULL);
	expect(asking_log_in(a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	expect(ob_client_connect(a->runtime, &options, NULL, &parent, &err), OB_OK, &err, NULL);
	expect(ob_client_call(parent, "who.am_i", NULL, 0, NULL, NULL, &err), OB_OK, &err, NULL);
	ob_client_free(parent);
}

static void fault_105_nobody_else_waits_for_a_helper(void **state)
{
	struct asking a;
	struct dialled d = {0};
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, "\"timeout\":\"1m\"");
	char *settings = asking_message("alice", "sesame");
	char *whole = scratch_text("{\"auth\":{\"ask\":%s}}", settings);
	const struct ob_client_options options = asking_client(&a, whole);
	ob_client *before;
	int idle = peer_open_fds(a.helper.pid);
	expect(ob_client_connect(a.runtime, &options, NULL, &before, &err), OB_OK, &err, NULL);
	hang(&a, &d, MANY);
	await_connections(&a, idle, MANY);
	for (int i = 0; i < 5; i++) {
		everybody_else_is_served(&a, before);
	}
	assert_int_equal(d.ended, 0);
	ob_client_free(before);
	/* The server ends; its exchanges and their connections with it. */
	asking_close(&a);
	while (d.ended < MANY) {
		program_let_pass(1);
	}
	free(settings);
	free(whole);
	asking_end(&a);
}

/* The rest waits in the backlog of the server, or is refused; the helper is not flooded. */
static void fault_105_exchanges_are_bounded_by_preauth_slots(void **state)
{
	enum { SLOTS = 8 };
	struct asking a;
	struct dialled d = {0};
	(void)state;
	asking_begin(&a, NULL);
	a.options.preauth_max = SLOTS;
	asking_serve(&a, "\"timeout\":\"1m\"");
	int idle = peer_open_fds(a.helper.pid);
	hang(&a, &d, 100);
	await_connections(&a, idle, SLOTS);
	for (int i = 0; i < 20; i++) {
		assert_true(peer_open_fds(a.helper.pid) <= idle + SLOTS + 1);
		program_let_pass(10);
	}
	asking_close(&a);
	while (d.ended < 100) {
		program_let_pass(1);
	}
	asking_end(&a);
}

/* ---- The log ---- */

static int count_of(const char *text, const char *what)
{
	int n = 0;
	for (; (text = strstr(text, what)) != NULL; text += strlen(what)) {
		n++;
	}
	return n;
}

/* It is not lost among refusals of passwords, which are limited on their own. */
static void fault_105_a_helper_that_fails_is_logged_once_a_second(void **state)
{
	struct asking a;
	struct log log;
	struct ob_error err;
	(void)state;
	with_log(&a, &log);
	asking_serve(&a, "\"timeout\":\"1m\"");
	int64_t begin = now_ms();
	for (int i = 0; i < 20; i++) {
		assert_true(asking_log_in(&a, "alice", "wrong", NULL, &err) < 0);
		assert_true(asking_log_in(&a, "close", "", NULL, &err) < 0);
	}
	int seconds = (int)((now_ms() - begin) / 1000) + 1;
	const char *text = log_text(&log);
	assert_in_range(count_of(text, "refuses: wrong password"), 1, (uintmax_t)seconds);
	assert_in_range(count_of(text, "closed the connection without"), 1, (uintmax_t)seconds);
	without_log(&a, &log);
}

/* ---- Penalties ---- */

static void fault_105_a_helper_that_is_not_there_costs_its_clients_nothing(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, "\"timeout\":\"1m\"");
	asked_kill(&a.helper);
	for (int i = 0; i < 20; i++) {
		expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_EAUTH, &err, "refused");
	}
	asked_again(&a.helper, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	asking_end(&a);
}

/* Else one could guess without end with a message that the helper is slow to refuse. */
static void fault_105_a_helper_that_was_asked_counts_as_a_failure(void **state)
{
	struct asking a;
	struct log log;
	struct ob_error err;
	(void)state;
	with_log(&a, &log);
	asking_serve(&a, "\"timeout\":\"1m\"");
	int64_t begin = now_ms();
	while (strstr(log_text(&log), "connections from this source are refused for") == NULL) {
		assert_true(asking_log_in(&a, "close", "", NULL, &err) < 0);
		assert_true(now_ms() - begin < IN_TIME_MS);
	}
	without_log(&a, &log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_105_a_helper_that_does_not_answer_properly_is_a_refusal),
	    cmocka_unit_test(fault_105_a_lie_is_a_refusal),
	    cmocka_unit_test(fault_105_a_helper_that_is_not_there_is_a_refusal),
	    cmocka_unit_test(fault_105_a_helper_with_a_full_backlog_is_dialled_again),
	    cmocka_unit_test(fault_105_a_helper_that_is_killed_in_a_step_is_a_refusal),
	    cmocka_unit_test(fault_105_nobody_else_waits_for_a_helper),
	    cmocka_unit_test(fault_105_exchanges_are_bounded_by_preauth_slots),
	    cmocka_unit_test(fault_105_a_helper_that_fails_is_logged_once_a_second),
	    cmocka_unit_test(fault_105_a_helper_that_is_not_there_costs_its_clients_nothing),
	    cmocka_unit_test(fault_105_a_helper_that_was_asked_counts_as_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
