/* SPDX-License-Identifier: MIT */
/*
 * base/placeholders - what texts of a child's options refer to: ${name}, ${data_path}, ${config},
 * ${token_file}, ${port} and ${cid}. $$ is a dollar; a dollar before anything but a brace stands
 * for itself.
 */
#ifndef OBI_BASE_PLACEHOLDERS_H
#define OBI_BASE_PLACEHOLDERS_H

#include "base/arena.h"

enum obi_placeholder {
	OBI_PLACEHOLDER_NAME = 0,
	OBI_PLACEHOLDER_DATA_PATH,
	OBI_PLACEHOLDER_CONFIG,
	OBI_PLACEHOLDER_TOKEN_FILE,
	OBI_PLACEHOLDER_PORT,
	OBI_PLACEHOLDER_CID,
	OBI_PLACEHOLDERS
};

/* What ${port} and ${cid} stand for; 0: not known. */
struct obi_numbers {
	uint32_t port;
	uint32_t cid;
};

/* What the placeholders stand for. NULL: a text with this one keeps it as it is written. */
struct obi_placeholders {
	const char *values[OBI_PLACEHOLDERS];
	struct obi_arena *arena; /* of the new texts */
	uint32_t used;		 /* 1 << enum obi_placeholder of each that was found in a text */
};

/* The placeholder of this name; OBI_PLACEHOLDERS: there is none. */
enum obi_placeholder obi_placeholder_find(struct ob_bytes name);

/* Set the values that a name and a data directory (may be NULL) give, with texts made in arena; the
 * others are NULL. OB_ENOMEM. */
int obi_placeholders_init(struct obi_placeholders *p, const char *name, const char *data_path,
			  struct obi_arena *arena, struct ob_error *reterr);

/* Set the values of the numbers that are known. OB_ENOMEM. */
int obi_placeholders_number(struct obi_placeholders *p, const struct obi_numbers *numbers,
			    struct ob_error *reterr);

enum obi_placeholder_flag {
	OBI_PLACEHOLDER_IN_URI = 1 << 0 /* percent-encode paths as needed */
};

/*
 * The text with its placeholders replaced; what a value contains is not replaced again. The text
 * itself if it has no dollar. flags: enum obi_placeholder_flag.
 *
 *   OB_EINVAL   "${" without "}", or with something else than a placeholder in between
 *   OB_ENOMEM   the arena is full
 */
int obi_placeholders_text(struct obi_placeholders *p, const char *text, uint32_t flags,
			  const char **ret, struct ob_error *reterr);

/* The same for a list that is ended by NULL. The list itself if no text has a dollar. */
int obi_placeholders_list(struct obi_placeholders *p, const char *const *list,
			  const char *const **ret, struct ob_error *reterr);

#endif
