/* SPDX-License-Identifier: MIT */
/* The token authenticator, from its plugin file: who is accepted, and what is refused. */
#include "unit/auth/proof_tests.h"

#include <setjmp.h>
#include <sodium.h>

#include <cmocka.h>

enum { NONCE = 32, PROOF = 32, MESSAGES = 4 };

/* The sizes on the wire, in order: c; s and a proof; a proof; nothing. */
static const size_t sizes[MESSAGES] = {NONCE, NONCE + PROOF, PROOF, 0};

/* ---- What is accepted ---- */

static void both_ends_pass_with_one_token(void **state)
{
	struct exchange *x = *state;
	exchange_run(x);
	assert_true(exchange_passed(x));
	assert_int_equal(x->count, MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++) {
		assert_int_equal(x->sent[i].len, sizes[i]);
	}
	assert_null(x->ops->identity);
	assert_int_equal(x->ops->flags, OB_AUTH_NEEDS_SECRET);
}

static void expect_proof(const struct exchange *x, uint8_t side, uint8_t ret[PROOF])
{
	uint8_t text[256];
	struct ob_sink out = ob_sink_fixed(text, sizeof text);
	ob_sink_byte(&out, side);
	ob_sink_put(&out, x->params[0].prologue.data, x->params[0].prologue.len);
	ob_sink_put(&out, x->sent[0].bytes, NONCE);
	ob_sink_put(&out, x->sent[1].bytes, NONCE);
	crypto_auth_hmacsha256(ret, text, out.len, x->params[0].secret.data);
}

/* An independent implementation computes the same. */
static void proofs_follow_the_protocol(void **state)
{
	struct exchange *x = *state;
	uint8_t proof[PROOF];
	exchange_run(x);
	expect_proof(x, 'S', proof);
	assert_memory_equal(x->sent[1].bytes + NONCE, proof, PROOF);
	expect_proof(x, 'C', proof);
	assert_memory_equal(x->sent[2].bytes, proof, PROOF);
}

/* ---- What is refused ---- */

static void run_meddled(struct exchange *x,
			void (*meddle)(struct exchange *, size_t, struct exchange_message *),
			void *user)
{
	x->meddle = meddle;
	x->user = user;
	exchange_run(x);
	x->meddle = NULL;
	x->user = NULL;
}

struct flip {
	size_t message;
	size_t bit;
};

static void flip_bit(struct exchange *x, size_t i, struct exchange_message *message)
{
	const struct flip *flip = x->user;
	if (i == flip->message) {
		message->bytes[flip->bit / 8] ^= (uint8_t)(1 << flip->bit % 8);
	}
}

static void fault_45_every_flipped_bit_is_refused(void **state)
{
	struct exchange *x = *state;
	struct flip flip;
	for (flip.message = 0; flip.message < MESSAGES; flip.message++) {
		for (flip.bit = 0; flip.bit < 8 * sizes[flip.message]; flip.bit++) {
			run_meddled(x, flip_bit, &flip);
			assert_refused(x);
		}
	}
}

struct cut {
	size_t message;
	size_t len;
};

static void set_len(struct exchange *x, size_t i, struct exchange_message *message)
{
	const struct cut *cut = x->user;
	if (i == cut->message) {
		message->len = cut->len;
	}
}

static void fault_45_every_other_length_is_refused(void **state)
{
	struct exchange *x = *state;
	struct cut cut;
	for (cut.message = 0; cut.message + 1 < MESSAGES; cut.message++) {
		for (cut.len = 0; cut.len < 200; cut.len++) {
			if (cut.len != sizes[cut.message]) {
				run_meddled(x, set_len, &cut);
				assert_refused(x);
			}
		}
	}
}

/* Bytes behind the acceptor's last message: the acceptor is done, the dialer refuses. */
static void the_dialer_accepts_nothing_behind_the_end(void **state)
{
	struct exchange *x = *state;
	struct cut cut = {.message = MESSAGES - 1, .len = 1};
	run_meddled(x, set_len, &cut);
	assert_int_equal(x->acceptor, OB_AUTH_DONE);
	assert_int_equal(x->dialer, OB_EAUTH);
}

static void fault_43_a_recorded_dialer_is_refused(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	exchange_run(x);
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&x->sent[0]), &out),
			 OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&x->sent[2]), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	x->ops->destroy(acceptor);
}

static void fault_43_a_recorded_acceptor_is_refused(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	exchange_run(x);
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &out), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&x->sent[1]), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	x->ops->destroy(dialer);
}

/* A peer without the token sends an acceptor its own proof back, */
static void fault_44_an_acceptor_does_not_take_its_own_proof(void **state)
{
	struct exchange *x = *state;
	struct exchange_message c = {.len = NONCE}, s, out;
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&c), &s), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, ob_bytes_of(s.bytes + NONCE, PROOF), &out),
			 OB_EAUTH);
	x->ops->destroy(acceptor);
}

/* or sends a dialer its own nonce back, with the proof of another dialer for that nonce. */
static void fault_44_a_dialer_does_not_take_a_dialers_proof(void **state)
{
	struct exchange *x = *state;
	struct exchange_message c, out, forged = {.len = NONCE + PROOF};
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &c), OB_AUTH_MORE);
	x->sent[0] = c;
	x->sent[1] = c;
	memcpy(forged.bytes, c.bytes, NONCE);
	expect_proof(x, 'C', forged.bytes + NONCE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&forged), &out), OB_EAUTH);
	x->ops->destroy(dialer);
}

/* ---- Misuse ---- */

static void an_end_that_is_over_stays_over(void **state)
{
	struct exchange *x = *state;
	struct exchange_message c, s, proof, none;
	struct ob_bytes nothing = ob_bytes_of(NULL, 0);
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER),
		       *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, dialer, nothing, &c), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&c), &s), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&s), &proof), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&proof), &none), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&proof), &none), OB_EAUTH);
	assert_int_equal(exchange_step(x, dialer, nothing, &none), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, dialer, nothing, &none), OB_EAUTH);
	x->ops->destroy(dialer);
	x->ops->destroy(acceptor);
	/* After a wrong proof, a second try with the right one is refused the same way. */
	acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&c), &x->sent[1]), OB_AUTH_MORE);
	x->sent[0] = c;
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&proof), &none), OB_EAUTH);
	expect_proof(x, 'C', proof.bytes);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&proof), &none), OB_EAUTH);
	x->ops->destroy(acceptor);
}

static void a_token_of_another_size_is_refused(void **state)
{
	static const uint8_t bytes[64] = {1};
	static const size_t lengths[] = {0, 1, 31, 33, 64};
	struct exchange *x = *state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct ob_auth_params params = x->params[1];
		struct ob_auth *auth = NULL;
		struct ob_error err;
		params.secret = ob_bytes_of(bytes, lengths[i]);
		assert_int_equal(x->ops->create(x->host, &params, &auth, &err), OB_EINVAL);
		assert_null(auth);
		assert_non_null(strstr(err.text, "32 bytes"));
	}
}

static void a_full_sink_is_reported(void **state)
{
	struct exchange *x = *state;
	uint8_t small[NONCE - 1];
	static const enum ob_auth_role roles[] = {OB_AUTH_DIALER, OB_AUTH_ACCEPTOR};
	for (size_t i = 0; i < 2; i++) {
		uint8_t c[NONCE] = {0};
		struct ob_sink out = ob_sink_fixed(small, sizeof small);
		struct ob_auth *end = exchange_end(x, roles[i]);
		struct ob_bytes in = ob_bytes_of(c, i == 0 ? 0 : NONCE);
		assert_int_equal(x->ops->step(end, in, &out, NULL), OB_ENOMEM);
		assert_int_equal(x->ops->step(end, in, &out, NULL), OB_EAUTH);
		x->ops->destroy(end);
	}
}

static void an_end_is_destroyed_in_any_state(void **state)
{
	struct exchange *x = *state;
	struct exchange_message c;
	x->ops->destroy(NULL);
	x->ops->destroy(exchange_end(x, OB_AUTH_ACCEPTOR));
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &c), OB_AUTH_MORE);
	x->ops->destroy(dialer);
}

/* ---- Frame ---- */

static int load(void **state)
{
	return auth_group_setup(state, "token", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_pass_with_one_token),
	    cmocka_unit_test(proofs_follow_the_protocol),
	    cmocka_unit_test(the_token_is_never_sent),
	    cmocka_unit_test(no_two_exchanges_are_alike),
	    cmocka_unit_test(fault_42_another_token_on_either_side_is_refused),
	    cmocka_unit_test(fault_48_another_prologue_is_refused),
	    cmocka_unit_test(fault_45_every_flipped_bit_is_refused),
	    cmocka_unit_test(fault_45_every_other_length_is_refused),
	    cmocka_unit_test(the_dialer_accepts_nothing_behind_the_end),
	    cmocka_unit_test(fault_43_a_recorded_dialer_is_refused),
	    cmocka_unit_test(fault_43_a_recorded_acceptor_is_refused),
	    cmocka_unit_test(fault_44_an_acceptor_does_not_take_its_own_proof),
	    cmocka_unit_test(fault_44_a_dialer_does_not_take_a_dialers_proof),
	    cmocka_unit_test(an_end_that_is_over_stays_over),
	    cmocka_unit_test(a_token_of_another_size_is_refused),
	    cmocka_unit_test(a_full_sink_is_reported),
	    cmocka_unit_test(an_end_is_destroyed_in_any_state),
	};
	return cmocka_run_group_tests(tests, load, auth_group_teardown);
}
