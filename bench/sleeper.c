/* SPDX-License-Identifier: MIT */
/* The child of bench-supervise: says on the FIFO that it is given when its main() began, and sleeps
 * until it is killed, or bench-supervise ends. */
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "support/bench_child.h"

int main(int argc, char **argv)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	int fd = argc > 1 ? open(argv[1], O_WRONLY | O_NONBLOCK) : -1;
	if (fd >= 0 && write(fd, &ns, sizeof ns) < 0) {
		return 1;
	}
	close(fd);
	bench_child_follow();
	pause();
	return 0;
}
