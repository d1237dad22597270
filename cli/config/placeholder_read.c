/* SPDX-License-Identifier: MIT */
/* Texts with placeholders, paths, which have none, and the ranges that numbers come from. */
#include "base/number_range.h"
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
	r->used |= samples.used;
	return sample;
}

/* Those that a text of any kind has. */
static uint32_t placeholders_of(const char *text)
{
	uint32_t used = 0;
	while ((text = strchr(text, '$')) != NULL) {
		const char *end = text[1] == '{' ? strchr(text, '}') : NULL;
		if (end != NULL) {
			size_t len = (size_t)(end - text) - 2;
			used |= 1u << obi_placeholder_find(ob_bytes_of(text + 2, len));
		}
		text += text[1] == '$' ? 2 : 1;
	}
	return used & ~(1u << OBI_PLACEHOLDERS);
}

void obi_reading_note(struct obi_reading *r, const char *text)
{
	r->used |= placeholders_of(text);
}

void obi_read_path(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	const char *text = obi_reading_text(r, value);
	if (text != NULL && placeholders_of(text) != 0) {
		obi_reading_fault(r, "has a placeholder, and none is replaced here");
	} else if (text != NULL && text[0] != '/') {
		obi_reading_fault(r, "must be an absolute path");
	}
	*(const char **)at = text;
}

void obi_read_ports(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	struct obi_number_range range;
	struct ob_error err;
	obi_read_text(r, value, at, more);
	const char *text = *(const char *const *)at;
	if (text != NULL && text[0] != '\0' && obi_range_of_ports(text, &range, &err) < 0) {
		obi_reading_fault(r, err.text);
	}
}

void obi_read_cids(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	struct obi_number_range range;
	struct ob_error err;
	obi_read_text(r, value, at, more);
	const char *text = *(const char *const *)at;
	if (text != NULL && text[0] != '\0' && obi_range_of_cids(text, &range, &err) < 0) {
		obi_reading_fault(r, err.text);
	}
}
