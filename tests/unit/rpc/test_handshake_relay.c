/* SPDX-License-Identifier: MIT */
/* Somebody who knows the token stands between a dialer and an acceptor, with a sealed connection to
 * each, and passes on what the one says to the other. */
#include "unit/rpc/session_bed.h"

#include "unit/keys_bed.h"

static const uint8_t secret[32] = {7};

/* The mechanism behind noise. */
static const char *behind;
static void *states[2]; /* of the one with key 1, of the one with key 2 */

/* A handshake of its own, with the list noise and `behind`. */
struct side {
	struct end end; /* of which only the setup is used */
	struct ob_peer peer;
	struct obi_handshake handshake;
	uint8_t said[OBI_HANDSHAKE_DATA_MAX];
	struct ob_bytes message;
};

static void begin(struct side *s, enum ob_auth_role role)
{
	struct ob_error err;
	char list[32];
	snprintf(list, sizeof list, "noise,%s", behind);
	init_end(&s->end, role, list, secret);
	/* The one in the middle has a key of neither: he can only pass on what they say. */
	s->end.mechanisms[1].state = states[role == OB_AUTH_ACCEPTOR];
	s->peer = (struct ob_peer){.size = sizeof s->peer, .pidfd = -1};
	assert_int_equal(obi_handshake_begin(&s->handshake, &s->end.auth, role, &s->peer,
					     ob_bytes_of(NULL, 0), &err),
			 OB_OK);
}

static void end(struct side *s)
{
	obi_handshake_end(&s->handshake);
	obi_session_free(&s->end.session);
}

static int ask(struct side *dialer, struct ob_bytes in)
{
	struct ob_error err;
	struct ob_sink out = ob_sink_fixed(dialer->said, sizeof dialer->said);
	int r = obi_handshake_ask(&dialer->handshake, in, &out, &err);
	dialer->message = ob_bytes_of(dialer->said, out.len);
	return r;
}

static int answer(struct side *acceptor, const char *name, struct ob_bytes in)
{
	struct ob_error err;
	struct ob_sink out = ob_sink_fixed(acceptor->said, sizeof acceptor->said);
	int r = obi_handshake_answer(&acceptor->handshake, ob_bytes_text(name), in, &out, &err);
	acceptor->message = ob_bytes_of(acceptor->said, out.len);
	return r;
}

/* The two have a sealed connection; the other mechanism comes next. */
static void seal(struct side *dialer, struct side *acceptor)
{
	struct ob_error err;
	begin(dialer, OB_AUTH_DIALER);
	begin(acceptor, OB_AUTH_ACCEPTOR);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_ends_of_one_connection_agree),
	    cmocka_unit_test(fault_103_a_proof_cannot_be_relayed_into_another_connection),
	    cmocka_unit_test(fault_103_a_proof_that_was_got_by_deceit_is_refused),
	};
	int bad = cmocka_run_group_tests_name("token", tests, with_token, keys_teardown);
	return bad + cmocka_run_group_tests_name("keys", tests, with_keys, without_keys);
}
