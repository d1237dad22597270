/* SPDX-License-Identifier: MIT */
#include "support/netns.h"

#include "support/scratch.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

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
		return "only root can make a network namespace";
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		return "mounts cannot be made private here";
	}
	return raise_loopback() ? NULL : "a loopback cannot be set up here";
}

int netns_new(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = -1;
	if (here >= 0 && unshare(CLONE_NEWNET) == 0) {
		there = raise_loopback() ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
		if (setns(here, CLONE_NEWNET) != 0) {
			abort(); /* there is no way back */
		}
	}
	if (here >= 0) {
		close(here);
	}
	return there;
}

static bool run(const char *const *argv)
{
	pid_t pid;
	int status = -1;
	return posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) ==
		   0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

bool netns_run(int net, const char *const *argv)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool done = here >= 0 && (net < 0 || setns(net, CLONE_NEWNET) == 0) && run(argv);
	if (here < 0 || setns(here, CLONE_NEWNET) != 0) {
		abort();
	}
	close(here);
	return done;
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
