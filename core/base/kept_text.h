/* SPDX-License-Identifier: MIT */
/* base/kept_text - a text that is mostly empty, kept at its length. Zeroed: empty. */
#ifndef OBI_BASE_KEPT_TEXT_H
#define OBI_BASE_KEPT_TEXT_H

#include <stddef.h>

struct obi_kept_text {
	char *text; /* NULL: empty */
};

/* Never NULL; valid until it is set again. */
static inline const char *obi_kept_text(const struct obi_kept_text *kept)
{
	return kept->text != NULL ? kept->text : "";
}

/* Keep a copy; text may be the present one. For texts that explain something to a person: where
 * there is no memory, "out of memory" is kept in its place. */
void obi_kept_text_set(struct obi_kept_text *kept, const char *text);

/* Empty it, and free its memory. */
void obi_kept_text_clear(struct obi_kept_text *kept);

#endif
