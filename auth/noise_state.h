/* SPDX-License-Identifier: MIT */
/*
 * noise_state - one end of Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b (Noise, revision 34): its
 * handshake and its records.
 *
 *   -> psk, e
 *   <- e, ee
 *
 * A pure state: no descriptor, no clock, no allocation, no source of randomness. The caller
 * gives the ephemeral key, which must be fresh from the kernel for each handshake, and must have
 * called sodium_init().
 *
 * Any failure ends the state for good and wipes its keys; from then on every call returns
 * OB_ECLOSED.
 */
#ifndef OB_AUTH_NOISE_STATE_H
#define OB_AUTH_NOISE_STATE_H

#include <outboard/abi.h>

enum {
	OBI_NOISE_KEY = 32,	  /* of all kinds: psk, ephemeral (private and public), cipher */
	OBI_NOISE_HASH = 64,	  /* BLAKE2b-512 */
	OBI_NOISE_TAG = 16,	  /* behind encrypted data */
	OBI_NOISE_HANDSHAKE = 48, /* a message of the handshake without payload: e and a tag */
	OBI_NOISE_MESSAGE_MAX = 65535 /* of a handshake message or a record, with its overhead */
};

/* The number of records under one key of a direction. Then both ends replace the key: REKEY() in
 * Noise. */
#define OBI_NOISE_REKEY_EVERY (UINT64_C(1) << 16)

/* The number of records in one direction, after which a new handshake is needed. */
#define OBI_NOISE_RECORDS_MAX (UINT64_C(1) << 32)

enum obi_noise_phase {
	OBI_NOISE_OVER = 0, /* the end: it holds no key */
	OBI_NOISE_WRITE_FIRST,
	OBI_NOISE_READ_FIRST,
	OBI_NOISE_WRITE_SECOND,
	OBI_NOISE_READ_SECOND,
	OBI_NOISE_OPEN /* records may cross */
};

/* A key and the number of the next message under it: a CipherState in Noise. n goes on when k is
 * replaced. */
struct obi_noise_cipher {
	uint8_t k[OBI_NOISE_KEY];
	uint64_t n;
};

/* The members are visible to tests only. */
struct obi_noise {
	enum obi_noise_phase phase;
	bool initiator;
	struct obi_noise_cipher seal; /* for records, one a direction */
	struct obi_noise_cipher open;
	uint8_t hash[OBI_NOISE_HASH]; /* of the whole handshake, once records may cross */
	struct {
		uint8_t psk[OBI_NOISE_KEY];
		uint8_t e[OBI_NOISE_KEY];  /* our private key */
		uint8_t re[OBI_NOISE_KEY]; /* the peer's public one */
		uint8_t ck[OBI_NOISE_HASH];
		uint8_t h[OBI_NOISE_HASH];
		struct obi_noise_cipher cipher;
	} shake; /* all zero once records may cross */
};

/* Begin a handshake. The initiator writes first. The arguments are copied. */
void obi_noise_begin(struct obi_noise *noise, bool initiator, const uint8_t psk[OBI_NOISE_KEY],
		     struct ob_bytes prologue);

/* Write our handshake message: OBI_NOISE_HANDSHAKE + payload.len bytes at ret_message. ephemeral
 * is our private key for this handshake. Returns the length; or OB_EAUTH: the peer's key is of
 * low order; OB_ETOOBIG; OB_ECLOSED: it is not our turn. */
ptrdiff_t obi_noise_write(struct obi_noise *noise, const uint8_t ephemeral[OBI_NOISE_KEY],
			  struct ob_bytes payload, uint8_t *ret_message);

/*
 * Read the peer's handshake message, and write its payload (message.len - OBI_NOISE_HANDSHAKE
 * bytes) to ret_payload, which may be NULL if that is 0. Returns the payload's length; or
 * OB_EAUTH: the peer does not have our psk and our prologue; OB_ECLOSED: it is not the peer's
 * turn.
 */
ptrdiff_t obi_noise_read(struct obi_noise *noise, struct ob_bytes message, uint8_t *ret_payload);

/* Encrypt the len bytes at data in place, and write OBI_NOISE_TAG bytes behind them. Returns the
 * new length; or OB_ETOOBIG, with nothing done; OB_ECLOSED: records may not cross, or
 * OBI_NOISE_RECORDS_MAX have been sealed. */
ptrdiff_t obi_noise_seal(struct obi_noise *noise, uint8_t *data, size_t len);

/* The inverse; len includes the tag. Returns the length of the plain text; or OB_EAUTH: this is
 * not the record that the peer sealed next (the state ends, and no plain text is left at data);
 * OB_ECLOSED as for seal. */
ptrdiff_t obi_noise_open(struct obi_noise *noise, uint8_t *data, size_t len);

/* End the state and zero it. */
void obi_noise_wipe(struct obi_noise *noise);

#endif
