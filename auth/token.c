/* SPDX-License-Identifier: MIT */
/*
 * The token authenticator: each side proves that it knows the token, which is never sent.
 *
 *   C -> S  c                                              32 random bytes
 *   S -> C  s | HMAC-SHA-256(k, 'S' | prologue | c | s)    s: 32 random bytes
 *   C -> S  HMAC-SHA-256(k, 'C' | prologue | c | s)
 *
 * The letters prevent that one side's proof is used as the other's. The nonces prevent the replay
 * of an old proof. The prologue makes both sides agree on codec and mechanisms.
 */
#include "auth/common/exchange.h"

#include <sodium.h>

enum { NONCE = 32, PROOF = crypto_auth_hmacsha256_BYTES };

struct ob_auth {
	struct obi_exchange exchange;
	struct ob_bytes secret;
	struct ob_bytes prologue;
	uint8_t c[NONCE];
	uint8_t s[NONCE];
};

static void prove(const struct ob_auth *auth, char side, uint8_t ret_proof[PROOF])
{
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, auth->secret.data, auth->secret.len);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)&side, 1);
	crypto_auth_hmacsha256_update(&state, auth->prologue.data, auth->prologue.len);
	crypto_auth_hmacsha256_update(&state, auth->c, NONCE);
	crypto_auth_hmacsha256_update(&state, auth->s, NONCE);
	crypto_auth_hmacsha256_final(&state, ret_proof);
	sodium_memzero(&state, sizeof state);
}

/* Whether the PROOF bytes at proof are the proof of this side. */
static bool is_proof(const struct ob_auth *auth, char side, const uint8_t *proof)
{
	uint8_t expected[PROOF];
	prove(auth, side, expected);
	bool equal = sodium_memcmp(expected, proof, PROOF) == 0;
	sodium_memzero(expected, sizeof expected);
	return equal;
}

static bool put_proof(const struct ob_auth *auth, char side, struct ob_sink *out)
{
	uint8_t *room = ob_sink_reserve(out, PROOF);
	if (room != NULL) {
		prove(auth, side, room);
		ob_sink_commit(out, PROOF);
	}
	return room != NULL;
}

/* ---- Steps of both sides, the last one first ---- */

static int dialer_answers(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			  struct ob_error *reterr)
{
	if (in.len != NONCE + PROOF) {
		return obi_exchange_refuse(auth, reterr);
	}
	memcpy(auth->s, in.data, NONCE);
	if (!is_proof(auth, 'S', in.data + NONCE)) {
		return obi_exchange_refuse(auth, reterr);
	}
	if (!put_proof(auth, 'C', out)) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = obi_exchange_end;
	return OB_AUTH_MORE;
}

static int dialer_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			 struct ob_error *reterr)
{
	if (in.len != 0) {
		return obi_exchange_refuse(auth, reterr);
	}
	randombytes_buf(auth->c, NONCE);
	if (!ob_sink_put(out, auth->c, NONCE)) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = dialer_answers;
	return OB_AUTH_MORE;
}

static int acceptor_judges(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	(void)out;
	return in.len == PROOF && is_proof(auth, 'C', in.data) ? OB_AUTH_DONE
							       : obi_exchange_refuse(auth, reterr);
}

static int acceptor_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	if (in.len != NONCE) {
		return obi_exchange_refuse(auth, reterr);
	}
	memcpy(auth->c, in.data, NONCE);
	randombytes_buf(auth->s, NONCE);
	if (!ob_sink_put(out, auth->s, NONCE) || !put_proof(auth, 'S', out)) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = acceptor_judges;
	return OB_AUTH_MORE;
}

/* ---- Table ---- */

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	static obi_auth_step *const first[] = {dialer_begins, acceptor_begins};
	int rc =
	    obi_exchange_new(host, params, "token", first, sizeof **ret_auth, ret_auth, reterr);
	if (rc == OB_OK) {
		(*ret_auth)->secret = params->secret;
		(*ret_auth)->prologue = params->prologue;
	}
	return rc;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = obi_exchange_step,
    .destroy = obi_exchange_destroy,
};

static const struct ob_plugin token = {
    .size = sizeof token,
    .kind = OB_PLUGIN_AUTH,
    .name = "token",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&token);
