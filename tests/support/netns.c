/* SPDX-License-Identifier: MIT */
#include "support/netns.h"

#include "support/scratch.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static bool raise_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0;
	lo.ifr_flags = (short)(lo.ifr_flags | IFF_UP);
	up = up && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return up;
}

const char *netns_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		return "namespaces are not permitted here";
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		return "mounts cannot be made private here";
	}
	return raise_loopback() ? NULL : "a loopback cannot be set up here";
}

bool netns_file(const char *dir, const char *path, const char *text)
{
	char *copy = scratch_text("%s/%s", dir, strrchr(path, '/') + 1);
	scratch_write(copy, text, strlen(text), 0644);
	bool done = mount(copy, path, NULL, MS_BIND, NULL) == 0;
	free(copy);
	return done;
}

bool netns_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0) {
		close(fd);
	}
	return done;
}
