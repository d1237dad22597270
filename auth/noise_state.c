/* SPDX-License-Identifier: MIT */
/* Functions have the names of the Noise specification, revision 34, section 5. Note: HMAC is the
 * construction of RFC 2104 over BLAKE2b's block of 128 bytes, not BLAKE2b's keyed mode; and with
 * a psk, e is mixed into the key as well as into the hash. */
#include "noise_state.h"

#include <sodium.h>

enum { BLOCK = 128 };

static const char protocol_name[] = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";

/* ---- Hash, section 4.3 ---- */

/* HMAC of two pieces, without joining them. */
static void hmac(uint8_t ret[OBI_NOISE_HASH], const uint8_t key[OBI_NOISE_HASH], struct ob_bytes a,
		 struct ob_bytes b)
{
	crypto_generichash_state hash;
	uint8_t pad[BLOCK], inner[OBI_NOISE_HASH];
	for (size_t i = 0; i < BLOCK; i++) {
		pad[i] = (uint8_t)(0x36 ^ (i < OBI_NOISE_HASH ? key[i] : 0));
	}
	crypto_generichash_init(&hash, NULL, 0, OBI_NOISE_HASH);
	crypto_generichash_update(&hash, pad, BLOCK);
	crypto_generichash_update(&hash, a.data, a.len);
	crypto_generichash_update(&hash, b.data, b.len);
	crypto_generichash_final(&hash, inner, OBI_NOISE_HASH);
	for (size_t i = 0; i < BLOCK; i++) {
		pad[i] ^= 0x36 ^ 0x5c;
	}
	crypto_generichash_init(&hash, NULL, 0, OBI_NOISE_HASH);
	crypto_generichash_update(&hash, pad, BLOCK);
	crypto_generichash_update(&hash, inner, OBI_NOISE_HASH);
	crypto_generichash_final(&hash, ret, OBI_NOISE_HASH);
	sodium_memzero(&hash, sizeof hash);
	sodium_memzero(pad, sizeof pad);
	sodium_memzero(inner, sizeof inner);
}

/* The first `count` outputs (2 or 3) of HKDF. No output may be the chaining key itself. */
static void hkdf(uint8_t (*ret)[OBI_NOISE_HASH], size_t count, const uint8_t ck[OBI_NOISE_HASH],
		 struct ob_bytes input)
{
	uint8_t key[OBI_NOISE_HASH];
	hmac(key, ck, input, ob_bytes_of(NULL, 0));
	for (size_t i = 0; i < count; i++) {
		uint8_t number = (uint8_t)(i + 1);
		struct ob_bytes previous =
		    ob_bytes_of(i > 0 ? ret[i - 1] : NULL, i > 0 ? OBI_NOISE_HASH : 0);
		hmac(ret[i], key, previous, ob_bytes_of(&number, 1));
	}
	sodium_memzero(key, sizeof key);
}

/* ---- Cipher, sections 4.2 and 5.1 ---- */

static void nonce_of(uint8_t ret[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t n)
{
	memset(ret, 0, 4);
	for (size_t i = 0; i < 8; i++) {
		ret[4 + i] = (uint8_t)(n >> 8 * i);
	}
}

/* Encrypt len bytes in place; the tag follows them. */
static void encrypt_with_ad(struct obi_noise_cipher *cipher, struct ob_bytes ad, uint8_t *data,
			    size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	nonce_of(nonce, cipher->n);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, data + len, NULL, data, len,
							   ad.data, ad.len, NULL, nonce, cipher->k);
	cipher->n++;
}

/* Decrypt len bytes from `from` to `to`, which may be the same; the tag follows them. The nonce
 * advances only on success. */
static bool decrypt_with_ad(struct obi_noise_cipher *cipher, struct ob_bytes ad,
			    const uint8_t *from, uint8_t *to, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	nonce_of(nonce, cipher->n);
	if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(
		to, NULL, from, len, from + len, ad.data, ad.len, nonce, cipher->k) != 0) {
		return false;
	}
	cipher->n++;
	return true;
}

/* Section 11.3 with section 4.2: the encryption of 32 zeros under the last nonce, which no
 * message uses. */
static void rekey(struct obi_noise_cipher *cipher)
{
	struct obi_noise_cipher last = {.n = UINT64_MAX};
	uint8_t zeros[OBI_NOISE_KEY + OBI_NOISE_TAG] = {0};
	memcpy(last.k, cipher->k, sizeof last.k);
	encrypt_with_ad(&last, ob_bytes_of(NULL, 0), zeros, OBI_NOISE_KEY);
	memcpy(cipher->k, zeros, sizeof cipher->k);
	sodium_memzero(&last, sizeof last);
	sodium_memzero(zeros, sizeof zeros);
}

/* ---- SymmetricState, section 5.2 ---- */

static void mix_hash(struct obi_noise *noise, struct ob_bytes data)
{
	crypto_generichash_state hash;
	crypto_generichash_init(&hash, NULL, 0, OBI_NOISE_HASH);
	crypto_generichash_update(&hash, noise->shake.h, OBI_NOISE_HASH);
	crypto_generichash_update(&hash, data.data, data.len);
	crypto_generichash_final(&hash, noise->shake.h, OBI_NOISE_HASH);
	sodium_memzero(&hash, sizeof hash);
}

static void set_key(struct obi_noise_cipher *cipher, const uint8_t *key)
{
	memcpy(cipher->k, key, OBI_NOISE_KEY);
	cipher->n = 0;
}

static void mix_key(struct obi_noise *noise, struct ob_bytes input)
{
	uint8_t out[2][OBI_NOISE_HASH];
	hkdf(out, 2, noise->shake.ck, input);
	memcpy(noise->shake.ck, out[0], OBI_NOISE_HASH);
	set_key(&noise->shake.cipher, out[1]);
	sodium_memzero(out, sizeof out);
}

static void mix_key_and_hash(struct obi_noise *noise, struct ob_bytes input)
{
	uint8_t out[3][OBI_NOISE_HASH];
	hkdf(out, 3, noise->shake.ck, input);
	memcpy(noise->shake.ck, out[0], OBI_NOISE_HASH);
	mix_hash(noise, ob_bytes_of(out[1], OBI_NOISE_HASH));
	set_key(&noise->shake.cipher, out[2]);
	sodium_memzero(out, sizeof out);
}

/* Records may cross from now on, and the state of the handshake is wiped. */
static void split(struct obi_noise *noise)
{
	uint8_t out[2][OBI_NOISE_HASH];
	hkdf(out, 2, noise->shake.ck, ob_bytes_of(NULL, 0));
	set_key(&noise->seal, out[noise->initiator ? 0 : 1]);
	set_key(&noise->open, out[noise->initiator ? 1 : 0]);
	memcpy(noise->hash, noise->shake.h, sizeof noise->hash);
	noise->phase = OBI_NOISE_OPEN;
	sodium_memzero(out, sizeof out);
	sodium_memzero(&noise->shake, sizeof noise->shake);
}

/* ---- Tokens, section 5.3 ---- */

static void token_psk(struct obi_noise *noise)
{
	mix_key_and_hash(noise, ob_bytes_of(noise->shake.psk, OBI_NOISE_KEY));
	sodium_memzero(noise->shake.psk, OBI_NOISE_KEY);
}

static void token_e(struct obi_noise *noise, const uint8_t *public_key)
{
	mix_hash(noise, ob_bytes_of(public_key, OBI_NOISE_KEY));
	mix_key(noise, ob_bytes_of(public_key, OBI_NOISE_KEY));
}

/* False for a key of low order: the result would be all zeros for any key of ours. */
static bool token_ee(struct obi_noise *noise)
{
	uint8_t dh[OBI_NOISE_KEY];
	bool fine = crypto_scalarmult(dh, noise->shake.e, noise->shake.re) == 0 &&
		    !sodium_is_zero(dh, sizeof dh);
	if (fine) {
		mix_key(noise, ob_bytes_of(dh, sizeof dh));
	}
	sodium_memzero(dh, sizeof dh);
	return fine;
}

static int end(struct obi_noise *noise, int code)
{
	obi_noise_wipe(noise);
	return code;
}

/* ---- Handshake ---- */

void obi_noise_begin(struct obi_noise *noise, bool initiator, const uint8_t psk[OBI_NOISE_KEY],
		     struct ob_bytes prologue)
{
	memset(noise, 0, sizeof *noise);
	noise->initiator = initiator;
	noise->phase = initiator ? OBI_NOISE_WRITE_FIRST : OBI_NOISE_READ_FIRST;
	memcpy(noise->shake.psk, psk, OBI_NOISE_KEY);
	/* A name that fits into a hash is padded with zeros instead of hashed. */
	memcpy(noise->shake.h, protocol_name, sizeof protocol_name - 1);
	memcpy(noise->shake.ck, noise->shake.h, OBI_NOISE_HASH);
	mix_hash(noise, prologue);
}

ptrdiff_t obi_noise_write(struct obi_noise *noise, const uint8_t ephemeral[OBI_NOISE_KEY],
			  struct ob_bytes payload, uint8_t *ret_message)
{
	bool first = noise->phase == OBI_NOISE_WRITE_FIRST;
	uint8_t *body = ret_message + OBI_NOISE_KEY;
	if (!first && noise->phase != OBI_NOISE_WRITE_SECOND) {
		return OB_ECLOSED;
	}
	if (payload.len > OBI_NOISE_MESSAGE_MAX - OBI_NOISE_HANDSHAKE) {
		return end(noise, OB_ETOOBIG);
	}
	if (first) {
		token_psk(noise);
	}
	memcpy(noise->shake.e, ephemeral, OBI_NOISE_KEY);
	crypto_scalarmult_base(ret_message, ephemeral);
	token_e(noise, ret_message);
	if (!first && !token_ee(noise)) {
		return end(noise, OB_EAUTH);
	}
	if (payload.len > 0) {
		memmove(body, payload.data, payload.len);
	}
	encrypt_with_ad(&noise->shake.cipher, ob_bytes_of(noise->shake.h, OBI_NOISE_HASH), body,
			payload.len);
	mix_hash(noise, ob_bytes_of(body, payload.len + OBI_NOISE_TAG));
	noise->phase = OBI_NOISE_READ_SECOND;
	if (!first) {
		split(noise);
	}
	return (ptrdiff_t)(OBI_NOISE_HANDSHAKE + payload.len);
}

/* The part behind e in a message of the handshake. */
static bool decrypt_and_hash(struct obi_noise *noise, struct ob_bytes body, uint8_t *ret_payload)
{
	struct ob_bytes ad = ob_bytes_of(noise->shake.h, OBI_NOISE_HASH);
	uint8_t none[1];
	uint8_t *to = ret_payload != NULL ? ret_payload : none;
	if (!decrypt_with_ad(&noise->shake.cipher, ad, body.data, to, body.len - OBI_NOISE_TAG)) {
		return false;
	}
	mix_hash(noise, body);
	return true;
}

ptrdiff_t obi_noise_read(struct obi_noise *noise, struct ob_bytes message, uint8_t *ret_payload)
{
	bool first = noise->phase == OBI_NOISE_READ_FIRST;
	if (!first && noise->phase != OBI_NOISE_READ_SECOND) {
		return OB_ECLOSED;
	}
	if (message.len < OBI_NOISE_HANDSHAKE || message.len > OBI_NOISE_MESSAGE_MAX) {
		return end(noise, OB_EAUTH);
	}
	if (first) {
		token_psk(noise);
	}
	struct ob_bytes body =
	    ob_bytes_of(message.data + OBI_NOISE_KEY, message.len - OBI_NOISE_KEY);
	memcpy(noise->shake.re, message.data, OBI_NOISE_KEY);
	token_e(noise, noise->shake.re);
	if ((!first && !token_ee(noise)) || !decrypt_and_hash(noise, body, ret_payload)) {
		return end(noise, OB_EAUTH);
	}
	noise->phase = OBI_NOISE_WRITE_SECOND;
	if (!first) {
		split(noise);
	}
	return (ptrdiff_t)(message.len - OBI_NOISE_HANDSHAKE);
}

/* ---- Records ---- */

/* After a record: an old key is wiped before the next record, on both sides at the same
 * number. */
static void advance(struct obi_noise_cipher *cipher)
{
	if (cipher->n == OBI_NOISE_RECORDS_MAX) {
		sodium_memzero(cipher->k, sizeof cipher->k);
	} else if (cipher->n % OBI_NOISE_REKEY_EVERY == 0) {
		rekey(cipher);
	}
}

ptrdiff_t obi_noise_seal(struct obi_noise *noise, uint8_t *data, size_t len)
{
	if (noise->phase != OBI_NOISE_OPEN || noise->seal.n >= OBI_NOISE_RECORDS_MAX) {
		return OB_ECLOSED;
	}
	if (len > OBI_NOISE_MESSAGE_MAX - OBI_NOISE_TAG) {
		return OB_ETOOBIG;
	}
	encrypt_with_ad(&noise->seal, ob_bytes_of(NULL, 0), data, len);
	advance(&noise->seal);
	return (ptrdiff_t)(len + OBI_NOISE_TAG);
}

ptrdiff_t obi_noise_open(struct obi_noise *noise, uint8_t *data, size_t len)
{
	if (noise->phase != OBI_NOISE_OPEN || noise->open.n >= OBI_NOISE_RECORDS_MAX) {
		return OB_ECLOSED;
	}
	if (len < OBI_NOISE_TAG || len > OBI_NOISE_MESSAGE_MAX ||
	    !decrypt_with_ad(&noise->open, ob_bytes_of(NULL, 0), data, data, len - OBI_NOISE_TAG)) {
		return end(noise, OB_EAUTH);
	}
	advance(&noise->open);
	return (ptrdiff_t)(len - OBI_NOISE_TAG);
}

void obi_noise_wipe(struct obi_noise *noise)
{
	sodium_memzero(noise, sizeof *noise);
}
