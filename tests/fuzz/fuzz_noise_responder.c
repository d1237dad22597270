/* SPDX-License-Identifier: MIT */
/*
 * An acceptor of noise. Input: a byte that chooses the case, then its data:
 *
 *   0  a first message: refused, unless it is that of an honest dialer
 *   1  bytes XORed over the honest dialer's message: refused if they change anything
 *   2  key and payload of a dialer that knows the token: accepted if the payload is empty and
 *   the
 *      key is not of low order; then both have the same keys
 */
#include "fuzz/fuzzed_noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The message of a dialer that knows the token and has any 32 bytes as its public key. */
static struct fuzzed_message message_of(struct by_hand *b, const uint8_t e[32],
					struct ob_bytes payload)
{
	struct fuzzed_message message;
	fuzzed_by_hand(b);
	message.len = by_hand_message(b, e, NULL, payload.data, payload.len, message.bytes);
	return message;
}

/* Our acceptor opens the first record of a peer with the same keys, and does not open it
 * again. */
static void must_share_keys(struct ob_auth *acceptor, struct by_hand *b, const uint8_t dh[32],
			    const struct fuzzed_message *answer)
{
	struct fuzzed_message expected;
	uint8_t e[32], keys[2][32], record[5 + OBI_NOISE_TAG];
	crypto_scalarmult_base(e, fuzzed_ephemeral);
	expected.len = by_hand_message(b, e, dh, NULL, 0, expected.bytes);
	must(answer->len == expected.len &&
	     memcmp(answer->bytes, expected.bytes, expected.len) == 0);
	by_hand_split(b, keys);
	by_hand_record(keys[0], 0, "hello", 5, record);
	must(fuzzed_ops()->open(acceptor, record, sizeof record) == 5 &&
	     memcmp(record, "hello", 5) == 0);
	must(fuzzed_ops()->open(acceptor, record, sizeof record) == OB_EAUTH);
}

static void from_a_stranger(const struct fuzzed_message *message, bool honest)
{
	struct ob_auth *acceptor = fuzzed_end(OB_AUTH_ACCEPTOR);
	struct fuzzed_message answer;
	must(fuzzed_step(acceptor, message, &answer) == (honest ? OB_AUTH_DONE : OB_EAUTH));
	must(fuzzed_step(acceptor, message, &answer) == OB_EAUTH);
	fuzzed_ops()->destroy(acceptor);
}

static void from_one_who_knows(const uint8_t *data, size_t size)
{
	struct by_hand b;
	struct ob_bytes payload;
	uint8_t e[32], dh[32];
	struct fuzzed_message answer;
	if (!fuzzed_take(data, size, e, &payload)) {
		return;
	}
	struct fuzzed_message message = message_of(&b, e, payload);
	struct ob_auth *acceptor = fuzzed_end(OB_AUTH_ACCEPTOR);
	int rc = fuzzed_step(acceptor, &message, &answer);
	bool fine = crypto_scalarmult(dh, fuzzed_ephemeral, e) == 0;
	must(rc == (fine && payload.len == 0 ? OB_AUTH_DONE : OB_EAUTH));
	if (rc == OB_AUTH_DONE) {
		must_share_keys(acceptor, &b, dh, &answer);
	}
	fuzzed_ops()->destroy(acceptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzzed_tests tests = {from_a_stranger, from_one_who_knows};
	struct fuzzed_message honest;
	struct by_hand b;
	uint8_t e[32];
	if (fuzzed_fits(size)) {
		crypto_scalarmult_base(e, fuzzed_peer);
		honest = message_of(&b, e, ob_bytes_of(NULL, 0));
		fuzzed_run(&tests, &honest, data, size);
	}
	return 0;
}
