/* SPDX-License-Identifier: MIT */
/* settings - the file of --settings: JSON with settings of plugins. */
#ifndef OBI_CLI_CALL_SETTINGS_H
#define OBI_CLI_CALL_SETTINGS_H

#include "base/buf.h"

enum { OBI_SETTINGS_MAX = 1 << 20 };

/*
 * Read the file into text, which is initialized here and freed by the caller; "-" is standard
 * input. NULL: there is none. *ret is the text, or NULL. False after a complaint of that command.
 */
bool obi_settings_read(const char *command, const char *path, struct obi_buf *text,
		       const char **ret);

#endif
