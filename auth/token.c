/* SPDX-License-Identifier: MIT */
/*
 * The token authenticator: both sides prove that they know the token, and it never travels.
 *
 *   C -> S  c                                          32 random bytes
 *   S -> C  s | HMAC-SHA-256(k, 'S' | prologue | c | s)    s: 32 random bytes
 *   C -> S  HMAC-SHA-256(k, 'C' | prologue | c | s)
 *
 * The letters keep one side's proof from serving as the other's; the fresh nonces keep an old one
 * from serving again; the prologue makes both sides agree on what they are about to speak.
 */
#include <outboard/auth.h>
#include <sodium.h>
#include <stdlib.h>

enum { SECRET = 32, NONCE = 32, PROOF = crypto_auth_hmacsha256_BYTES };

struct ob_auth {
	const struct ob_host *host;
	struct ob_bytes secret;
	struct ob_bytes prologue;
	uint8_t c[NONCE];
	uint8_t s[NONCE];
	int (*next)(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr);
};

/* Too short, too long or wrong: all the same to whoever tries. */
static int refused(struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_EAUTH, 0, "token: the peer did not authenticate");
}

static int no_room(struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_ENOMEM, 0, "token: no room for a message");
}

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

/* Whether the PROOF bytes at proof are what side would have sent. */
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

/* ---- Steps of both, the last one first; each names its successor ---- */

static int over(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)in, (void)out;
	return refused(auth, reterr);
}

static int dialer_ends(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		       struct ob_error *reterr)
{
	(void)out;
	auth->next = over;
	return in.len == 0 ? OB_AUTH_DONE : refused(auth, reterr);
}

static int dialer_answers(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			  struct ob_error *reterr)
{
	auth->next = over;
	if (in.len != NONCE + PROOF) {
		return refused(auth, reterr);
	}
	memcpy(auth->s, in.data, NONCE);
	if (!is_proof(auth, 'S', in.data + NONCE)) {
		return refused(auth, reterr);
	}
	if (!put_proof(auth, 'C', out)) {
		return no_room(auth, reterr);
	}
	auth->next = dialer_ends;
	return OB_AUTH_MORE;
}

static int dialer_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			 struct ob_error *reterr)
{
	auth->next = over;
	if (in.len != 0) {
		return refused(auth, reterr);
	}
	randombytes_buf(auth->c, NONCE);
	if (!ob_sink_put(out, auth->c, NONCE)) {
		return no_room(auth, reterr);
	}
	auth->next = dialer_answers;
	return OB_AUTH_MORE;
}

static int acceptor_judges(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	(void)out;
	auth->next = over;
	return in.len == PROOF && is_proof(auth, 'C', in.data) ? OB_AUTH_DONE
							       : refused(auth, reterr);
}

static int acceptor_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	auth->next = over;
	if (in.len != NONCE) {
		return refused(auth, reterr);
	}
	memcpy(auth->c, in.data, NONCE);
	randombytes_buf(auth->s, NONCE);
	if (!ob_sink_put(out, auth->s, NONCE) || !put_proof(auth, 'S', out)) {
		return no_room(auth, reterr);
	}
	auth->next = acceptor_judges;
	return OB_AUTH_MORE;
}

/* ---- Table ---- */

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	if (params->secret.len != SECRET) {
		return host->fail(reterr, OB_EINVAL, 0, "token: it needs a token of %d bytes",
				  SECRET);
	}
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EIO, 0,
				  "token: libsodium finds no source of randomness");
	}
	struct ob_auth *auth = calloc(1, sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "token: out of memory");
	}
	auth->host = host;
	auth->secret = params->secret;
	auth->prologue = params->prologue;
	auth->next = params->role == OB_AUTH_DIALER ? dialer_begins : acceptor_begins;
	*ret_auth = auth;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	return auth->next(auth, in, out, reterr);
}

static void destroy(struct ob_auth *auth)
{
	if (auth != NULL) {
		sodium_memzero(auth, sizeof *auth);
		free(auth);
	}
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = step,
    .destroy = destroy,
};

static const struct ob_plugin token = {
    .size = sizeof token,
    .kind = OB_PLUGIN_AUTH,
    .name = "token",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&token);
