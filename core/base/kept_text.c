/* SPDX-License-Identifier: MIT */
#include "base/kept_text.h"

#include <stdlib.h>
#include <string.h>

static char no_memory[] = "out of memory";

void obi_kept_text_clear(struct obi_kept_text *kept)
{
	if (kept->text != no_memory) {
		free(kept->text);
	}
	kept->text = NULL;
}

void obi_kept_text_set(struct obi_kept_text *kept, const char *text)
{
	char *copy = text[0] != '\0' ? strdup(text) : NULL;
	if (copy == NULL && text[0] != '\0') {
		copy = no_memory;
	}
	obi_kept_text_clear(kept);
	kept->text = copy;
}
