/* SPDX-License-Identifier: MIT */
/*
 * auth/keys/key_text - keys as text.
 *
 *   outboard-ed25519-secret BASE64 [COMMENT]    a file with a secret key: one line
 *   ed25519 BASE64 COMMENT                      a public key
 *
 * BASE64 is of the 32 bytes of the seed, or of the public key. The comment is UTF-8, 1 to 255
 * bytes, without control characters.
 */
#ifndef OB_AUTH_KEYS_KEY_TEXT_H
#define OB_AUTH_KEYS_KEY_TEXT_H

#include "common/small_file.h"

enum {
	OBI_KEYS_WHY = OBI_SMALL_FILE_WHY, /* bytes of a reason, with its NUL */
	OBI_KEYS_KEY = 32,
	OBI_KEYS_SECRET = 64, /* as libsodium has it: the seed and the public key */
	OBI_KEYS_COMMENT = 255,
	OBI_KEYS_SECRET_FILE = 4096, /* the largest file with a secret key */
	OBI_KEYS_LINE = 512	     /* bytes for any line that is written, with its NUL */
};

struct obi_key_pair {
	uint8_t secret[OBI_KEYS_SECRET];
	uint8_t public[OBI_KEYS_KEY];
	char comment[OBI_KEYS_COMMENT + 1]; /* empty: none */
};

/* Read the text of a file with a secret key. On failure *ret is zero, and *why says why. */
bool obi_key_pair_parse(struct ob_bytes text, struct obi_key_pair *ret, char why[OBI_KEYS_WHY]);

/* The same from a file, which must be closed to group and others. */
bool obi_key_pair_load(const char *path, struct obi_key_pair *ret, char why[OBI_KEYS_WHY]);

/* A line with its newline: of the file with the secret key, and of the public key. Without a
 * comment the public line has none, and is not complete. */
void obi_key_secret_line(const struct obi_key_pair *pair, char ret[OBI_KEYS_LINE]);
void obi_key_public_line(const struct obi_key_pair *pair, char ret[OBI_KEYS_LINE]);

/* The 32 bytes of exactly this text in BASE64. */
bool obi_key_decode(struct ob_bytes text, uint8_t ret[OBI_KEYS_KEY]);

/* Whether it may be a comment; NULL, or what is wrong with it. */
const char *obi_key_comment_fault(struct ob_bytes comment);

/* Cut the first word off *rest, and the blanks around it. The word is empty at the end. */
struct ob_bytes obi_key_word(struct ob_bytes *rest);

/* The text without blanks at both ends. */
struct ob_bytes obi_key_trimmed(struct ob_bytes text);

#endif
