/* SPDX-License-Identifier: MIT */
/*
 * auth/keys/authorized - the public keys that are let in, as in authorized_keys of SSH. A line is
 *
 *   [OPTION[,OPTION]] ed25519 BASE64 SUBJECT
 *
 *   from="ADDRESS[/BITS][,...]"      the peer's address must be one of these, or in one of these
 *   expires="2027-01-31T00:00:00Z"   from then on the key is refused
 *
 * Blank lines, and lines that begin with '#', say nothing. No two lines have the same key or the
 * same subject.
 */
#ifndef OB_AUTH_KEYS_AUTHORIZED_H
#define OB_AUTH_KEYS_AUTHORIZED_H

#include "auth/keys/key_text.h"

enum { OBI_AUTHORIZED_KEYS = 4096, OBI_AUTHORIZED_BYTES = 256 * 1024 };

struct obi_authorized_key {
	uint8_t key[OBI_KEYS_KEY];
	struct ob_bytes subject;
	struct ob_bytes from; /* a valid list; empty: from everywhere */
	int64_t expires;      /* seconds since 1970; INT64_MAX: never */
	uint32_t line;	      /* its number, from 1 */
};

struct obi_authorized {
	struct obi_authorized_key *keys; /* by key */
	uint32_t count;
};

/*
 * Read one line, without its newline, that is neither blank nor a comment. *ret borrows from it. On
 * failure *why says what is wrong with it. Whether the key is a point of the curve is not checked,
 * since that takes long: no signature of another is ever valid.
 */
bool obi_authorized_line(struct ob_bytes line, struct obi_authorized_key *ret,
			 char why[OBI_KEYS_WHY]);

/* Read a whole file. *ret borrows from text; free it with obi_authorized_free(). On failure *ret is
 * empty, and *why is "LINE: REASON". */
bool obi_authorized_parse(struct ob_bytes text, struct obi_authorized *ret, char why[OBI_KEYS_WHY]);
void obi_authorized_free(struct obi_authorized *list);

/* The key; NULL: it is not in the list. */
const struct obi_authorized_key *obi_authorized_find(const struct obi_authorized *list,
						     const uint8_t key[OBI_KEYS_KEY]);

/*
 * NULL if the key may be used by a peer at this address now; else why not: a text to follow the
 * subject. address is what a transport reports, with or without a port; NULL: unknown. now is in
 * seconds since 1970.
 */
const char *obi_authorized_refusal(const struct obi_authorized_key *key, const char *address,
				   int64_t now);

#endif
