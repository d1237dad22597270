/* SPDX-License-Identifier: MIT */
#include "auth/keys/key_text.h"

#include <outboard/value.h>

#include <sodium.h>
#include <stdio.h>

#include "common/text.h"

_Static_assert(OBI_KEYS_KEY == crypto_sign_PUBLICKEYBYTES, "a public key");
_Static_assert(OBI_KEYS_KEY == crypto_sign_SEEDBYTES, "a seed");
_Static_assert(OBI_KEYS_SECRET == crypto_sign_SECRETKEYBYTES, "a secret key");

enum { BASE64 = sodium_base64_ENCODED_LEN(OBI_KEYS_KEY, sodium_base64_VARIANT_ORIGINAL) };

static const char kind[] = "outboard-ed25519-secret";

/* ---- Words ---- */

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

struct ob_bytes obi_key_trimmed(struct ob_bytes text)
{
	while (text.len > 0 && is_blank(text.data[0])) {
		text = ob_bytes_of(text.data + 1, text.len - 1);
	}
	while (text.len > 0 && is_blank(text.data[text.len - 1])) {
		text.len--;
	}
	return text;
}

struct ob_bytes obi_key_word(struct ob_bytes *rest)
{
	struct ob_bytes text = obi_key_trimmed(*rest);
	size_t len = 0;
	while (len < text.len && !is_blank(text.data[len])) {
		len++;
	}
	*rest = len < text.len ? obi_key_trimmed(ob_bytes_of(text.data + len, text.len - len))
			       : ob_bytes_of(NULL, 0);
	return ob_bytes_of(text.data, len);
}

bool obi_key_decode(struct ob_bytes text, uint8_t ret[OBI_KEYS_KEY])
{
	size_t len = 0;
	return text.len == BASE64 - 1 &&
	       sodium_base642bin(ret, OBI_KEYS_KEY, (const char *)text.data, text.len, NULL, &len,
				 NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == OBI_KEYS_KEY;
}

/* ---- Comments ---- */

const char *obi_key_comment_fault(struct ob_bytes comment)
{
	if (comment.len == 0) {
		return "it has no comment, which is the subject";
	}
	if (comment.len > OBI_KEYS_COMMENT) {
		return "its comment is longer than 255 bytes";
	}
	if (!ob_is_utf8(comment)) {
		return "its comment is not UTF-8";
	}
	return obi_has_control(comment) ? "its comment has a control character" : NULL;
}

/* ---- Secret keys ---- */

static const char *parse(struct ob_bytes text, struct obi_key_pair *ret)
{
	uint8_t seed[OBI_KEYS_KEY];
	const uint8_t *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
	if (end != NULL && end != text.data + text.len - 1) {
		return "it has more than one line";
	}
	text.len -= end != NULL;
	if (!ob_bytes_is(obi_key_word(&text), kind)) {
		return "it does not begin with outboard-ed25519-secret";
	}
	bool decoded = obi_key_decode(obi_key_word(&text), seed);
	if (decoded) {
		crypto_sign_seed_keypair(ret->public, ret->secret, seed);
	}
	sodium_memzero(seed, sizeof seed);
	const char *fault = text.len > 0 ? obi_key_comment_fault(text) : NULL;
	if (fault == NULL && text.len > 0) {
		memcpy(ret->comment, text.data, text.len);
	}
	return decoded ? fault : "its key is not 32 bytes in base64";
}

bool obi_key_pair_parse(struct ob_bytes text, struct obi_key_pair *ret, char why[OBI_KEYS_WHY])
{
	memset(ret, 0, sizeof *ret);
	const char *fault = parse(text, ret);
	if (fault != NULL) {
		sodium_memzero(ret, sizeof *ret);
		snprintf(why, OBI_KEYS_WHY, "%s", fault);
	}
	return fault == NULL;
}

bool obi_key_pair_load(const char *path, struct obi_key_pair *ret, char why[OBI_KEYS_WHY])
{
	uint8_t memory[OBI_KEYS_SECRET_FILE];
	char fault[OBI_KEYS_WHY];
	struct ob_sink text = ob_sink_fixed(memory, sizeof memory);
	bool good = obi_small_file_read(path, OBI_LINKS_REFUSED, 07177, &text, NULL, why);
	if (good && !obi_key_pair_parse(ob_bytes_of(memory, text.len), ret, fault)) {
		snprintf(why, OBI_KEYS_WHY, "%.300s: %.90s", path, fault);
		good = false;
	}
	sodium_memzero(memory, sizeof memory);
	return good;
}

/* ---- Lines ---- */

static void print_line(const char *word, const uint8_t key[OBI_KEYS_KEY], const char *comment,
		       char ret[OBI_KEYS_LINE])
{
	char text[BASE64];
	sodium_bin2base64(text, sizeof text, key, OBI_KEYS_KEY, sodium_base64_VARIANT_ORIGINAL);
	snprintf(ret, OBI_KEYS_LINE, "%s %s%s%s\n", word, text, *comment != '\0' ? " " : "",
		 comment);
	sodium_memzero(text, sizeof text);
}

void obi_key_secret_line(const struct obi_key_pair *pair, char ret[OBI_KEYS_LINE])
{
	/* The seed is the first half of libsodium's secret key. */
	print_line(kind, pair->secret, pair->comment, ret);
}

void obi_key_public_line(const struct obi_key_pair *pair, char ret[OBI_KEYS_LINE])
{
	print_line("ed25519", pair->public, pair->comment, ret);
}
