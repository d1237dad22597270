/* SPDX-License-Identifier: MIT */
/* Texts with placeholders, and paths, which have none. */
#include "base/placeholders.h"
#include "cli/config/run_config_read.h"

const char *obi_reading_sample(struct obi_reading *r, const char *text)
{
	struct obi_placeholders samples = {
	    .values = {"x", "/x", "/x/outboard.json", "/x/token", "1", "3"}, .arena = r->arena};
	const char *sample;
	struct ob_error err;
	if (obi_placeholders_text(&samples, text, 0, &sample, &err) < 0) {
		obi_reading_fault(r, err.text);
		return NULL;
	}
	return sample;
}

static bool has_placeholder(const char *text)
{
	const char *end;
	while ((text = strstr(text, "${")) != NULL && (end = strchr(text, '}')) != NULL) {
		const struct ob_bytes name = ob_bytes_of(text + 2, (size_t)(end - text) - 2);
		if (obi_placeholder_find(name) != OBI_PLACEHOLDERS) {
			return true;
		}
		text += 2;
	}
	return false;
}

void obi_read_path(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	const char *text = obi_reading_text(r, value);
	if (text != NULL && has_placeholder(text)) {
		obi_reading_fault(r, "has a placeholder, and none is replaced here");
	} else if (text != NULL && text[0] != '/') {
		obi_reading_fault(r, "must be an absolute path");
	}
	*(const char **)at = text;
}
