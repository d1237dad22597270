/* SPDX-License-Identifier: MIT */
/* support/noise_by_hand - a second, shorter implementation of the key schedule of
 * Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b, for messages that our own code never writes: those of a
 * hostile peer that knows the psk. */
#ifndef OB_TESTS_SUPPORT_NOISE_BY_HAND_H
#define OB_TESTS_SUPPORT_NOISE_BY_HAND_H

#include <sodium.h>
#include <stdint.h>
#include <string.h>

enum { BY_HAND_SHORT = 256 }; /* the maximum of what is mixed in */

struct by_hand {
	uint8_t ck[64];
	uint8_t h[64];
	uint8_t k[32];
};

static inline void by_hand_hmac(uint8_t ret[64], const uint8_t key[64], const uint8_t *data,
				size_t len)
{
	uint8_t inner[128 + BY_HAND_SHORT], outer[128 + 64];
	memset(inner, 0x36, 128);
	memset(outer, 0x5c, 128);
	for (size_t i = 0; i < 64; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	memcpy(inner + 128, data, len);
	crypto_generichash(outer + 128, 64, inner, 128 + len, NULL, 0);
	crypto_generichash(ret, 64, outer, sizeof outer, NULL, 0);
}

/* Outputs 1 to 3 of HKDF(ck, data). */
static inline void by_hand_hkdf(const struct by_hand *b, const void *data, size_t len,
				uint8_t ret[3][64])
{
	uint8_t key[64], text[65];
	by_hand_hmac(key, b->ck, len > 0 ? data : text, len);
	text[0] = 1;
	by_hand_hmac(ret[0], key, text, 1);
	for (size_t i = 1; i < 3; i++) {
		memcpy(text, ret[i - 1], 64);
		text[64] = (uint8_t)(i + 1);
		by_hand_hmac(ret[i], key, text, 65);
	}
}

static inline void by_hand_hash(struct by_hand *b, const void *data, size_t len)
{
	uint8_t text[64 + BY_HAND_SHORT];
	memcpy(text, b->h, 64);
	memcpy(text + 64, data, len);
	crypto_generichash(b->h, 64, text, 64 + len, NULL, 0);
}

static inline void by_hand_key(struct by_hand *b, const void *data, size_t len)
{
	uint8_t out[3][64];
	by_hand_hkdf(b, data, len, out);
	memcpy(b->ck, out[0], 64);
	memcpy(b->k, out[1], 32);
}

static inline void by_hand_begin(struct by_hand *b, const void *prologue, size_t len,
				 const uint8_t psk[32])
{
	uint8_t out[3][64];
	memset(b, 0, sizeof *b);
	memcpy(b->h, "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b", 37);
	memcpy(b->ck, b->h, 64);
	by_hand_hash(b, prologue, len);
	by_hand_hkdf(b, psk, 32, out);
	memcpy(b->ck, out[0], 64);
	by_hand_hash(b, out[1], 64);
	memcpy(b->k, out[2], 32);
}

/* A message of the handshake with any 32 bytes as e; the second one with any 32 bytes as the
 * result of DH. Returns its length. */
static inline size_t by_hand_message(struct by_hand *b, const uint8_t e[32], const uint8_t *dh,
				     const void *payload, size_t len, uint8_t *ret)
{
	static const uint8_t nonce[12] = {0};
	unsigned long long n;
	memcpy(ret, e, 32);
	by_hand_hash(b, e, 32);
	by_hand_key(b, e, 32);
	if (dh != NULL) {
		by_hand_key(b, dh, 32);
	}
	crypto_aead_chacha20poly1305_ietf_encrypt(ret + 32, &n, payload, len, b->h, 64, NULL, nonce,
						  b->k);
	by_hand_hash(b, ret + 32, n);
	return 32 + n;
}

/* The keys for records, the initiator's first. */
static inline void by_hand_split(const struct by_hand *b, uint8_t ret[2][32])
{
	uint8_t out[3][64];
	by_hand_hkdf(b, "", 0, out);
	memcpy(ret[0], out[0], 32);
	memcpy(ret[1], out[1], 32);
}

/* A record, or the output of REKEY(): len bytes and a tag, to ret. */
static inline void by_hand_record(const uint8_t k[32], uint64_t n, const void *data, size_t len,
				  uint8_t *ret)
{
	uint8_t nonce[12] = {0};
	for (size_t i = 0; i < 8; i++) {
		nonce[4 + i] = (uint8_t)(n >> 8 * i);
	}
	crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, data, len, NULL, 0, NULL, nonce, k);
}

static inline void by_hand_rekey(uint8_t k[32])
{
	static const uint8_t zeros[32] = {0};
	uint8_t out[48];
	by_hand_record(k, UINT64_MAX, zeros, 32, out);
	memcpy(k, out, 32);
}

/* All public keys whose products are zero (the top bit, which X25519 ignores, is clear in
 * each). */
static const uint8_t by_hand_low_order[7][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}};

#endif
