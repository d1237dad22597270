/* SPDX-License-Identifier: MIT */
#include "cli/run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool obi_terminal_exists(void)
{
	int fd = open_terminal();
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

/* A hang-up takes the terminal from each process of its session before it sends SIGHUP: ENXIO. One
 * that is under way fails with EIO, or shows by POLLHUP. Other errors, such as a lack of
 * descriptors, say nothing. */
bool obi_terminal_is_gone(void)
{
	int fd = open_terminal();
	if (fd < 0) {
		return errno == ENXIO || errno == EIO;
	}
	struct pollfd ask = {.fd = fd};
	bool gone = poll(&ask, 1, 0) > 0 && (ask.revents & (POLLHUP | POLLERR)) != 0;
	close(fd);
	return gone;
}
