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

/* ---- Who has to leave ---- */

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

/* One who began to authenticate, though it was the first to come, outlasts three times as many as
 * there are seats. */
static void fault_33_who_speaks_is_not_pushed_out_by_who_is_silent(void **state)
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
	/* All come at once: what it said is not read before they are there. */
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	int first = peer_dial(bed.place + strlen("unix:"));
	assert_true(peer_send(first, request,
			      peer_request(request, 1, "outboard.auth", params, sizeof params)));
	dial_many(&bed, silent, sizeof silent / sizeof silent[0]);
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	assert_true(peer_read(first, reply, REPLY));
	assert_true(peer_is_refused(silent[0]));
	close_many(silent, sizeof silent / sizeof silent[0]);
	/* And again, in the middle of the exchange. */
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

/* ---- Reserved seats ---- */

/* How many of them the child has closed. It has accepted all of them before it answers calls that
 * come behind. */
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

/* Each stranger is another user, so none of them is greedy: what keeps them out of the last seats
 * is that those are not theirs. */
static void fault_33_a_quarter_of_the_seats_is_not_for_strangers(void **state)
{
	enum { OURS = SEATS / 4, THEIRS = SEATS - OURS + 1 };
	int theirs[THEIRS], ours[OURS];
	struct ob_error err = {0};
	struct reachable bed;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can be somebody else\n");
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
		print_message("skipped: only root can be several users\n");
		skip();
	}
}

/* The kernel notes who we are when we connect. */
static int call_as(struct reachable *bed, uid_t uid, const char *token)
{
	struct ob_error err = {0};
	assert_int_equal(seteuid(uid), 0);
	int r = reachable_call(bed, token, &err);
	assert_int_equal(seteuid(0), 0);
	return r;
}

static bool has_told_of_the_stranger(void *user)
{
	return reachable_told(user, "\"from\":\"uid 12345\"");
}

static void fault_42_who_fails_has_to_wait(void **state)
{
	struct reachable bed;
	(void)state;
	need_root();
	reachable_start_unix(&bed, "token", NULL);
	/* So many failures that the wait is the longest: then it is not over before we have looked.
	 */
	for (int i = 0; i < 12; i++) {
		assert_true(call_as(&bed, STRANGER, wrong) < 0);
	}
	assert_true(call_as(&bed, STRANGER, bed.config.token) < 0);
	/* Others are not meant by it. */
	assert_int_equal(call_as(&bed, STRANGER + 1, bed.config.token), OB_OK);
	assert_int_equal(call_as(&bed, 0, bed.config.token), OB_OK);
	family_until(&bed.f, has_told_of_the_stranger, &bed.f);
	/* It ends, too: at most 10 s, and not again from the beginning with each try. */
	int64_t begin = now_ms();
	while (call_as(&bed, STRANGER, bed.config.token) < 0) {
		assert_true(now_ms() - begin < FAMILY_WAIT_MS);
		program_let_pass(50);
	}
	assert_int_equal(call_as(&bed, STRANGER, bed.config.token), OB_OK);
	reachable_end(&bed);
}

static void fault_42_our_own_user_never_has_to_wait(void **state)
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

/* Somebody who only looks whether a port is open does no harm, and gets none. */
static void fault_42_who_says_nothing_has_not_failed(void **state)
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

static void fault_32_who_is_too_slow_has_failed(void **state)
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

/* Over the address, and not where the child says that it listens: that would be loopback. */
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

/* From the connector's options through outboard.json to the gate. */
static void fault_42_the_address_of_the_parent_is_spared(void **state)
{
	struct reachable bed = {0};
	(void)state;
	reachable_network();
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.f.options.parent_address = "192.0.2.2";
	bed.bind = scratch_text("tcp://0.0.0.0:0");
	reachable_start(&bed, "token");
	assert_string_equal(bed.config.parent_address, "192.0.2.2");
	for (int i = 0; i < 12; i++) {
		assert_true(call_over(&bed, "192.0.2.1", wrong) < 0);
		assert_true(call_over(&bed, "192.0.2.2", wrong) < 0);
	}
	assert_true(call_over(&bed, "192.0.2.1", bed.config.token) < 0);
	assert_int_equal(call_over(&bed, "192.0.2.2", bed.config.token), OB_OK);
	reachable_end(&bed);
}

static void a_parents_address_must_be_one(void **state)
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
	    cmocka_unit_test(fault_33_who_speaks_is_not_pushed_out_by_who_is_silent),
	    cmocka_unit_test(fault_42_who_fails_has_to_wait),
	    cmocka_unit_test(fault_33_a_quarter_of_the_seats_is_not_for_strangers),
	    cmocka_unit_test(fault_42_our_own_user_never_has_to_wait),
	    cmocka_unit_test(fault_42_who_says_nothing_has_not_failed),
	    cmocka_unit_test(fault_32_who_is_too_slow_has_failed),
	    cmocka_unit_test(a_parents_address_must_be_one),
	    cmocka_unit_test(fault_42_the_address_of_the_parent_is_spared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
