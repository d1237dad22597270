/* SPDX-License-Identifier: MIT */
/* Which connections are admitted under a flood, and which have to wait or are closed. */
#include "support/reachable.h"

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
#include <unistd.h>

#include "support/clock.h"
#include "support/netns.h"
#include "support/peer.h"
#include "support/program.h"
#include "support/scratch.h"

enum { STRANGER = 12345 };

static const char wrong[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* ---- Which connections are closed ---- */

static void dial_many(const struct reachable *bed, int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fds[i] = peer_dial(bed->place + strlen("unix:"));
	}
}

static void close_many(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
	}
}

/* A connection that has started to authenticate, though it was the first, survives three times
 * as many silent ones as there are slots. */
static void fault_33_silent_connections_do_not_displace_an_authenticating_one(void **state)
{
	enum { REPLY = 4 + 1 + 5 + 2 + 64 }; /* [1, id, nil, ["more", 64 bytes]] */
	static const char refused[] = "refused";
	uint8_t params[9 + 32] = {0x92, 0xa5, 't', 'o', 'k', 'e', 'n', 0xc4, 32};
	uint8_t request[128], reply[128];
	int silent[3 * SEATS];
	bool ended;
	struct reachable bed;
	(void)state;
	reachable_start_unix(&bed, "token", NULL);
	/* All arrive at once: its message is not read before the others are there. */
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	int first = peer_dial(bed.place + strlen("unix:"));
	assert_true(peer_send(first, request,
			      peer_request(request, 1, "outboard.auth", params, sizeof params)));
	dial_many(&bed, silent, sizeof silent / sizeof silent[0]);
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	assert_true(peer_read(first, reply, REPLY));
	assert_true(peer_is_refused(silent[0]));
	close_many(silent, sizeof silent / sizeof silent[0]);
	/* The same in the middle of the exchange. */
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	dial_many(&bed, silent, sizeof silent / sizeof silent[0]);
	assert_true(peer_send(first, request,
			      peer_request(request, 2, "outboard.auth", params, sizeof params)));
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	assert_true(peer_drain(first, PEER_WAIT_MS, &ended) > sizeof refused && ended);
	close_many(silent, sizeof silent / sizeof silent[0]);
	close(first);
	reachable_end(&bed);
}

/* ---- Reserved slots ---- */

/* The number of connections that the child has closed. Before it answers calls that come later,
 * it has accepted all of them. */
static int count_closed(struct reachable *bed, const int *fds, int count)
{
	char byte;
	int closed = 0;
	for (int i = 0; i < 2; i++) {
		(void)family_call(&bed->f, "echo", "[i]", 1);
	}
	for (int i = 0; i < count; i++) {
		closed += recv(fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	}
	return closed;
}

/* Each stranger is a different user, so none has too many slots: they are kept out of the last
 * slots because those are reserved. */
static void fault_33_a_quarter_of_the_slots_is_reserved(void **state)
{
	enum { OURS = SEATS / 4, THEIRS = SEATS - OURS + 1 };
	int theirs[THEIRS], ours[OURS];
	struct ob_error err = {0};
	struct reachable bed;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	reachable_start_unix(&bed, "token", "auth_timeout=60000");
	for (int i = 0; i < THEIRS; i++) {
		assert_int_equal(seteuid((uid_t)(STRANGER + i)), 0);
		theirs[i] = peer_dial(bed.place + strlen("unix:"));
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 1);
	dial_many(&bed, ours, OURS);
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 1);
	assert_int_equal(reachable_call(&bed, bed.config.token, &err), OB_OK);
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 2);
	assert_int_equal(count_closed(&bed, ours, OURS), 0);
	close_many(theirs, THEIRS);
	close_many(ours, OURS);
	reachable_end(&bed);
}

/* ---- Penalties ---- */

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: only root can act as other users\n");
		skip();
	}
}

/* The kernel records our user at the connect. */
static int call_as(struct reachable *bed, uid_t uid, const char *token)
{
	struct ob_error err = {0};
	assert_int_equal(seteuid(uid), 0);
	int r = reachable_call(bed, token, &err);
	assert_int_equal(seteuid(0), 0);
	return r;
}

/*
 * After so many failures the wait is 1.6 s: a slow machine, too, calls again before it is over. The
 * child may note a failure later than we do, so one more try must be refused. Returns whether the
 * wait has begun; a try during a wait is closed before it can fail.
 */
static bool has_failed_often(int result, int *failures)
{
	enum { OFTEN = 7 };
	assert_true(result < 0);
	if (result == OB_EAUTH) {
		++*failures;
		return false;
	}
	if (*failures < OFTEN) {
		program_let_pass(20);
	}
	return *failures >= OFTEN;
}

static bool has_told_of_the_stranger(void *user)
{
	return reachable_told(user, "\"from\":\"uid 12345\"");
}

static void fault_42_failed_authentications_are_penalized(void **state)
{
	struct reachable bed;
	int failures = 0;
	(void)state;
	need_root();
	reachable_start_unix(&bed, "token", NULL);
	while (!has_failed_often(call_as(&bed, STRANGER, wrong), &failures)) {
	}
	assert_true(call_as(&bed, STRANGER, bed.config.token) < 0);
	/* Other users are not affected. */
	assert_int_equal(call_as(&bed, STRANGER + 1, bed.config.token), OB_OK);
	assert_int_equal(call_as(&bed, 0, bed.config.token), OB_OK);
	family_until(&bed.f, has_told_of_the_stranger, &bed.f);
	/* The wait ends after at most 10 s, and does not start again with each try. */
	int64_t begin = now_ms();
	while (call_as(&bed, STRANGER, bed.config.token) < 0) {
		assert_true(now_ms() - begin < FAMILY_WAIT_MS);
		program_let_pass(50);
	}
	assert_int_equal(call_as(&bed, STRANGER, bed.config.token), OB_OK);
	reachable_end(&bed);
}

static void fault_42_our_own_user_is_never_penalized(void **state)
{
	struct ob_error err = {0};
	struct reachable bed;
	(void)state;
	reachable_start_unix(&bed, "token", NULL);
	for (int i = 0; i < 12; i++) {
		assert_true(reachable_call(&bed, wrong, &err) < 0);
	}
	assert_int_equal(reachable_call(&bed, bed.config.token, &err), OB_OK);
	reachable_end(&bed);
}

/* A client that only checks whether a port is open gets no penalty. */
static void fault_42_silent_connections_are_not_penalized(void **state)
{
	struct reachable bed;
	(void)state;
	need_root();
	reachable_start_unix(&bed, "token", NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(seteuid(STRANGER), 0);
		int fd = peer_dial(bed.place + strlen("unix:"));
		assert_int_equal(seteuid(0), 0);
		close(fd);
	}
	assert_int_equal(call_as(&bed, STRANGER, bed.config.token), OB_OK);
	reachable_end(&bed);
}

static void fault_32_a_slow_authentication_is_penalized(void **state)
{
	struct reachable bed;
	int fds[12];
	(void)state;
	need_root();
	reachable_start_unix(&bed, "token", "auth_timeout=100");
	assert_int_equal(seteuid(STRANGER), 0);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		fds[i] = peer_dial(bed.place + strlen("unix:"));
	}
	assert_int_equal(seteuid(0), 0);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		assert_true(peer_is_refused(fds[i]));
		close(fds[i]);
	}
	assert_true(call_as(&bed, STRANGER, bed.config.token) < 0);
	reachable_end(&bed);
}

/* By this address, not by the one that the child reports, which would be loopback. */
static int call_over(struct reachable *bed, const char *address, const char *token)
{
	struct ob_error err = {0};
	char *said = bed->config.rpc_addr;
	bed->config.rpc_addr = scratch_text("tcp://%s%s", address, strrchr(said, ':'));
	int r = reachable_call(bed, token, &err);
	free(bed->config.rpc_addr);
	bed->config.rpc_addr = said;
	return r;
}

/* From the connector's options through outboard.json to admission. */
static void fault_42_the_address_of_the_parent_is_spared(void **state)
{
	struct reachable bed = {0};
	int failures = 0;
	(void)state;
	reachable_network();
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.f.options.parent_address = "192.0.2.2";
	bed.bind = scratch_text("tcp://0.0.0.0:0");
	reachable_start(&bed, "token");
	assert_string_equal(bed.config.parent_address, "192.0.2.2");
	for (int i = 0; i < 12; i++) {
		assert_int_equal(call_over(&bed, "192.0.2.2", wrong), OB_EAUTH);
	}
	while (!has_failed_often(call_over(&bed, "192.0.2.1", wrong), &failures)) {
	}
	assert_true(call_over(&bed, "192.0.2.1", bed.config.token) < 0);
	assert_int_equal(call_over(&bed, "192.0.2.2", bed.config.token), OB_OK);
	reachable_end(&bed);
}

/* A dial that the child does not answer in time, as while a virtual machine boots. */
static void dial_in_vain(struct reachable *bed, const char *address, const char *token)
{
	struct ob_error err = {0};
	char *uri = scratch_text("tcp://%s%s", address, strrchr(bed->config.rpc_addr, ':'));
	struct ob_client_options options = {.size = sizeof options,
					    .address = uri,
					    .auth = bed->auth,
					    .token = token,
					    .connect_timeout_ms = 50};
	ob_client *client = NULL;
	assert_true(ob_client_connect(bed->f.runtime, &options, NULL, &client, &err) < 0);
	free(uri);
}

static bool has_told_of_the_early_ones(void *user)
{
	return reachable_told(user, "a connection was given up by the peer");
}

/* A parent that shows in its first message that it knows the token, and is gone before it is
 * answered, did nothing wrong: it gets no penalty, and there is no warning. */
static void fault_42_who_has_proved_itself_and_left_is_spared(void **state)
{
	struct reachable bed = {0};
	(void)state;
	reachable_network();
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.bind = scratch_text("tcp://0.0.0.0:0");
	reachable_start(&bed, "noise");
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	for (int i = 0; i < 12; i++) {
		dial_in_vain(&bed, "192.0.2.1", bed.config.token);
	}
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	family_until(&bed.f, has_told_of_the_early_ones, &bed.f);
	assert_int_equal(count_closed(&bed, NULL, 0), 0); /* all are dealt with */
	assert_int_equal(call_over(&bed, "192.0.2.1", bed.config.token), OB_OK);
	assert_false(reachable_told(&bed.f, "\"WARN\""));
	reachable_end(&bed);
}

static void parent_address_must_be_an_address(void **state)
{
	struct reachable bed = {0};
	struct ob_error err;
	(void)state;
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.f.options.parent_address = "example.org";
	assert_int_equal(ob_connector_new(bed.f.runtime, &bed.f.options, &bed.f.connector, &err),
			 OB_EINVAL);
	assert_non_null(strstr(
	    err.text, "parent_address: \"example.org\" is neither an IPv4 or IPv6 address nor"));
	family_end(&bed.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_33_silent_connections_do_not_displace_an_authenticating_one),
	    cmocka_unit_test(fault_42_failed_authentications_are_penalized),
	    cmocka_unit_test(fault_33_a_quarter_of_the_slots_is_reserved),
	    cmocka_unit_test(fault_42_our_own_user_is_never_penalized),
	    cmocka_unit_test(fault_42_silent_connections_are_not_penalized),
	    cmocka_unit_test(fault_32_a_slow_authentication_is_penalized),
	    cmocka_unit_test(parent_address_must_be_an_address),
	    cmocka_unit_test(fault_42_the_address_of_the_parent_is_spared),
	    cmocka_unit_test(fault_42_who_has_proved_itself_and_left_is_spared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
