/* SPDX-License-Identifier: MIT */
/*
 * A dialer of noise. Input: a byte that chooses the case, then its data:
 *
 *   0  a second message: refused, unless it is that of an honest acceptor
 *   1  bytes XORed over the honest acceptor's message: refused if they change anything
 *   2  key and payload of an acceptor that knows the token: accepted if the payload is empty and
 *      the key is not of low order; then both have the same keys
 */
#include "fuzz/fuzzed_noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The answer of an acceptor that knows the token and has any 32 bytes as its public key. False
 * if that key is of low order. */
static bool answer_of(struct by_hand *b, const uint8_t e[32], struct ob_bytes payload,
		      struct fuzzed_message *ret)
{
	uint8_t ours[32], dh[32] = {0};
	bool fine = crypto_scalarmult(dh, fuzzed_ephemeral, e) == 0;
	if (!fine) {
		memset(dh, 0, sizeof dh);
	}
	crypto_scalarmult_base(ours, fuzzed_ephemeral);
	fuzzed_by_hand(b);
	by_hand_message(b, ours, NULL, NULL, 0, ret->bytes);
	ret->len = by_hand_message(b, e, dh, payload.data, payload.len, ret->bytes);
	return fine;
}

/* A dialer that has sent its message. */
static struct ob_auth *dial(void)
{
	struct ob_auth *dialer = fuzzed_end(OB_AUTH_DIALER);
	struct fuzzed_message nothing = {.len = 0}, first;
	must(fuzzed_step(dialer, &nothing, &first) == OB_AUTH_MORE &&
	     first.len == OBI_NOISE_HANDSHAKE);
	return dialer;
}

static void from_a_stranger(const struct fuzzed_message *message, bool honest)
{
	struct ob_auth *dialer = dial();
	struct fuzzed_message out;
	must(fuzzed_step(dialer, message, &out) == (honest ? OB_AUTH_DONE : OB_EAUTH));
	must(fuzzed_step(dialer, message, &out) == OB_EAUTH);
	fuzzed_ops()->destroy(dialer);
}

static void from_one_who_knows(const uint8_t *data, size_t size)
{
	struct by_hand b;
	struct ob_bytes payload;
	struct fuzzed_message message, out;
	uint8_t e[32], keys[2][32], record[5 + OBI_NOISE_TAG];
	if (!fuzzed_take(data, size, e, &payload)) {
		return;
	}
	bool fine = answer_of(&b, e, payload, &message) && payload.len == 0;
	struct ob_auth *dialer = dial();
	must(fuzzed_step(dialer, &message, &out) == (fine ? OB_AUTH_DONE : OB_EAUTH));
	if (fine) {
		by_hand_split(&b, keys);
		by_hand_record(keys[1], 0, "hello", 5, record);
		must(fuzzed_ops()->open(dialer, record, sizeof record) == 5 &&
		     memcmp(record, "hello", 5) == 0);
	}
	fuzzed_ops()->destroy(dialer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzzed_tests tests = {from_a_stranger, from_one_who_knows};
	struct fuzzed_message honest;
	struct by_hand b;
	uint8_t e[32];
	if (fuzzed_fits(size)) {
		crypto_scalarmult_base(e, fuzzed_peer);
		must(answer_of(&b, e, ob_bytes_of(NULL, 0), &honest));
		fuzzed_run(&tests, &honest, data, size);
	}
	return 0;
}
