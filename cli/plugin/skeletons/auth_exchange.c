/* SPDX-License-Identifier: MIT */
/*
 * skeleton - an authenticator for outboard: both ends prove that they know the token of the child,
 * which never travels, and the same realm, a text of the settings: {"realm": "example"}.
 *
 *     dialer    c                            32 random bytes
 *     acceptor  s | HMAC(token, "S" | all)   s is 32 random bytes; all is realm, prologue, c and s
 *     dialer    HMAC(token, "C" | all)
 *     acceptor  done, with an empty message
 */
#include <outboard/auth.h>

#include <sodium.h>
#include <stdlib.h>

enum { NONCE = 32, PROOF = crypto_auth_hmacsha256_BYTES, REALM_MAX = 128, PROLOGUE_MAX = 1024 };

struct state {
	char realm[REALM_MAX];
	size_t len;
};

/* One end of an exchange. */
struct ob_auth {
	const struct ob_host *host;
	const struct state *state;
	bool dialer;
	int at; /* messages that step() has taken */
	uint8_t secret[32];
	uint8_t nonces[2 * NONCE]; /* c, then s */
	uint8_t prologue[PROLOGUE_MAX];
	size_t prologue_len;
};

/* ---- Settings ---- */

/* Check everything here. An error begins with the key. settings is nil if the config has none. */
static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	const struct ob_value *realm = ob_value_find(settings, "realm");
	struct ob_bytes text = {NULL, 0};
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EPLUGIN, 0, "libsodium cannot be initialized");
	}
	if (realm != NULL && (!ob_get_string(realm, &text) || text.len > REALM_MAX)) {
		return host->fail(reterr, OB_EINVAL, 0, "realm: a text of at most %d bytes",
				  REALM_MAX);
	}
	struct state *state = (struct state *)calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (text.len > 0) {
		memcpy(state->realm, text.data, text.len);
	}
	state->len = text.len;
	*ret_state = state;
	return OB_OK;
}

static void unconfigure(void *state)
{
	free(state);
}

/* ---- Proofs ---- */

/* Whatever both ends must agree on is in the proof. Each part stands behind its length, or has a
 * fixed one, so that no two sets of parts make the same bytes. */
static void prove(const struct ob_auth *auth, char side, uint8_t proof[PROOF])
{
	crypto_auth_hmacsha256_state hmac;
	const uint8_t head[3] = {(uint8_t)side, (uint8_t)auth->state->len,
				 (uint8_t)(auth->prologue_len >> 8)};
	const uint8_t low = (uint8_t)auth->prologue_len;
	crypto_auth_hmacsha256_init(&hmac, auth->secret, sizeof auth->secret);
	crypto_auth_hmacsha256_update(&hmac, head, sizeof head);
	crypto_auth_hmacsha256_update(&hmac, &low, 1);
	crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)auth->state->realm, auth->state->len);
	crypto_auth_hmacsha256_update(&hmac, auth->prologue, auth->prologue_len);
	crypto_auth_hmacsha256_update(&hmac, auth->nonces, sizeof auth->nonces);
	crypto_auth_hmacsha256_final(&hmac, proof);
}

static bool is_proof(const struct ob_auth *auth, char side, const uint8_t *data)
{
	uint8_t proof[PROOF];
	prove(auth, side, proof);
	bool same = sodium_memcmp(proof, data, PROOF) == 0;
	sodium_memzero(proof, sizeof proof);
	return same;
}

/* The same for whatever is wrong. */
static int refuse(const struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_EAUTH, 0, "skeleton: the peer has not proved itself");
}

/* ---- The exchange ---- */

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	if (params->secret.len != 32) {
		return host->fail(reterr, OB_EAUTH, 0, "skeleton: there is no token");
	}
	if (params->prologue.len > PROLOGUE_MAX) {
		return host->fail(reterr, OB_ETOOBIG, 0, "skeleton: the prologue is too long");
	}
	struct ob_auth *auth = (struct ob_auth *)calloc(1, sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "skeleton: out of memory");
	}
	auth->host = host;
	auth->state = (const struct state *)params->state;
	auth->dialer = params->role == OB_AUTH_DIALER;
	memcpy(auth->secret, params->secret.data, sizeof auth->secret);
	if (params->prologue.len > 0) {
		memcpy(auth->prologue, params->prologue.data, params->prologue.len);
	}
	auth->prologue_len = params->prologue.len;
	*ret_auth = auth;
	return OB_OK;
}

/* What step() returns when it has written a message. */
static int said(bool fits)
{
	if (!fits) {
		return OB_ENOMEM;
	}
	return OB_AUTH_MORE;
}

static int step_as_dialer(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			  struct ob_error *reterr)
{
	uint8_t proof[PROOF];
	switch (auth->at++) {
	case 0:
		if (in.len != 0) {
			return refuse(auth, reterr);
		}
		randombytes_buf(auth->nonces, NONCE);
		return said(ob_sink_put(out, auth->nonces, NONCE));
	case 1:
		if (in.len != NONCE + PROOF) {
			return refuse(auth, reterr);
		}
		memcpy(auth->nonces + NONCE, in.data, NONCE);
		if (!is_proof(auth, 'S', in.data + NONCE)) {
			return refuse(auth, reterr);
		}
		prove(auth, 'C', proof);
		return said(ob_sink_put(out, proof, PROOF));
	default:
		return in.len == 0 && auth->at == 3 ? OB_AUTH_DONE : refuse(auth, reterr);
	}
}

static int step_as_acceptor(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			    struct ob_error *reterr)
{
	uint8_t proof[PROOF];
	if (auth->at++ > 0) {
		return auth->at == 2 && in.len == PROOF && is_proof(auth, 'C', in.data)
			   ? OB_AUTH_DONE
			   : refuse(auth, reterr);
	}
	if (in.len != NONCE) {
		return refuse(auth, reterr);
	}
	memcpy(auth->nonces, in.data, NONCE);
	randombytes_buf(auth->nonces + NONCE, NONCE);
	prove(auth, 'S', proof);
	return said(ob_sink_put(out, auth->nonces + NONCE, NONCE) &&
		    ob_sink_put(out, proof, PROOF));
}

/* Called with each message of the peer. It must not wait: see OB_AUTH_WAIT in auth.h. */
static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	return auth->dialer ? step_as_dialer(auth, in, out, reterr)
			    : step_as_acceptor(auth, in, out, reterr);
}

/* The subject, for logs and handlers: 1 to 255 bytes. */
static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	const struct state *state = (const struct state *)params->state;
	(void)auth;
	bool fits = state->len > 0 ? ob_sink_put(out, state->realm, state->len)
				   : ob_sink_text(out, "skeleton");
	return fits ? OB_OK : OB_ENOMEM;
}

static void destroy(struct ob_auth *auth)
{
	if (auth != NULL) {
		sodium_memzero(auth, sizeof *auth);
		free(auth);
	}
}

/* OB_AUTH_NEEDS_SECRET: nobody passes without the token. */
static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = step,
    .identity = identity,
    .destroy = destroy,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_AUTH,
    .name = "skeleton",
    .version = "1",
    .ops = &ops,
    .configure = configure,
    .unconfigure = unconfigure,
};

OB_PLUGIN_ENTRY(&plugin);
