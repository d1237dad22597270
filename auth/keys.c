/* SPDX-License-Identifier: MIT */
/*
 * The keys authenticator: each end has an Ed25519 key of its own and a list of the public keys that
 * it lets in. Each proves that it has the secret half of a key in the list of the other.
 *
 *   D -> A  d | D             32 random bytes, and the dialer's public key
 *   A -> D  a | A | sign(A, text("acceptor"))
 *   D -> A  sign(D, text("dialer"))
 *
 *   text(role) = "outboard keys 1 " role 0x00 | length of the prologue, 4 bytes, big-endian |
 *                prologue | d | a | D | A
 *
 * The role prevents that one end's proof is used as the other's, the nonces the replay of an old
 * one, and the prologue, with the channel binding of the mechanism that seals before it, the relay
 * into another connection. Both keys are signed, so that a proof is for one peer only.
 *
 * Each end must name its key before it knows the other: the dialer first, so that the acceptor can
 * sign it. A public key is no secret, and only who knows the token gets as far as this behind
 * noise. The acceptor proves itself first. The dialer signs nothing for one that is not in its
 * list. The acceptor answers whatever key it is told, and looks into its list only when the dialer
 * has proved that the key is his: nobody can find out what is in a list by naming keys.
 *
 * The list is looked up when a proof has come, in the file as it is then. A connection that is open
 * stays open when its key is removed.
 *
 * Nothing here compares secrets: what is checked are signatures and public keys.
 */
#include "auth/common/exchange.h"
#include "auth/keys/authorized_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { NONCE = 32, KEY = OBI_KEYS_KEY, PROOF = crypto_sign_BYTES, PROLOGUE = 768, TEXT = 1024 };

struct state {
	struct obi_key_pair own;
	struct obi_authorized_file authorized;
};

struct ob_auth {
	struct obi_exchange exchange;
	struct state *state;
	const struct ob_peer *peer;
	struct ob_bytes prologue;
	uint8_t nonces[2][NONCE]; /* of the dialer, of the acceptor */
	uint8_t keys[2][KEY];
	uint8_t subject[OBI_KEYS_COMMENT]; /* of the peer, once it has passed */
	size_t subject_len;
};

enum side { DIALER = 0, ACCEPTOR = 1 };

/* ---- Proofs ---- */

static struct ob_bytes text_of(const struct ob_auth *auth, enum side side, uint8_t memory[TEXT])
{
	static const char *const context[] = {"outboard keys 1 dialer", "outboard keys 1 acceptor"};
	struct ob_sink text = ob_sink_fixed(memory, TEXT);
	uint32_t len = (uint32_t)auth->prologue.len;
	const uint8_t length[] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				  (uint8_t)len};
	ob_sink_put(&text, context[side], strlen(context[side]) + 1);
	ob_sink_put(&text, length, sizeof length);
	ob_sink_put(&text, auth->prologue.data, auth->prologue.len);
	ob_sink_put(&text, auth->nonces, sizeof auth->nonces);
	ob_sink_put(&text, auth->keys, sizeof auth->keys);
	return ob_bytes_of(memory, text.len);
}

static bool put_proof(const struct ob_auth *auth, enum side side, struct ob_sink *out)
{
	uint8_t memory[TEXT];
	struct ob_bytes text = text_of(auth, side, memory);
	uint8_t *room = ob_sink_reserve(out, PROOF);
	if (room != NULL) {
		crypto_sign_detached(room, NULL, text.data, text.len, auth->state->own.secret);
		ob_sink_commit(out, PROOF);
	}
	return room != NULL;
}

/* Our nonce and key. */
static bool put_self(struct ob_auth *auth, enum side side, struct ob_sink *out)
{
	randombytes_buf(auth->nonces[side], NONCE);
	memcpy(auth->keys[side], auth->state->own.public, KEY);
	return ob_sink_put(out, auth->nonces[side], NONCE) &&
	       ob_sink_put(out, auth->keys[side], KEY);
}

static void take_self(struct ob_auth *auth, enum side side, const uint8_t *data)
{
	memcpy(auth->nonces[side], data, NONCE);
	memcpy(auth->keys[side], data + NONCE, KEY);
}

/* ---- Who is let in ---- */

static int refuse(const struct ob_auth *auth, struct ob_error *reterr, const char *why)
{
	return auth->exchange.host->fail(reterr, OB_EAUTH, 0, "keys: %s", why);
}

static int refuse_unknown(const struct ob_auth *auth, const uint8_t key[KEY],
			  struct ob_error *reterr)
{
	struct obi_key_pair shown = {.comment = ""};
	char line[OBI_KEYS_LINE], why[OBI_KEYS_WHY];
	memcpy(shown.public, key, KEY);
	obi_key_public_line(&shown, line);
	snprintf(why, sizeof why, "the peer's key is not in %.250s: %.*s",
		 auth->state->authorized.path, (int)strcspn(line, "\n"), line);
	return refuse(auth, reterr, why);
}

static const char *address_of(const struct ob_peer *peer)
{
	return OB_HAS(peer, address) && (peer->known & OB_PEER_ADDRESS) != 0 ? peer->address : NULL;
}

/* The peer has proved that the key is his: may it be used? */
static int look_up(struct ob_auth *auth, const uint8_t key[KEY], struct ob_error *reterr)
{
	char why[OBI_KEYS_WHY], text[OBI_KEYS_WHY + 64];
	if (!obi_authorized_file_refresh(&auth->state->authorized, why)) {
		snprintf(text, sizeof text, "no key is accepted: %s", why);
		return refuse(auth, reterr, text);
	}
	const struct obi_authorized_key *found =
	    obi_authorized_find(&auth->state->authorized.list, key);
	if (found == NULL) {
		return refuse_unknown(auth, key, reterr);
	}
	const char *reason = obi_authorized_refusal(found, address_of(auth->peer), time(NULL));
	if (reason != NULL) {
		snprintf(text, sizeof text, "%.*s: %s", (int)found->subject.len,
			 (const char *)found->subject.data, reason);
		return refuse(auth, reterr, text);
	}
	memcpy(auth->subject, found->subject.data, found->subject.len);
	auth->subject_len = found->subject.len;
	return OB_OK;
}

/* OB_OK if this is the proof of a peer on that side who is let in. */
static int judge(struct ob_auth *auth, enum side side, const uint8_t *proof,
		 struct ob_error *reterr)
{
	uint8_t memory[TEXT];
	struct ob_bytes text = text_of(auth, side, memory);
	return crypto_sign_verify_detached(proof, text.data, text.len, auth->keys[side]) == 0
		   ? look_up(auth, auth->keys[side], reterr)
		   : obi_exchange_refuse(auth, reterr);
}

/* ---- Steps of both sides, the last one first ---- */

static int dialer_answers(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			  struct ob_error *reterr)
{
	if (in.len != NONCE + KEY + PROOF) {
		return obi_exchange_refuse(auth, reterr);
	}
	take_self(auth, ACCEPTOR, in.data);
	int rc = judge(auth, ACCEPTOR, in.data + NONCE + KEY, reterr);
	if (rc < 0) {
		return rc;
	}
	if (!put_proof(auth, DIALER, out)) {
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
	if (!put_self(auth, DIALER, out)) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = dialer_answers;
	return OB_AUTH_MORE;
}

static int acceptor_judges(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	(void)out;
	if (in.len != PROOF) {
		return obi_exchange_refuse(auth, reterr);
	}
	int rc = judge(auth, DIALER, in.data, reterr);
	return rc == OB_OK ? OB_AUTH_DONE : rc;
}

static int acceptor_begins(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			   struct ob_error *reterr)
{
	if (in.len != NONCE + KEY) {
		return obi_exchange_refuse(auth, reterr);
	}
	take_self(auth, DIALER, in.data);
	if (!put_self(auth, ACCEPTOR, out) || !put_proof(auth, ACCEPTOR, out)) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = acceptor_judges;
	return OB_AUTH_MORE;
}

/* ---- Settings ---- */

static void unconfigure(void *data)
{
	struct state *state = data;
	if (state != NULL) {
		obi_authorized_file_clear(&state->authorized);
		sodium_memzero(state, sizeof *state);
		free(state);
	}
}

/* An absolute path, as a new string; NULL, and the fault. */
static char *take_path(const struct ob_host *host, const struct ob_value *settings,
		       const char *name, struct ob_error *reterr)
{
	struct ob_bytes text;
	const struct ob_value *value = ob_value_find(settings, name);
	if (value == NULL || !ob_get_string(value, &text)) {
		host->fail(reterr, OB_EINVAL, 0, "%s: %s", name,
			   value == NULL ? "required: the path of a file" : "not a string");
		return NULL;
	}
	if (text.len == 0 || text.data[0] != '/' || memchr(text.data, '\0', text.len) != NULL) {
		host->fail(reterr, OB_EINVAL, 0, "%s: not an absolute path", name);
		return NULL;
	}
	char *path = calloc(1, text.len + 1);
	if (path == NULL) {
		host->fail(reterr, OB_ENOMEM, 0, "%s: out of memory", name);
		return NULL;
	}
	memcpy(path, text.data, text.len);
	return path;
}

static int check_names(const struct ob_host *host, const struct ob_value *settings,
		       struct ob_error *reterr)
{
	for (uint32_t i = 0; settings->type == OB_MAP && i < settings->count; i++) {
		struct ob_bytes name;
		if (!ob_get_string(&settings->as.pairs[i].key, &name) ||
		    (!ob_bytes_is(name, "key") && !ob_bytes_is(name, "authorized"))) {
			return host->fail(reterr, OB_EINVAL, 0,
					  "unknown key: there are key and authorized");
		}
	}
	return OB_OK;
}

static int take_own(const struct ob_host *host, const struct ob_value *settings,
		    struct state *state, struct ob_error *reterr)
{
	char why[OBI_KEYS_WHY];
	char *path = take_path(host, settings, "key", reterr);
	if (path == NULL) {
		return OB_EINVAL;
	}
	bool good = obi_key_pair_load(path, &state->own, why);
	free(path);
	return good ? OB_OK : host->fail(reterr, OB_EINVAL, 0, "key: %s", why);
}

static int take_authorized(const struct ob_host *host, const struct ob_value *settings,
			   struct state *state, struct ob_error *reterr)
{
	char why[OBI_KEYS_WHY];
	state->authorized.path = take_path(host, settings, "authorized", reterr);
	if (state->authorized.path == NULL) {
		return OB_EINVAL;
	}
	return obi_authorized_file_refresh(&state->authorized, why)
		   ? OB_OK
		   : host->fail(reterr, OB_EINVAL, 0, "authorized: %s", why);
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EIO, 0, "libsodium cannot be initialized");
	}
	struct state *state = calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int rc = check_names(host, settings, reterr);
	rc = rc == OB_OK ? take_own(host, settings, state, reterr) : rc;
	rc = rc == OB_OK ? take_authorized(host, settings, state, reterr) : rc;
	if (rc < 0) {
		unconfigure(state);
		return rc;
	}
	*ret_state = state;
	return OB_OK;
}

/* ---- Table ---- */

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	static obi_auth_step *const first[] = {dialer_begins, acceptor_begins};
	if (params->state == NULL || params->prologue.len > PROLOGUE) {
		return host->fail(reterr, OB_EINVAL, 0, "keys: %s",
				  params->state == NULL ? "there are no settings"
							: "the prologue is too long");
	}
	int rc =
	    obi_exchange_make(host, params, "keys", first, sizeof **ret_auth, ret_auth, reterr);
	if (rc == OB_OK) {
		(*ret_auth)->exchange.proof = "the key that it names";
		(*ret_auth)->state = params->state;
		(*ret_auth)->peer = params->peer;
		(*ret_auth)->prologue = params->prologue;
	}
	return rc;
}

static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	(void)params;
	return ob_sink_put(out, auth->subject, auth->subject_len) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SEAL,
    .create = create,
    .step = obi_exchange_step,
    .identity = identity,
    .destroy = obi_exchange_destroy,
};

static const struct ob_plugin keys = {
    .size = sizeof keys,
    .kind = OB_PLUGIN_AUTH,
    .name = "keys",
    .version = "1",
    .ops = &ops,
    .configure = configure,
    .unconfigure = unconfigure,
};

OB_PLUGIN_ENTRY(&keys);
