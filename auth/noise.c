/* SPDX-License-Identifier: MIT */
/*
 * The noise authenticator: both ends prove that they know the token, agree on keys that cannot be
 * derived from the token later (forward secrecy), and seal every byte that follows.
 * Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b; the dialer is the initiator.
 *
 *   dialer -> acceptor   e and a tag, 48 bytes
 *   acceptor -> dialer   e and a tag, 48 bytes
 *
 * The first message can be replayed, so neither message may have a payload. The acceptor knows that
 * the dialer has the token, and is not a replay, once the first record opens.
 */
#include "auth/common/exchange.h"
#include "noise_state.h"

#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

/* Ids for crypto_kdf_derive_from_key(). */
enum { PARENT_DIALS = 1, CHILD_DIALS = 2 };

_Static_assert(crypto_kdf_KEYBYTES == (size_t)OBI_TOKEN_BYTES, "the token is a key of crypto_kdf");

static const char context[crypto_kdf_CONTEXTBYTES] = {'o', 'u', 't', 'b', 'o', 'a', 'r', 'd'};

struct ob_auth {
	struct obi_exchange exchange;
	struct obi_noise noise;
};

/*
 * Write our message. The ephemeral key comes from the kernel and is used at once: when a virtual
 * machine is restored twice from one snapshot, each copy gets a key of its own.
 */
static int say(struct ob_auth *auth, struct ob_sink *out, struct ob_error *reterr)
{
	uint8_t ephemeral[OBI_NOISE_KEY];
	uint8_t *room = ob_sink_reserve(out, OBI_NOISE_HANDSHAKE);
	if (room == NULL) {
		return obi_exchange_no_room(auth, reterr);
	}
	ssize_t n = getrandom(ephemeral, sizeof ephemeral, GRND_NONBLOCK);
	if (n != sizeof ephemeral) {
		return auth->exchange.host->fail(reterr, OB_EIO, n < 0 ? errno : 0,
						 "noise: getrandom failed");
	}
	ptrdiff_t len = obi_noise_write(&auth->noise, ephemeral, ob_bytes_of(NULL, 0), room);
	sodium_memzero(ephemeral, sizeof ephemeral);
	if (len < 0) {
		return obi_exchange_refuse(auth, reterr);
	}
	ob_sink_commit(out, (size_t)len);
	return OB_OK;
}

/* Whether in is a valid message of the peer without a payload. */
static bool heard(struct ob_auth *auth, struct ob_bytes in)
{
	return in.len == OBI_NOISE_HANDSHAKE && obi_noise_read(&auth->noise, in, NULL) == 0;
}

/* ---- Steps of both sides, the last one first ---- */

static int dialer_ends(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		       struct ob_error *reterr)
{
	(void)out;
	return heard(auth, in) ? OB_AUTH_DONE : obi_exchange_refuse(auth, reterr);
}

static int dialer_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			 struct ob_error *reterr)
{
	if (in.len != 0) {
		return obi_exchange_refuse(auth, reterr);
	}
	int rc = say(auth, out, reterr);
	if (rc == OB_OK) {
		auth->exchange.next = dialer_ends;
	}
	return rc == OB_OK ? OB_AUTH_MORE : rc;
}

static int acceptor_answers(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			    struct ob_error *reterr)
{
	if (!heard(auth, in)) {
		return obi_exchange_refuse(auth, reterr);
	}
	int rc = say(auth, out, reterr);
	return rc == OB_OK ? OB_AUTH_DONE : rc;
}

/* ---- Table ---- */

/* The key depends on who dials, so that a message of one direction is invalid in the other. */
static void begin(struct obi_noise *noise, const struct ob_auth_params *params)
{
	uint8_t psk[OBI_NOISE_KEY];
	uint64_t id = params->parent_dials ? PARENT_DIALS : CHILD_DIALS;
	crypto_kdf_derive_from_key(psk, sizeof psk, id, context, params->secret.data);
	obi_noise_begin(noise, params->role == OB_AUTH_DIALER, psk, params->prologue);
	sodium_memzero(psk, sizeof psk);
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	static obi_auth_step *const first[] = {dialer_begins, acceptor_answers};
	int rc =
	    obi_exchange_new(host, params, "noise", first, sizeof **ret_auth, ret_auth, reterr);
	if (rc == OB_OK) {
		begin(&(*ret_auth)->noise, params);
	}
	return rc;
}

/* After a failure no key is left. */
static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	int rc = obi_exchange_step(auth, in, out, reterr);
	if (rc < 0) {
		obi_noise_wipe(&auth->noise);
	}
	return rc;
}

static ptrdiff_t seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	return obi_noise_seal(&auth->noise, data, len);
}

/* Section 11.2 of Noise: the hash of the handshake identifies the session. */
static int binding(struct ob_auth *auth, struct ob_sink *out)
{
	return ob_sink_put(out, auth->noise.hash, sizeof auth->noise.hash) ? OB_OK : OB_ENOMEM;
}

static ptrdiff_t open(struct ob_auth *auth, uint8_t *data, size_t len)
{
	return obi_noise_open(&auth->noise, data, len);
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = step,
    .destroy = obi_exchange_destroy,
    .overhead = OBI_NOISE_TAG,
    .seal = seal,
    .open = open,
    .binding = binding,
    .records_max = OBI_NOISE_RECORDS_MAX,
};

static const struct ob_plugin noise = {
    .size = sizeof noise,
    .kind = OB_PLUGIN_AUTH,
    .name = "noise",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&noise);
