/* SPDX-License-Identifier: MIT */
#include "auth/keys/authorized_file.h"

#include <stdio.h>
#include <stdlib.h>

static void forget(struct obi_authorized_file *file)
{
	obi_authorized_free(&file->list);
	free(file->text);
	file->text = NULL;
	file->good = false;
}

static bool load(struct obi_authorized_file *file, char why[OBI_KEYS_WHY])
{
	char fault[OBI_KEYS_WHY];
	file->text = malloc(OBI_AUTHORIZED_BYTES);
	if (file->text == NULL) {
		snprintf(why, OBI_KEYS_WHY, "%.300s: out of memory", file->path);
		return false;
	}
	struct ob_sink text = ob_sink_fixed(file->text, OBI_AUTHORIZED_BYTES);
	if (!obi_small_file_read(file->path, OBI_LINKS_REFUSED, 0022, &text, &file->stamp, why)) {
		return false;
	}
	uint8_t *smaller = realloc(file->text, text.len > 0 ? text.len : 1);
	file->text = smaller != NULL ? smaller : file->text;
	if (!obi_authorized_parse(ob_bytes_of(file->text, text.len), &file->list, fault)) {
		snprintf(why, OBI_KEYS_WHY, "%.250s:%.140s", file->path, fault);
		return false;
	}
	return true;
}

bool obi_authorized_file_refresh(struct obi_authorized_file *file, char why[OBI_KEYS_WHY])
{
	if (file->good && obi_small_file_unchanged(file->path, &file->stamp)) {
		return true;
	}
	forget(file);
	file->good = load(file, why);
	if (!file->good) {
		forget(file);
	}
	return file->good;
}

void obi_authorized_file_clear(struct obi_authorized_file *file)
{
	forget(file);
	free(file->path);
	file->path = NULL;
}
