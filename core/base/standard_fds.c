/* SPDX-License-Identifier: MIT */
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* open() takes the lowest number that is free. */
void obi_standard_fds_fill(void)
{
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
		if (fcntl(i, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != i) {
			return; /* there is no /dev/null, or another thread was faster */
		}
	}
}
