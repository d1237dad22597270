/* SPDX-License-Identifier: MIT */
/* files/child_config - outboard.json, from bytes and to bytes. The file itself is run/file's
 * matter. */
#ifndef OBI_FILES_CHILD_CONFIG_H
#define OBI_FILES_CHILD_CONFIG_H

#include <outboard/outboard.h>

/* Files larger than this are refused, and never made. */
#define OBI_CHILD_CONFIG_MAX (1024 * 1024)

/*
 * Parse text into *ret, which the caller frees with obi_child_config_clear(). Keys that are absent,
 * null or empty become NULL, 0 or false; keys that this version does not know are kept as they
 * stand. OB_EINVAL, "parsing outboard config: ...": anything but one JSON object, duplicate keys, a
 * wrong type, a NUL in a string, a token that is not 64 hex digits, a bad pid. The text of the
 * error never quotes a value.
 */
int obi_child_config_parse(struct ob_bytes text, struct ob_config *ret, struct ob_error *reterr);

/* Append config as compact JSON: the keys in their order (token and FIFOs always, the others when
 * set), then the unknown ones. OB_EINVAL: a string is not UTF-8 or the token is malformed;
 * OB_ETOOBIG: over the sink's maximum. */
int obi_child_config_format(const struct ob_config *config, struct ob_sink *out,
			    struct ob_error *reterr);

/* Replace a string by a copy of text (NULL or "" makes NULL). The old one is wiped. OB_ENOMEM. */
int obi_child_config_set(char **field, const char *text);

/* Free and wipe everything; size stays. */
void obi_child_config_clear(struct ob_config *config);

#endif
