/* SPDX-License-Identifier: MIT */
/* files/child_config - outboard.json, from bytes and to bytes. files/file reads and writes the
 * file.
 *
 * The child can write it, so its cost is bounded: by its size, by the number of values, and by the
 * length of each text. The time that parsing takes is linear in its size. */
#ifndef OBI_FILES_CHILD_CONFIG_H
#define OBI_FILES_CHILD_CONFIG_H

#include <outboard/outboard.h>

enum {
	OBI_CHILD_CONFIG_MAX = 256 * 1024,     /* bytes; larger files are neither read nor made */
	OBI_CHILD_CONFIG_VALUES = 4096,	       /* keys, values and containers, in all */
	OBI_CHILD_CONFIG_TEXT_MAX = 4096,      /* bytes of a path, address or name */
	OBI_CHILD_CONFIG_LIST_MAX = 64 * 1024, /* bytes of a list, such as rules */
};

/*
 * Parse text into *ret, which the caller frees with obi_child_config_clear(). Keys that are absent,
 * null or empty become NULL, 0 or false. Keys that this version does not know are kept as they
 * stand. The text of an error begins with "parsing outboard config: " and never quotes a value.
 *
 * OB_EINVAL: not one JSON object, a duplicate key, a wrong type, a NUL in a string, a token that is
 * not 64 hex digits, a number or a text out of range. OB_ETOOBIG: too many bytes, values or levels.
 */
int obi_child_config_parse(struct ob_bytes text, struct ob_config *ret, struct ob_error *reterr);

/* Append config as compact JSON: first the known keys in their order (token and FIFOs always, the
 * others when set), then the unknown ones. OB_EINVAL: a string is not UTF-8 or too long, or the
 * token is malformed; OB_ETOOBIG: over the sink's maximum. */
int obi_child_config_format(const struct ob_config *config, struct ob_sink *out,
			    struct ob_error *reterr);

/* Replace a string by a copy of text; NULL or "" sets NULL. The old string is wiped. OB_ENOMEM. */
int obi_child_config_set(char **field, const char *text);

/* Free and wipe all members; size stays. */
void obi_child_config_clear(struct ob_config *config);

#endif
