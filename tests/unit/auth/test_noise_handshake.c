/* SPDX-License-Identifier: MIT */
/* The handshake of noise as a pure state, with keys of the test's choice, and with the messages
 * of a hostile peer. */
#include "unit/auth/noise_pair.h"

#include "support/noise_by_hand.h"

enum { FIRST = 0, SECOND = 1, INITIATOR = 0, RESPONDER = 1 };

/* The end that reads message m, in its state before. */
static struct obi_noise reader_of(const struct noise_pair *p, size_t m)
{
	return p->before[m == FIRST ? RESPONDER : INITIATOR];
}

static void assert_refused(const struct noise_pair *p, size_t m, struct ob_bytes message)
{
	static uint8_t payload[PAIR_RECORD_MAX];
	struct obi_noise end = reader_of(p, m);
	assert_int_equal(obi_noise_read(&end, message, payload), OB_EAUTH);
	assert_true(noise_is_wiped(&end));
	assert_int_equal(
	    obi_noise_read(&end, ob_bytes_of(p->message[m], OBI_NOISE_HANDSHAKE), NULL),
	    OB_ECLOSED);
	assert_int_equal(obi_noise_write(&end, p->e[0], noise_nothing(), payload), OB_ECLOSED);
	assert_int_equal(obi_noise_seal(&end, payload, 0), OB_ECLOSED);
	assert_int_equal(obi_noise_open(&end, payload, OBI_NOISE_TAG), OB_ECLOSED);
}

/* ---- What is accepted ---- */

static void both_ends_have_the_same_keys(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	assert_memory_equal(p.end[0].seal.k, p.end[1].open.k, OBI_NOISE_KEY);
	assert_memory_equal(p.end[1].seal.k, p.end[0].open.k, OBI_NOISE_KEY);
	assert_memory_not_equal(p.end[0].seal.k, p.end[0].open.k, OBI_NOISE_KEY);
	assert_int_equal(p.end[0].seal.n + p.end[0].open.n + p.end[1].seal.n + p.end[1].open.n, 0);
}

/* Both messages and both keys equal those of another implementation. The tests below rely on
 * that. */
static void an_independent_computation_is_the_same(void **state)
{
	struct noise_pair p;
	struct by_hand b;
	uint8_t e[2][32], dh[32], message[64], keys[2][32];
	(void)state;
	noise_pair_open(&p);
	crypto_scalarmult_base(e[0], p.e[0]);
	crypto_scalarmult_base(e[1], p.e[1]);
	assert_int_equal(crypto_scalarmult(dh, p.e[0], e[1]), 0);
	by_hand_begin(&b, p.prologue.data, p.prologue.len, p.psk);
	assert_int_equal(by_hand_message(&b, e[0], NULL, NULL, 0, message), OBI_NOISE_HANDSHAKE);
	assert_memory_equal(message, p.message[0], OBI_NOISE_HANDSHAKE);
	assert_int_equal(by_hand_message(&b, e[1], dh, NULL, 0, message), OBI_NOISE_HANDSHAKE);
	assert_memory_equal(message, p.message[1], OBI_NOISE_HANDSHAKE);
	by_hand_split(&b, keys);
	assert_memory_equal(keys[0], p.end[0].seal.k, 32);
	assert_memory_equal(keys[1], p.end[1].seal.k, 32);
}

/* The protocol forbids payloads, but the state supports them: published vectors have some. */
static void payloads_cross(void **state)
{
	static uint8_t message[OBI_NOISE_MESSAGE_MAX + 1], payload[OBI_NOISE_MESSAGE_MAX + 1],
	    got[OBI_NOISE_MESSAGE_MAX];
	static const size_t lengths[] = {1,  15,   16,
					 17, 4096, OBI_NOISE_MESSAGE_MAX - OBI_NOISE_HANDSHAKE};
	struct noise_pair p;
	(void)state;
	noise_pair_keys(&p);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		ptrdiff_t n;
		noise_pair_begin(&p);
		randombytes_buf(payload, sizeof payload);
		for (size_t from = 0; from < 2; from++) {
			struct ob_bytes view = ob_bytes_of(payload + from, lengths[i]);
			n = obi_noise_write(&p.end[from], p.e[from], view, message);
			assert_int_equal(n, lengths[i] + OBI_NOISE_HANDSHAKE);
			n = obi_noise_read(&p.end[1 - from], ob_bytes_of(message, (size_t)n), got);
			assert_int_equal(n, lengths[i]);
			assert_memory_equal(got, payload + from, lengths[i]);
		}
	}
	noise_pair_begin(&p);
	struct ob_bytes too_long =
	    ob_bytes_of(payload, OBI_NOISE_MESSAGE_MAX - OBI_NOISE_HANDSHAKE + 1);
	assert_int_equal(obi_noise_write(&p.end[0], p.e[0], too_long, message), OB_ETOOBIG);
	assert_true(noise_is_wiped(&p.end[0]));
}

/* ---- What is refused ---- */

static void fault_42_another_psk_is_refused(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t bit = 0; bit < 256; bit++) {
		struct obi_noise end;
		p.psk[bit / 8] ^= (uint8_t)(1 << bit % 8);
		obi_noise_begin(&end, false, p.psk, p.prologue);
		p.psk[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    obi_noise_read(&end, ob_bytes_of(p.message[0], OBI_NOISE_HANDSHAKE), NULL),
		    OB_EAUTH);
		assert_true(noise_is_wiped(&end));
	}
}

static void fault_48_another_prologue_is_refused(void **state)
{
	static const char *const others[] = {"", "a prologu", "a prologue ", "b prologue"};
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct obi_noise end;
		obi_noise_begin(&end, false, p.psk, ob_bytes_text(others[i]));
		assert_int_equal(
		    obi_noise_read(&end, ob_bytes_of(p.message[0], OBI_NOISE_HANDSHAKE), NULL),
		    OB_EAUTH);
	}
}

static void fault_45_every_changed_byte_of_the_handshake_is_refused(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t m = FIRST; m <= SECOND; m++) {
		for (size_t at = 0; at < OBI_NOISE_HANDSHAKE; at++) {
			for (unsigned mask = 1; mask < 256; mask++) {
				uint8_t changed[OBI_NOISE_HANDSHAKE];
				memcpy(changed, p.message[m], sizeof changed);
				changed[at] ^= (uint8_t)mask;
				assert_refused(&p, m, ob_bytes_of(changed, sizeof changed));
			}
		}
	}
}

static void fault_45_every_other_length_of_the_handshake_is_refused(void **state)
{
	static uint8_t message[OBI_NOISE_MESSAGE_MAX + 1];
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t m = FIRST; m <= SECOND; m++) {
		memcpy(message, p.message[m], OBI_NOISE_HANDSHAKE);
		for (size_t len = 0; len < 4 * OBI_NOISE_HANDSHAKE; len++) {
			if (len != OBI_NOISE_HANDSHAKE) {
				assert_refused(&p, m, ob_bytes_of(message, len));
			}
		}
		assert_refused(&p, m, ob_bytes_of(message, OBI_NOISE_MESSAGE_MAX));
		assert_refused(&p, m, ob_bytes_of(message, OBI_NOISE_MESSAGE_MAX + 1));
	}
}

/* The first message again, to an end with a new key: it is answered, but no old record opens. */
static void fault_43_a_replayed_first_message_opens_nothing(void **state)
{
	static const uint8_t another[32] = {1, 2, 3};
	struct noise_pair p;
	struct obi_noise end;
	uint8_t answer[OBI_NOISE_HANDSHAKE], record[5 + OBI_NOISE_TAG] = "hello";
	(void)state;
	noise_pair_open(&p);
	assert_int_equal(obi_noise_seal(&p.end[INITIATOR], record, 5), sizeof record);
	obi_noise_begin(&end, false, p.psk, p.prologue);
	assert_int_equal(obi_noise_read(&end, ob_bytes_of(p.message[0], OBI_NOISE_HANDSHAKE), NULL),
			 0);
	assert_int_equal(obi_noise_write(&end, another, noise_nothing(), answer),
			 OBI_NOISE_HANDSHAKE);
	assert_int_equal(obi_noise_open(&end, record, sizeof record), OB_EAUTH);
	assert_true(noise_is_wiped(&end));
}

static void fault_43_a_replayed_second_message_is_refused(void **state)
{
	static const uint8_t another[32] = {1, 2, 3};
	struct noise_pair p;
	struct obi_noise end;
	uint8_t first[OBI_NOISE_HANDSHAKE];
	(void)state;
	noise_pair_open(&p);
	obi_noise_begin(&end, true, p.psk, p.prologue);
	assert_int_equal(obi_noise_write(&end, another, noise_nothing(), first),
			 OBI_NOISE_HANDSHAKE);
	assert_int_equal(obi_noise_read(&end, ob_bytes_of(p.message[1], OBI_NOISE_HANDSHAKE), NULL),
			 OB_EAUTH);
}

static void fault_44_ones_own_message_of_the_handshake_is_refused(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	assert_refused(&p, SECOND, ob_bytes_of(p.message[0], OBI_NOISE_HANDSHAKE));
	assert_refused(&p, FIRST, ob_bytes_of(p.message[1], OBI_NOISE_HANDSHAKE));
}

/* A peer that knows the psk, with a key that makes the result of DH known: each message is
 * correct otherwise. */
static void fault_46_keys_of_low_order_are_refused(void **state)
{
	static const uint8_t zero[32] = {0};
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < 2 * sizeof by_hand_low_order / sizeof *by_hand_low_order; i++) {
		struct by_hand b;
		struct obi_noise initiator, responder;
		uint8_t e[32], evil[32], message[OBI_NOISE_HANDSHAKE], answer[OBI_NOISE_HANDSHAKE];
		memcpy(evil, by_hand_low_order[i / 2], sizeof evil);
		evil[31] = (uint8_t)(evil[31] | (i % 2) << 7);

		by_hand_begin(&b, p.prologue.data, p.prologue.len, p.psk);
		by_hand_message(&b, evil, NULL, NULL, 0, message);
		obi_noise_begin(&responder, false, p.psk, p.prologue);
		assert_int_equal(
		    obi_noise_read(&responder, ob_bytes_of(message, sizeof message), NULL), 0);
		assert_int_equal(obi_noise_write(&responder, p.e[1], noise_nothing(), answer),
				 OB_EAUTH);
		assert_true(noise_is_wiped(&responder));

		by_hand_begin(&b, p.prologue.data, p.prologue.len, p.psk);
		crypto_scalarmult_base(e, p.e[0]);
		by_hand_message(&b, e, NULL, NULL, 0, message);
		by_hand_message(&b, evil, zero, NULL, 0, answer);
		obi_noise_begin(&initiator, true, p.psk, p.prologue);
		assert_int_equal(obi_noise_write(&initiator, p.e[0], noise_nothing(), message),
				 sizeof message);
		assert_int_equal(
		    obi_noise_read(&initiator, ob_bytes_of(answer, sizeof answer), NULL), OB_EAUTH);
		assert_true(noise_is_wiped(&initiator));
	}
}

/* ---- Order, and remains ---- */

static void each_end_has_its_turn(void **state)
{
	struct noise_pair p;
	uint8_t message[64];
	(void)state;
	noise_pair_keys(&p);
	noise_pair_begin(&p);
	assert_int_equal(obi_noise_write(&p.end[1], p.e[1], noise_nothing(), message), OB_ECLOSED);
	assert_int_equal(obi_noise_read(&p.end[0], ob_bytes_of(message, sizeof message), NULL),
			 OB_ECLOSED);
	assert_int_equal(obi_noise_seal(&p.end[0], message, 1), OB_ECLOSED);
	assert_int_equal(obi_noise_open(&p.end[0], message, 64), OB_ECLOSED);
	assert_int_equal(obi_noise_write(&p.end[0], p.e[0], noise_nothing(), message),
			 OBI_NOISE_HANDSHAKE);
	assert_int_equal(obi_noise_write(&p.end[0], p.e[0], noise_nothing(), message), OB_ECLOSED);
	noise_pair_open(&p);
	assert_int_equal(obi_noise_write(&p.end[0], p.e[0], noise_nothing(), message), OB_ECLOSED);
	assert_int_equal(
	    obi_noise_read(&p.end[0], ob_bytes_of(p.message[1], OBI_NOISE_HANDSHAKE), NULL),
	    OB_ECLOSED);
}

/* After the handshake, recorded records cannot be opened with anything that is still in
 * memory. */
static void nothing_of_the_handshake_is_kept(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < 2; i++) {
		assert_true(
		    sodium_is_zero((const uint8_t *)&p.end[i].shake, sizeof p.end[i].shake));
	}
	/* The psk is wiped with the first message already. */
	assert_true(sodium_is_zero(p.before[INITIATOR].shake.psk, OBI_NOISE_KEY));
	assert_false(sodium_is_zero(p.before[RESPONDER].shake.psk, OBI_NOISE_KEY));
}

static void wiping_leaves_zeros_in_every_phase(void **state)
{
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < 2; i++) {
		obi_noise_wipe(&p.before[i]);
		assert_true(noise_is_wiped(&p.before[i]));
		obi_noise_wipe(&p.end[i]);
		assert_true(noise_is_wiped(&p.end[i]));
	}
}

static int init_sodium(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_have_the_same_keys),
	    cmocka_unit_test(an_independent_computation_is_the_same),
	    cmocka_unit_test(payloads_cross),
	    cmocka_unit_test(fault_42_another_psk_is_refused),
	    cmocka_unit_test(fault_48_another_prologue_is_refused),
	    cmocka_unit_test(fault_45_every_changed_byte_of_the_handshake_is_refused),
	    cmocka_unit_test(fault_45_every_other_length_of_the_handshake_is_refused),
	    cmocka_unit_test(fault_43_a_replayed_first_message_opens_nothing),
	    cmocka_unit_test(fault_43_a_replayed_second_message_is_refused),
	    cmocka_unit_test(fault_44_ones_own_message_of_the_handshake_is_refused),
	    cmocka_unit_test(fault_46_keys_of_low_order_are_refused),
	    cmocka_unit_test(each_end_has_its_turn),
	    cmocka_unit_test(nothing_of_the_handshake_is_kept),
	    cmocka_unit_test(wiping_leaves_zeros_in_every_phase),
	};
	return cmocka_run_group_tests(tests, init_sodium, NULL);
}
