/* SPDX-License-Identifier: MIT */
/*
 * skeleton - an authenticator for outboard that also encrypts: both ends prove that they know the
 * token of the child and the same realm, a text of the settings, {"realm": "example"}, agree on
 * fresh keys, and send everything in sealed records.
 *
 *     dialer    e | MAC(token, "dialer" | all)       e is a fresh X25519 key
 *     acceptor  e | MAC(token, "acceptor" | all)     done
 *
 * "all" is the realm, the prologue, who dials, both keys as far as they are known, and, once it is
 * known, the product of the keys. It is an example of the form: noise is what has been reviewed.
 */
#include <outboard/auth.h>

#include <sodium.h>
#include <stdlib.h>

enum {
	KEY = crypto_scalarmult_BYTES,
	MAC = 32,
	TAG = crypto_aead_chacha20poly1305_ietf_ABYTES,
	NUMBER = crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
	REALM_MAX = 128,
	PROLOGUE_MAX = 1024
};
#define RECORDS_MAX (UINT64_C(1) << 32)

struct state {
	char realm[REALM_MAX];
	size_t len;
};

/* The records of one direction. */
struct direction {
	uint8_t key[32];
	uint64_t count;
};

struct ob_auth {
	const struct ob_host *host;
	const struct state *state;
	bool dialer;
	bool parent_dials;
	bool begun; /* step() was called */
	bool dead;  /* after a failure nothing is opened any more */
	uint8_t secret[32];
	uint8_t private_key[KEY];
	uint8_t public_keys[2 * KEY]; /* of the dialer, then of the acceptor; 0: not known yet */
	uint8_t product[KEY];	      /* 0: not known yet */
	struct direction out, in;
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

/* ---- Keys ---- */

/* A hash under the token of all that the ends must agree on. Each use has a label of its own. */
static void derive(const struct ob_auth *auth, const char *label, uint8_t *out, size_t size)
{
	crypto_generichash_state hash;
	const uint8_t head[5] = {(uint8_t)strlen(label), (uint8_t)auth->parent_dials,
				 (uint8_t)auth->state->len, (uint8_t)(auth->prologue_len >> 8),
				 (uint8_t)auth->prologue_len};
	crypto_generichash_init(&hash, auth->secret, sizeof auth->secret, size);
	crypto_generichash_update(&hash, head, sizeof head);
	crypto_generichash_update(&hash, (const uint8_t *)label, strlen(label));
	crypto_generichash_update(&hash, (const uint8_t *)auth->state->realm, auth->state->len);
	crypto_generichash_update(&hash, auth->prologue, auth->prologue_len);
	crypto_generichash_update(&hash, auth->public_keys, sizeof auth->public_keys);
	crypto_generichash_update(&hash, auth->product, sizeof auth->product);
	crypto_generichash_final(&hash, out, size);
}

static bool is_derived(const struct ob_auth *auth, const char *label, const uint8_t *mac)
{
	uint8_t own[MAC];
	derive(auth, label, own, sizeof own);
	return sodium_memcmp(own, mac, sizeof own) == 0;
}

static uint8_t *public_key(struct ob_auth *auth, bool dialer)
{
	return auth->public_keys + (dialer ? 0 : KEY);
}

/* Fresh keys are made when they are sent, and not before. */
static void make_key(struct ob_auth *auth)
{
	randombytes_buf(auth->private_key, sizeof auth->private_key);
	crypto_scalarmult_base(public_key(auth, auth->dialer), auth->private_key);
}

/* The keys of the records. */
static void make_record_keys(struct ob_auth *auth)
{
	uint8_t keys[64];
	derive(auth, "records", keys, sizeof keys);
	memcpy(auth->dialer ? auth->out.key : auth->in.key, keys, 32);
	memcpy(auth->dialer ? auth->in.key : auth->out.key, keys + 32, 32);
	sodium_memzero(keys, sizeof keys);
	sodium_memzero(auth->private_key, sizeof auth->private_key);
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
	auth->parent_dials = params->parent_dials;
	memcpy(auth->secret, params->secret.data, sizeof auth->secret);
	if (params->prologue.len > 0) {
		memcpy(auth->prologue, params->prologue.data, params->prologue.len);
	}
	auth->prologue_len = params->prologue.len;
	*ret_auth = auth;
	return OB_OK;
}

/* Write our key, and what proves that it is ours. */
static bool say(const struct ob_auth *auth, const char *label, const uint8_t *key,
		struct ob_sink *out)
{
	uint8_t mac[MAC];
	derive(auth, label, mac, sizeof mac);
	return ob_sink_put(out, key, KEY) && ob_sink_put(out, mac, MAC);
}

/* What step() returns when it has written a message. */
static int said(bool fits)
{
	if (!fits) {
		return OB_ENOMEM;
	}
	return OB_AUTH_MORE;
}

static int begin(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		 struct ob_error *reterr)
{
	if (in.len != 0) {
		return refuse(auth, reterr);
	}
	make_key(auth);
	return said(say(auth, "dialer", public_key(auth, true), out));
}

/* Take the key of the peer and its proof. A key of low order has a product of 0. */
static int take(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	if (in.len != KEY + MAC) {
		return refuse(auth, reterr);
	}
	memcpy(public_key(auth, !auth->dialer), in.data, KEY);
	if (!auth->dialer && !is_derived(auth, "dialer", in.data + KEY)) {
		return refuse(auth, reterr);
	}
	if (!auth->dialer) {
		make_key(auth);
	}
	if (crypto_scalarmult(auth->product, auth->private_key, in.data) != 0) {
		return refuse(auth, reterr);
	}
	if (auth->dialer && !is_derived(auth, "acceptor", in.data + KEY)) {
		return refuse(auth, reterr);
	}
	if (!auth->dialer && !say(auth, "acceptor", public_key(auth, false), out)) {
		return OB_ENOMEM;
	}
	make_record_keys(auth);
	return OB_AUTH_DONE;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	bool first = !auth->begun;
	auth->begun = true;
	if (auth->dialer && first) {
		return begin(auth, in, out, reterr);
	}
	return first || auth->dialer ? take(auth, in, out, reterr) : refuse(auth, reterr);
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

/* ---- Records ---- */

/* The number of the record is its nonce: each is opened once, and in order. */
static void number_of(const struct direction *d, uint8_t number[NUMBER])
{
	memset(number, 0, NUMBER);
	for (int i = 0; i < 8; i++) {
		number[i] = (uint8_t)(d->count >> (8 * i));
	}
}

static ptrdiff_t seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	uint8_t number[NUMBER];
	if (auth->dead || auth->out.count == RECORDS_MAX) {
		return OB_ECLOSED;
	}
	number_of(&auth->out, number);
	auth->out.count++;
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, data + len, NULL, data, len, NULL,
							   0, NULL, number, auth->out.key);
	return (ptrdiff_t)(len + TAG);
}

static ptrdiff_t open_record(struct ob_auth *auth, uint8_t *data, size_t len)
{
	uint8_t number[NUMBER];
	if (auth->dead || auth->in.count == RECORDS_MAX) {
		return OB_ECLOSED;
	}
	number_of(&auth->in, number);
	if (len < TAG || crypto_aead_chacha20poly1305_ietf_decrypt_detached(
			     data, NULL, data, len - TAG, data + len - TAG, NULL, 0, number,
			     auth->in.key) != 0) {
		auth->dead = true; /* there is no second try */
		return OB_EAUTH;
	}
	auth->in.count++;
	return (ptrdiff_t)(len - TAG);
}

/* Both ends have the same one, and no other exchange has: fresh keys of both are in it. */
static int binding(struct ob_auth *auth, struct ob_sink *out)
{
	uint8_t hash[32];
	derive(auth, "binding", hash, sizeof hash);
	return ob_sink_put(out, hash, sizeof hash) ? OB_OK : OB_ENOMEM;
}

/* OB_AUTH_NEEDS_SECRET: nobody passes without the token. */
static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = step,
    .identity = identity,
    .destroy = destroy,
    .overhead = TAG,
    .seal = seal,
    .open = open_record,
    .binding = binding,
    .records_max = RECORDS_MAX,
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
