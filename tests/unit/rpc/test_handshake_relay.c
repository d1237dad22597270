/* SPDX-License-Identifier: MIT */
/* Somebody who knows the token stands between a dialer and an acceptor, with a sealed connection to
 * each, and passes on what the one says to the other. */
#include "unit/rpc/session_bed.h"

#include "unit/ask_bed.h"
#include "unit/keys_bed.h"

#include <poll.h>

static const uint8_t secret[32] = {7};

/* The mechanism behind noise, or on a transport that seals. */
static const char *behind;
static bool by_transport;
static void *states[2]; /* of the one with key 1, of the one with key 2 */

/* A handshake of its own. */
struct side {
	struct end end; /* of which only the setup is used */
	struct ob_peer peer;
	struct obi_handshake handshake;
	uint8_t said[OBI_HANDSHAKE_DATA_MAX];
	struct ob_bytes message;
};

static void begin(struct side *s, enum ob_auth_role role, struct ob_bytes channel)
{
	struct ob_error err;
	char list[32];
	snprintf(list, sizeof list, "%s%s", by_transport ? "" : "noise,", behind);
	init_end(&s->end, role, list, secret);
	/* The one in the middle has a key of neither: he can only pass on what they say. */
	s->end.mechanisms[!by_transport].state = states[role == OB_AUTH_ACCEPTOR];
	s->peer = (struct ob_peer){.size = sizeof s->peer, .pidfd = -1};
	assert_int_equal(obi_handshake_begin(&s->handshake, &s->end.auth, role, &s->peer, channel,
					     ob_bytes_of(NULL, 0), &err),
			 OB_OK);
}

static void end(struct side *s)
{
	obi_handshake_end(&s->handshake);
	obi_session_free(&s->end.session);
}

/* Wait for what a mechanism waits for. */
static void wait_for(struct side *s)
{
	struct ob_error err;
	struct ob_want want;
	assert_int_equal(obi_handshake_want(&s->handshake, &want, &err), OB_OK);
	struct pollfd p = {.fd = want.fd,
			   .events = (short)((want.events & OB_READABLE ? POLLIN : 0) |
					     (want.events & OB_WRITABLE ? POLLOUT : 0))};
	(void)poll(&p, want.fd >= 0, 10);
}

static int ask(struct side *dialer, struct ob_bytes in)
{
	struct ob_error err;
	struct ob_sink out = ob_sink_fixed(dialer->said, sizeof dialer->said);
	int r = obi_handshake_ask(&dialer->handshake, in, &out, &err);
	while (r == OB_AUTH_WAIT) {
		wait_for(dialer);
		r = obi_handshake_ask(&dialer->handshake, ob_bytes_text(""), &out, &err);
	}
	dialer->message = ob_bytes_of(dialer->said, out.len);
	return r;
}

static int answer(struct side *acceptor, const char *name, struct ob_bytes in)
{
	struct ob_error err;
	struct ob_sink out = ob_sink_fixed(acceptor->said, sizeof acceptor->said);
	struct ob_bytes mechanism = ob_bytes_text(name);
	int r = obi_handshake_answer(&acceptor->handshake, mechanism, in, &out, &err);
	while (r == OB_AUTH_WAIT) {
		wait_for(acceptor);
		r = obi_handshake_answer(&acceptor->handshake, mechanism, ob_bytes_text(""), &out,
					 &err);
	}
	acceptor->message = ob_bytes_of(acceptor->said, out.len);
	return r;
}

/* The two have a sealed connection; the other mechanism comes next. */
static void seal(struct side *dialer, struct side *acceptor)
{
	static uint8_t number[OB_BINDING_MIN];
	struct ob_error err;
	number[0]++; /* each connection has a channel of its own */
	struct ob_bytes channel = ob_bytes_of(number, by_transport ? sizeof number : 0);
	begin(dialer, OB_AUTH_DIALER, channel);
	begin(acceptor, OB_AUTH_ACCEPTOR, channel);
	if (by_transport) {
		return;
	}
	assert_int_equal(ask(dialer, ob_bytes_text("")), OB_OK);
	assert_int_equal(answer(acceptor, "noise", dialer->message), OB_AUTH_DONE);
	assert_int_equal(obi_handshake_told_done(&dialer->handshake, acceptor->message, &err),
			 OB_OK);
}

static void the_ends_of_one_connection_agree(void **state)
{
	static struct side dialer, acceptor;
	struct ob_error err;
	(void)state;
	seal(&dialer, &acceptor);
	assert_int_equal(ask(&dialer, ob_bytes_text("")), OB_OK);
	assert_int_equal(answer(&acceptor, behind, dialer.message), OB_AUTH_MORE);
	assert_int_equal(ask(&dialer, acceptor.message), OB_OK);
	assert_int_equal(answer(&acceptor, behind, dialer.message), OB_AUTH_DONE);
	assert_int_equal(obi_handshake_told_done(&dialer.handshake, acceptor.message, &err), OB_OK);
	assert_true(obi_handshake_passed(&dialer.handshake));
	end(&dialer);
	end(&acceptor);
}

/* The victim and the child, and the ends of the one in between. */
static struct {
	struct side victim, to_victim, to_child, child;
} relay;

/* The victim has begun, and the child has answered what was passed on. */
static void begin_relay(void)
{
	seal(&relay.victim, &relay.to_victim);
	seal(&relay.to_child, &relay.child);
	assert_int_equal(ask(&relay.victim, ob_bytes_text("")), OB_OK);
	assert_int_equal(answer(&relay.child, behind, relay.victim.message), OB_AUTH_MORE);
}

static void end_relay(void)
{
	end(&relay.victim);
	end(&relay.to_victim);
	end(&relay.to_child);
	end(&relay.child);
}

static void fault_103_a_proof_cannot_be_relayed_into_another_connection(void **state)
{
	(void)state;
	begin_relay();
	assert_int_equal(ask(&relay.victim, relay.child.message), OB_EAUTH);
	end_relay();
}

/* The one in between makes the acceptor's part of the exchange himself, to get a proof. */
static void fault_103_a_proof_that_was_got_by_deceit_is_refused(void **state)
{
	(void)state;
	begin_relay();
	assert_int_equal(answer(&relay.to_victim, behind, relay.victim.message), OB_AUTH_MORE);
	assert_int_equal(ask(&relay.victim, relay.to_victim.message), OB_OK);
	assert_int_equal(answer(&relay.child, behind, relay.victim.message), OB_EAUTH);
	end_relay();
}

/* As docs/PROTOCOL.md says. */
static void the_prologue_has_the_channel_bindings(void **state)
{
	static const uint8_t channel[OB_BINDING_MIN] = "0123456789abcdef";
	static const uint8_t expected[] = "\0\012outboard/1\0\007msgpack\0\013noise,token"
					  "\0\011transport\0\020"
					  "0123456789abcdef"
					  "\0\004seal\0\100";
	static struct side dialer, acceptor;
	struct ob_error err;
	(void)state;
	begin(&dialer, OB_AUTH_DIALER, ob_bytes_of(channel, sizeof channel));
	begin(&acceptor, OB_AUTH_ACCEPTOR, ob_bytes_of(channel, sizeof channel));
	struct ob_bytes before = dialer.handshake.params.prologue;
	size_t plain = sizeof expected - 1 - 8; /* without what follows behind noise */
	assert_true(ob_bytes_equal(before, ob_bytes_of(expected, plain)));
	assert_int_equal(ask(&dialer, ob_bytes_text("")), OB_OK);
	assert_int_equal(answer(&acceptor, "noise", dialer.message), OB_AUTH_DONE);
	assert_int_equal(obi_handshake_told_done(&dialer.handshake, acceptor.message, &err), OB_OK);
	struct ob_bytes behind_noise = dialer.handshake.params.prologue;
	assert_int_equal(behind_noise.len, sizeof expected - 1 + 64);
	assert_memory_equal(behind_noise.data, expected, sizeof expected - 1);
	assert_true(ob_bytes_equal(behind_noise, acceptor.handshake.params.prologue));
	end(&dialer);
	end(&acceptor);
}

static int with_token(void **state)
{
	behind = "token";
	states[0] = states[1] = NULL;
	return keys_setup(state);
}

static int with_keys(void **state)
{
	int r = keys_setup(state);
	behind = "keys";
	states[0] = keys_state(1);
	states[1] = keys_state(2);
	return r;
}

static int without_keys(void **state)
{
	keys_plugin->unconfigure(states[0]);
	keys_plugin->unconfigure(states[1]);
	return keys_teardown(state);
}

/* The same helper for both ends: it has the key, and binds its proofs to the prologue. */
static int with_ask(void **state)
{
	int r = ask_setup(state);
	behind = "ask";
	states[0] = states[1] = ask_state();
	return r;
}

static int without_ask(void **state)
{
	ask_plugin->unconfigure(states[0]);
	return ask_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_ends_of_one_connection_agree),
	    cmocka_unit_test(fault_103_a_proof_cannot_be_relayed_into_another_connection),
	    cmocka_unit_test(fault_103_a_proof_that_was_got_by_deceit_is_refused),
	};
	const struct CMUnitTest prologue[] = {
	    cmocka_unit_test(the_prologue_has_the_channel_bindings),
	};
	int bad = cmocka_run_group_tests_name("prologue", prologue, with_token, keys_teardown);
	for (int i = 0; i < 2; i++) {
		by_transport = i == 1;
		bad += cmocka_run_group_tests_name(i == 0 ? "token" : "token on a transport", tests,
						   with_token, keys_teardown);
		bad += cmocka_run_group_tests_name(i == 0 ? "keys" : "keys on a transport", tests,
						   with_keys, without_keys);
		bad += cmocka_run_group_tests_name(i == 0 ? "ask" : "ask on a transport", tests,
						   with_ask, without_ask);
	}
	return bad;
}
