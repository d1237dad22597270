/* SPDX-License-Identifier: MIT */
/* fuzz/fuzzed_noise - an end of the noise authenticator with fixed keys, and peers that know its
 * token. */
#ifndef OB_TESTS_FUZZ_FUZZED_NOISE_H
#define OB_TESTS_FUZZ_FUZZED_NOISE_H

#include <outboard/auth.h>

#include <stdlib.h>
#include <sys/types.h>

#include "noise_state.h"
#include "support/noise_by_hand.h"

/* The authenticator, compiled into the target, with our own versions of functions that it
 * calls. */
ob_plugin_list spied_noise(void);
ssize_t spied_getrandom(void *data, size_t len, unsigned int flags);
void spied_free(void *memory);

enum { FUZZED_MESSAGE_MAX = 4096, FUZZED_PAYLOAD_MAX = 200 };

static const uint8_t fuzzed_token[32] = "thirty-two bytes, all well known";
static const uint8_t fuzzed_ephemeral[32] = "ours, in every one of our fuzzs.";
static const uint8_t fuzzed_peer[32] = "theirs, when they are honest too";
static const char fuzzed_prologue[] = "prologue";

struct fuzzed_message {
	uint8_t bytes[FUZZED_MESSAGE_MAX];
	size_t len;
};

ssize_t spied_getrandom(void *data, size_t len, unsigned int flags)
{
	(void)flags;
	memcpy(data, fuzzed_ephemeral, len);
	return (ssize_t)len;
}

void spied_free(void *memory)
{
	free(memory);
}

static inline void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* ---- Our end ---- */

static inline int fuzzed_fail(struct ob_error *reterr, int code, int sys, const char *format, ...)
{
	(void)reterr, (void)sys, (void)format;
	return code;
}

static inline const struct ob_auth_ops *fuzzed_ops(void)
{
	return (const struct ob_auth_ops *)spied_noise()[0]->ops;
}

static inline struct ob_auth *fuzzed_end(uint32_t role)
{
	static const struct ob_host host = {.size = sizeof host, .fail = fuzzed_fail};
	static const struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	struct ob_auth_params params = {.size = sizeof params,
					.role = role,
					.secret = ob_bytes_of(fuzzed_token, sizeof fuzzed_token),
					.peer = &peer,
					.prologue = ob_bytes_text(fuzzed_prologue),
					.parent_dials = true};
	struct ob_auth *auth = NULL;
	must(fuzzed_ops()->create(&host, &params, &auth, NULL) == OB_OK);
	return auth;
}

/* The input in memory of exactly its size. A refusal has no output. */
static inline int fuzzed_step(struct ob_auth *auth, const struct fuzzed_message *in,
			      struct fuzzed_message *ret)
{
	struct ob_sink out = ob_sink_fixed(ret->bytes, sizeof ret->bytes);
	uint8_t *exact = malloc(in->len > 0 ? in->len : 1);
	must(exact != NULL);
	memcpy(exact, in->bytes, in->len);
	int rc = fuzzed_ops()->step(auth, ob_bytes_of(exact, in->len), &out, NULL);
	free(exact);
	ret->len = out.len;
	must(rc == OB_AUTH_DONE || rc == OB_AUTH_MORE || (rc == OB_EAUTH && out.len == 0));
	return rc;
}

/* ---- The peer ---- */

static inline void fuzzed_by_hand(struct by_hand *b)
{
	uint8_t psk[32];
	crypto_kdf_derive_from_key(psk, sizeof psk, 1, "outboard", fuzzed_token);
	by_hand_begin(b, fuzzed_prologue, strlen(fuzzed_prologue), psk);
}

/* The input XORed over a valid message, after a byte that changes its length. */
static inline bool fuzzed_meddle(const uint8_t *data, size_t size, struct fuzzed_message *message)
{
	size_t len = message->len, grow = size > 0 ? data[0] : 0;
	uint8_t changed = 0;
	for (size_t i = 1; i < size && i <= len; i++) {
		message->bytes[i - 1] ^= data[i];
		changed |= data[i];
	}
	if (grow >= 128) {
		message->len -= 256 - grow < len ? 256 - grow : len;
	} else {
		memset(message->bytes + len, (int)grow, grow);
		message->len += grow;
	}
	return message->len != len || (changed != 0 && len > 0);
}

/* A peer's key and payload, from the input: 32 bytes, and the rest. */
static inline bool fuzzed_take(const uint8_t *data, size_t size, uint8_t ret_e[32],
			       struct ob_bytes *ret_payload)
{
	if (size < 32 || size - 32 > FUZZED_PAYLOAD_MAX) {
		return false;
	}
	memcpy(ret_e, data, 32);
	*ret_payload = ob_bytes_of(data + 32, size - 32);
	return true;
}

/* ---- One run ---- */

/* The tests of an end. The first byte of the input chooses: its own message, one XORed over an
 * honest one, or one of a peer that knows the token. */
struct fuzzed_tests {
	void (*from_a_stranger)(const struct fuzzed_message *message, bool honest);
	void (*from_one_who_knows)(const uint8_t *data, size_t size);
};

static inline bool fuzzed_fits(size_t size)
{
	return size > 0 && size <= FUZZED_MESSAGE_MAX && sodium_init() >= 0;
}

static inline void fuzzed_run(const struct fuzzed_tests *tests, const struct fuzzed_message *honest,
			      const uint8_t *data, size_t size)
{
	struct fuzzed_message message = {.len = size - 1};
	switch (data[0] % 3) {
	case 0:
		memcpy(message.bytes, data + 1, size - 1);
		tests->from_a_stranger(&message,
				       message.len == honest->len &&
					   memcmp(message.bytes, honest->bytes, honest->len) == 0);
		break;
	case 1:
		message = *honest;
		tests->from_a_stranger(&message, !fuzzed_meddle(data + 1, size - 1, &message));
		break;
	default:
		tests->from_one_who_knows(data + 1, size - 1);
	}
}

#endif
