/* SPDX-License-Identifier: MIT */
/*
 * The noise authenticator: both ends prove that they know the token, agree on keys that nobody can
 * find out later from the token, and seal every byte that follows.
 * Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b; the dialer is the initiator.
 *
 *   dialer -> acceptor   e and a tag, 48 bytes
 *   acceptor -> dialer   e and a tag, 48 bytes
 *
 * The first message can be recorded and played again, so it carries nothing: neither may have a
 * payload. The acceptor knows that it talks to somebody with the token, here and now, once a record
 * opens.
 */
#include "noise_state.h"

#include <outboard/auth.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SECRET = crypto_kdf_KEYBYTES, PARENT_DIALS = 1, CHILD_DIALS = 2 };

static const char context[crypto_kdf_CONTEXTBYTES] = {'o', 'u', 't', 'b', 'o', 'a', 'r', 'd'};

struct ob_auth {
	const struct ob_host *host;
	struct obi_noise noise;
	int (*next)(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr);
};

/* Too short, too long or wrong: all the same to whoever tries. */
static int refused(struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_EAUTH, 0, "noise: the peer did not authenticate");
}

/*
 * Write our message. The ephemeral key is made here, by the kernel, and used at once: a clone of
 * this process's memory (a virtual machine that is restored twice) then has a key of its own.
 */
static int say(struct ob_auth *auth, struct ob_sink *out, struct ob_error *reterr)
{
	uint8_t ephemeral[OBI_NOISE_KEY];
	uint8_t *room = ob_sink_reserve(out, OBI_NOISE_HANDSHAKE);
	if (room == NULL) {
		return auth->host->fail(reterr, OB_ENOMEM, 0, "noise: no room for a message");
	}
	ssize_t n = getrandom(ephemeral, sizeof ephemeral, GRND_NONBLOCK);
	if (n != sizeof ephemeral) {
		return auth->host->fail(reterr, OB_EIO, n < 0 ? errno : 0,
					"noise: the kernel gives no randomness");
	}
	ptrdiff_t len = obi_noise_write(&auth->noise, ephemeral, ob_bytes_of(NULL, 0), room);
	sodium_memzero(ephemeral, sizeof ephemeral);
	if (len < 0) {
		return refused(auth, reterr);
	}
	ob_sink_commit(out, (size_t)len);
	return OB_OK;
}

/* Whether in is the peer's message, and has no payload. */
static bool heard(struct ob_auth *auth, struct ob_bytes in)
{
	return in.len == OBI_NOISE_HANDSHAKE && obi_noise_read(&auth->noise, in, NULL) == 0;
}

/* ---- Steps of both, the last one first; each names its successor ---- */

static int over(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)in, (void)out;
	obi_noise_wipe(&auth->noise);
	return refused(auth, reterr);
}

static int dialer_ends(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		       struct ob_error *reterr)
{
	(void)out;
	return heard(auth, in) ? OB_AUTH_DONE : refused(auth, reterr);
}

static int dialer_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			 struct ob_error *reterr)
{
	if (in.len != 0) {
		return refused(auth, reterr);
	}
	int rc = say(auth, out, reterr);
	if (rc == OB_OK) {
		auth->next = dialer_ends;
	}
	return rc == OB_OK ? OB_AUTH_MORE : rc;
}

static int acceptor_answers(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			    struct ob_error *reterr)
{
	if (!heard(auth, in)) {
		return refused(auth, reterr);
	}
	int rc = say(auth, out, reterr);
	return rc == OB_OK ? OB_AUTH_DONE : rc;
}

/* ---- Table ---- */

/* A key of its own for each direction of dialling, so that no message of one serves in the other.
 */
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
	if (params->secret.len != SECRET) {
		return host->fail(reterr, OB_EINVAL, 0, "noise: it needs a token of %d bytes",
				  (int)SECRET);
	}
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EIO, 0,
				  "noise: libsodium finds no source of randomness");
	}
	struct ob_auth *auth = calloc(1, sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "noise: out of memory");
	}
	auth->host = host;
	auth->next = params->role == OB_AUTH_DIALER ? dialer_begins : acceptor_answers;
	begin(&auth->noise, params);
	*ret_auth = auth;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	int (*now)(struct ob_auth *, struct ob_bytes, struct ob_sink *, struct ob_error *) =
	    auth->next;
	auth->next = over;
	int rc = now(auth, in, out, reterr);
	if (rc < 0) {
		obi_noise_wipe(&auth->noise);
	}
	return rc;
}

static ptrdiff_t seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	return obi_noise_seal(&auth->noise, data, len);
}

static ptrdiff_t open(struct ob_auth *auth, uint8_t *data, size_t len)
{
	return obi_noise_open(&auth->noise, data, len);
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
    .overhead = OBI_NOISE_TAG,
    .seal = seal,
    .open = open,
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
