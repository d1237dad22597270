/* SPDX-License-Identifier: MIT */
/* The noise authenticator, from its plugin file: who is accepted, what is refused, and that its
 * records are those of noise_state. Hostile peers are made with noise_state and the psk that is
 * derived from the token as docs/PROTOCOL.md says. */
#include "unit/auth/proof_tests.h"

#include "noise_state.h"
#include "support/noise_by_hand.h"

#include <setjmp.h>

#include <cmocka.h>

enum { MESSAGES = 2, TEXT = 100, PARENT = 1, CHILD = 2 };

static const struct ob_bytes nothing = {NULL, 0};

/* Both ends of a successful exchange. The caller destroys them. */
static void open_both(struct exchange *x, struct ob_auth *ret_ends[2])
{
	struct exchange_message first, second, third;
	ret_ends[0] = exchange_end(x, OB_AUTH_DIALER);
	ret_ends[1] = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, ret_ends[0], nothing, &first), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, ret_ends[1], exchange_bytes(&first), &second),
			 OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, ret_ends[0], exchange_bytes(&second), &third),
			 OB_AUTH_DONE);
	assert_int_equal(third.len, 0);
}

/* ---- A hand-made peer ---- */

static void peer_begin(struct exchange *x, struct obi_noise *peer, bool initiator, uint64_t number)
{
	uint8_t psk[32];
	crypto_kdf_derive_from_key(psk, sizeof psk, number, "outboard", x->params[0].secret.data);
	obi_noise_begin(peer, initiator, psk, x->params[0].prologue);
}

/* A dialer's message. A payload makes it longer. */
static struct exchange_message peer_first(struct exchange *x, struct obi_noise *peer,
					  uint64_t number, struct ob_bytes payload)
{
	static const uint8_t ephemeral[32] = {7};
	struct exchange_message message;
	peer_begin(x, peer, true, number);
	ptrdiff_t n = obi_noise_write(peer, ephemeral, payload, message.bytes);
	assert_true(n > 0);
	message.len = (size_t)n;
	return message;
}

/* The answer of an acceptor. */
static struct exchange_message peer_second(struct exchange *x, struct obi_noise *peer,
					   uint64_t number, const struct exchange_message *first,
					   struct ob_bytes payload)
{
	static const uint8_t ephemeral[32] = {8};
	struct exchange_message message;
	peer_begin(x, peer, false, number);
	assert_int_equal(obi_noise_read(peer, exchange_bytes(first), NULL), 0);
	ptrdiff_t n = obi_noise_write(peer, ephemeral, payload, message.bytes);
	assert_true(n > 0);
	message.len = (size_t)n;
	return message;
}

/* Our acceptor refuses this message, and sends nothing. */
static void assert_acceptor_refuses(struct exchange *x, const struct exchange_message *message)
{
	struct exchange_message out;
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(message), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	assert_string_equal(x->err.text, "noise: the peer did not prove that it has the token");
	x->ops->destroy(acceptor);
}

/* ---- What is accepted ---- */

static void both_ends_pass_with_one_token(void **state)
{
	struct exchange *x = *state;
	exchange_run(x);
	assert_true(exchange_passed(x));
	assert_int_equal(x->count, MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++) {
		assert_int_equal(x->sent[i].len, OBI_NOISE_HANDSHAKE);
	}
	assert_null(x->ops->identity);
	assert_null(x->ops->admit);
	assert_int_equal(x->ops->flags, OB_AUTH_NEEDS_SECRET);
	assert_int_equal(x->ops->overhead, OBI_NOISE_TAG);
}

/* The number in the key depends on who dials: a peer with the other number is refused. */
static void the_key_is_derived_as_the_page_says(void **state)
{
	struct exchange *x = *state;
	for (size_t i = 0; i < 4; i++) {
		struct obi_noise peer;
		struct exchange_message out;
		uint64_t number = i % 2 == 0 ? PARENT : CHILD;
		x->params[1].parent_dials = i / 2 == 0;
		struct exchange_message first = peer_first(x, &peer, number, nothing);
		struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
		bool right = x->params[1].parent_dials == (number == PARENT);
		int rc = exchange_step(x, acceptor, exchange_bytes(&first), &out);
		assert_int_equal(rc, right ? OB_AUTH_DONE : OB_EAUTH);
		assert_true(!right || obi_noise_read(&peer, exchange_bytes(&out), NULL) == 0);
		x->ops->destroy(acceptor);
	}
	x->params[1].parent_dials = true;
}

/* ---- What is refused ---- */

struct change {
	size_t message;
	size_t at;
	uint8_t mask;
	size_t len;
};

static void apply_change(struct exchange *x, size_t i, struct exchange_message *message)
{
	const struct change *change = x->user;
	if (i == change->message) {
		message->bytes[change->at] ^= change->mask;
		message->len = change->len;
	}
}

static void run_changed(struct exchange *x, struct change change)
{
	x->meddle = apply_change;
	x->user = &change;
	exchange_run(x);
	x->meddle = NULL;
	x->user = NULL;
}

static void fault_45_every_flipped_bit_is_refused(void **state)
{
	struct exchange *x = *state;
	for (size_t message = 0; message < MESSAGES; message++) {
		for (size_t bit = 0; bit < 8 * OBI_NOISE_HANDSHAKE; bit++) {
			uint8_t mask = (uint8_t)(1 << bit % 8);
			run_changed(x,
				    (struct change){message, bit / 8, mask, OBI_NOISE_HANDSHAKE});
			assert_refused(x);
		}
	}
}

static void fault_45_every_other_length_is_refused(void **state)
{
	struct exchange *x = *state;
	for (size_t message = 0; message < MESSAGES; message++) {
		for (size_t len = 0; len < 200; len++) {
			if (len != OBI_NOISE_HANDSHAKE) {
				run_changed(x, (struct change){message, 0, 0, len});
				assert_refused(x);
			}
		}
	}
}

/* A peer that has the token and sends correct messages, but with a payload. */
static void fault_43_a_payload_is_refused_in_either_message(void **state)
{
	struct exchange *x = *state;
	for (size_t len = 1; len < 64; len++) {
		static const uint8_t payload[64];
		struct obi_noise peer;
		struct exchange_message first, second, out;
		first = peer_first(x, &peer, PARENT, ob_bytes_of(payload, len));
		assert_acceptor_refuses(x, &first);
		struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
		assert_int_equal(exchange_step(x, dialer, nothing, &first), OB_AUTH_MORE);
		second = peer_second(x, &peer, PARENT, &first, ob_bytes_of(payload, len));
		assert_int_equal(exchange_step(x, dialer, exchange_bytes(&second), &out), OB_EAUTH);
		x->ops->destroy(dialer);
	}
}

/* The acceptor cannot detect that a first message is old. It answers with a new key, and then no
 * old record opens. */
static void fault_43_a_recorded_dialer_opens_no_record(void **state)
{
	struct exchange *x = *state;
	struct obi_noise peer;
	struct exchange_message second, again, record = {.len = TEXT};
	struct exchange_message first = peer_first(x, &peer, PARENT, nothing);
	struct ob_auth *one = exchange_end(x, OB_AUTH_ACCEPTOR),
		       *other = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, one, exchange_bytes(&first), &second), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, other, exchange_bytes(&first), &again), OB_AUTH_DONE);
	assert_memory_not_equal(second.bytes, again.bytes, 32);
	assert_int_equal(obi_noise_read(&peer, exchange_bytes(&second), NULL), 0);
	memset(record.bytes, 'x', TEXT);
	record.len = (size_t)obi_noise_seal(&peer, record.bytes, TEXT);
	struct exchange_message copy = record;
	assert_int_equal(x->ops->open(one, record.bytes, record.len), TEXT);
	assert_int_equal(x->ops->open(other, copy.bytes, copy.len), OB_EAUTH);
	x->ops->destroy(one);
	x->ops->destroy(other);
}

static void fault_43_a_recorded_acceptor_is_refused(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	exchange_run(x);
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, nothing, &out), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&x->sent[1]), &out), OB_EAUTH);
	x->ops->destroy(dialer);
}

/* Our own message sent back, and that of a peer that dials in the other direction. */
static void fault_44_ones_own_message_is_refused(void **state)
{
	struct exchange *x = *state;
	struct exchange_message first, out;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, nothing, &first), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&first), &out), OB_EAUTH);
	x->ops->destroy(dialer);
	x->params[0].parent_dials = false;
	exchange_run(x);
	x->params[0].parent_dials = true;
	assert_refused(x);
}

static void fault_46_keys_of_low_order_are_refused(void **state)
{
	struct exchange *x = *state;
	for (size_t i = 0; i < sizeof by_hand_low_order / sizeof *by_hand_low_order; i++) {
		struct by_hand b;
		uint8_t psk[32];
		struct exchange_message first;
		struct ob_bytes prologue = x->params[0].prologue;
		crypto_kdf_derive_from_key(psk, sizeof psk, PARENT, "outboard",
					   x->params[0].secret.data);
		by_hand_begin(&b, prologue.data, prologue.len, psk);
		first.len = by_hand_message(&b, by_hand_low_order[i], NULL, NULL, 0, first.bytes);
		assert_acceptor_refuses(x, &first);
	}
}

/* ---- Records ---- */

static void records_cross_once_both_passed(void **state)
{
	struct exchange *x = *state;
	struct ob_auth *ends[2];
	uint8_t record[TEXT + OBI_NOISE_TAG], text[TEXT];
	open_both(x, ends);
	for (size_t i = 0; i < 100; i++) {
		struct ob_auth *from = ends[i % 2], *to = ends[1 - i % 2];
		memset(text, (int)i, sizeof text);
		memcpy(record, text, sizeof text);
		assert_int_equal(x->ops->seal(from, record, TEXT), sizeof record);
		assert_memory_not_equal(record, text, TEXT);
		assert_int_equal(x->ops->open(to, record, sizeof record), TEXT);
		assert_memory_equal(record, text, TEXT);
	}
	x->ops->destroy(ends[0]);
	x->ops->destroy(ends[1]);
}

static void fault_45_a_record_that_does_not_open_is_the_last(void **state)
{
	struct exchange *x = *state;
	struct ob_auth *ends[2];
	uint8_t record[TEXT + OBI_NOISE_TAG] = {0}, changed[TEXT + OBI_NOISE_TAG];
	open_both(x, ends);
	assert_int_equal(x->ops->seal(ends[0], record, TEXT), sizeof record);
	memcpy(changed, record, sizeof record);
	changed[TEXT / 2] ^= 1;
	assert_int_equal(x->ops->open(ends[1], changed, sizeof changed), OB_EAUTH);
	assert_int_equal(x->ops->open(ends[1], record, sizeof record), OB_ECLOSED);
	assert_int_equal(x->ops->seal(ends[1], record, TEXT), OB_ECLOSED);
	x->ops->destroy(ends[0]);
	x->ops->destroy(ends[1]);
}

static void no_record_crosses_before_an_end_passed(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	uint8_t record[TEXT + OBI_NOISE_TAG] = {0};
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER),
		       *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(x->ops->seal(acceptor, record, TEXT), OB_ECLOSED);
	assert_int_equal(x->ops->open(acceptor, record, sizeof record), OB_ECLOSED);
	assert_int_equal(exchange_step(x, dialer, nothing, &out), OB_AUTH_MORE);
	assert_int_equal(x->ops->seal(dialer, record, TEXT), OB_ECLOSED);
	assert_int_equal(x->ops->open(dialer, record, sizeof record), OB_ECLOSED);
	assert_true(sodium_is_zero(record, sizeof record));
	x->ops->destroy(dialer);
	x->ops->destroy(acceptor);
}

/* ---- Misuse ---- */

static void an_end_that_is_over_stays_over(void **state)
{
	struct exchange *x = *state;
	struct exchange_message first, out;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER),
		       *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, dialer, nothing, &first), OB_AUTH_MORE);
	/* After a wrong message, a second try with the right one is refused the same way. */
	first.bytes[0] ^= 1;
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&first), &out), OB_EAUTH);
	first.bytes[0] ^= 1;
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&first), &out), OB_EAUTH);
	x->ops->destroy(acceptor);
	acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&first), &out), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&first), &out), OB_EAUTH);
	assert_int_equal(x->ops->seal(acceptor, out.bytes, 1), OB_ECLOSED);
	x->ops->destroy(acceptor);
	x->ops->destroy(dialer);
}

static void a_dialer_begins_with_nothing(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_text("x"), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	x->ops->destroy(dialer);
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
		assert_string_equal(err.text, "noise: a token of 32 bytes is required");
	}
}

static void a_full_sink_is_reported_without_output(void **state)
{
	struct exchange *x = *state;
	struct obi_noise peer;
	struct exchange_message first = peer_first(x, &peer, PARENT, nothing);
	static const enum ob_auth_role roles[] = {OB_AUTH_DIALER, OB_AUTH_ACCEPTOR};
	for (size_t i = 0; i < 2; i++) {
		uint8_t small[OBI_NOISE_HANDSHAKE - 1];
		struct ob_error err;
		struct ob_sink out = ob_sink_fixed(small, sizeof small);
		struct ob_auth *end = exchange_end(x, roles[i]);
		struct ob_bytes in = i == 0 ? nothing : exchange_bytes(&first);
		assert_int_equal(x->ops->step(end, in, &out, &err), OB_ENOMEM);
		assert_string_equal(err.text, "noise: no room for a message");
		assert_int_equal(out.len, 0);
		assert_int_equal(x->ops->step(end, in, &out, NULL), OB_EAUTH);
		x->ops->destroy(end);
	}
}

static void an_end_is_destroyed_in_any_state(void **state)
{
	struct exchange *x = *state;
	struct ob_auth *ends[2];
	struct exchange_message first;
	x->ops->destroy(NULL);
	x->ops->destroy(exchange_end(x, OB_AUTH_ACCEPTOR));
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, nothing, &first), OB_AUTH_MORE);
	x->ops->destroy(dialer);
	open_both(x, ends);
	x->ops->destroy(ends[0]);
	x->ops->destroy(ends[1]);
}

/* ---- Frame ---- */

static int load(void **state)
{
	return sodium_init() < 0 ? -1 : auth_group_setup(state, "noise", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_pass_with_one_token),
	    cmocka_unit_test(the_key_is_derived_as_the_page_says),
	    cmocka_unit_test(the_token_is_never_sent),
	    cmocka_unit_test(no_two_exchanges_are_alike),
	    cmocka_unit_test(fault_42_another_token_on_either_side_is_refused),
	    cmocka_unit_test(fault_48_another_prologue_is_refused),
	    cmocka_unit_test(fault_45_every_flipped_bit_is_refused),
	    cmocka_unit_test(fault_45_every_other_length_is_refused),
	    cmocka_unit_test(fault_43_a_payload_is_refused_in_either_message),
	    cmocka_unit_test(fault_43_a_recorded_dialer_opens_no_record),
	    cmocka_unit_test(fault_43_a_recorded_acceptor_is_refused),
	    cmocka_unit_test(fault_44_ones_own_message_is_refused),
	    cmocka_unit_test(fault_46_keys_of_low_order_are_refused),
	    cmocka_unit_test(records_cross_once_both_passed),
	    cmocka_unit_test(fault_45_a_record_that_does_not_open_is_the_last),
	    cmocka_unit_test(no_record_crosses_before_an_end_passed),
	    cmocka_unit_test(an_end_that_is_over_stays_over),
	    cmocka_unit_test(a_dialer_begins_with_nothing),
	    cmocka_unit_test(a_token_of_another_size_is_refused),
	    cmocka_unit_test(a_full_sink_is_reported_without_output),
	    cmocka_unit_test(an_end_is_destroyed_in_any_state),
	};
	return cmocka_run_group_tests(tests, load, auth_group_teardown);
}
