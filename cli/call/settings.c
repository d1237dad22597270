/* SPDX-License-Identifier: MIT */
#include "cli/call/settings.h"

#include "base/error.h"
#include "cli/input.h"
#include "cli/report.h"

bool obi_settings_read(const char *command, const char *path, struct obi_buf *text,
		       const char **ret)
{
	struct ob_error err = {0};
	*ret = NULL;
	obi_buf_init(text, OBI_SETTINGS_MAX);
	if (path == NULL) {
		return true;
	}
	int r = obi_input_read(path, text, NULL, &err);
	if (r == OB_OK && !ob_sink_byte(obi_buf_sink(text), '\0')) {
		r = obi_fail(&err, OB_ETOOBIG, 0, "is too long");
	}
	if (r < 0) {
		obi_complain("%s: %s: %s", command, obi_input_name(path), err.text);
		return false;
	}
	*ret = (const char *)obi_buf_bytes(text).data;
	return true;
}
