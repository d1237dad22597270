/* SPDX-License-Identifier: MIT */
/* log_file - the file that the log goes to, and its name, for when another program moves it away.
 */
#ifndef OBI_CLI_RUN_LOG_FILE_H
#define OBI_CLI_RUN_LOG_FILE_H

#include <outboard/outboard.h>
#include <stdbool.h>

struct obi_log_file {
	char *path;  /* NULL: stdout, which is no file that has a name */
	bool is_own; /* opened for --log-file; else stdout */
	int fd;
};

/* path: that of --log-file; NULL: stdout. Close it in any case. */
int obi_log_file_open(const char *path, struct obi_log_file *ret, struct ob_error *reterr);
void obi_log_file_close(struct obi_log_file *file);

/* Open the file of this name anew, and make it if it does not exist. Whoever writes to fd must take
 * the new one. OB_ENOTSUP: there is none. On failure all stays as it is. */
int obi_log_file_reopen(struct obi_log_file *file, struct ob_error *reterr);

#endif
