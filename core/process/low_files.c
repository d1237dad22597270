/* SPDX-License-Identifier: MIT */
#include "process/low_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

enum { FIRST = 4 }; /* a child has its own 0 to 3 */

/* The lock is held from borrow to return. */
static struct {
	pthread_mutex_t lock;
	unsigned holds;
	bool reserved;
	int null; /* /dev/null */
	int fds[OBI_LOW_FILES];
	int end; /* above all of fds */
} low = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void close_all(int count)
{
	for (int i = 0; i < count; i++) {
		close(low.fds[i]);
	}
	close(low.null);
}

static bool reserve(void)
{
	low.null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (low.null < 0) {
		return false;
	}
	low.end = 0;
	for (int i = 0; i < OBI_LOW_FILES; i++) {
		low.fds[i] = fcntl(low.null, F_DUPFD_CLOEXEC, FIRST);
		if (low.fds[i] < 0 || low.fds[i] >= OBI_LOW_FILES_BELOW) {
			close_all(low.fds[i] < 0 ? i : i + 1);
			return false;
		}
		low.end = low.fds[i] >= low.end ? low.fds[i] + 1 : low.end;
	}
	return true;
}

void obi_low_files_hold(void)
{
	pthread_mutex_lock(&low.lock);
	if (low.holds++ == 0) {
		low.reserved = reserve();
	}
	pthread_mutex_unlock(&low.lock);
}

void obi_low_files_release(void)
{
	pthread_mutex_lock(&low.lock);
	if (--low.holds == 0 && low.reserved) {
		close_all(OBI_LOW_FILES);
		low.reserved = false;
	}
	pthread_mutex_unlock(&low.lock);
}

static void put_back(void)
{
	for (int i = 0; i < OBI_LOW_FILES; i++) {
		(void)dup3(low.null, low.fds[i], O_CLOEXEC);
	}
}

int obi_low_files_borrow(const int sources[OBI_LOW_FILES], int ret[OBI_LOW_FILES])
{
	if (pthread_mutex_trylock(&low.lock) != 0) {
		return 0;
	}
	bool done = low.reserved;
	for (int i = 0; done && i < OBI_LOW_FILES; i++) {
		done = sources[i] < 0 || dup3(sources[i], low.fds[i], O_CLOEXEC) >= 0;
	}
	if (!done) {
		if (low.reserved) {
			put_back();
		}
		pthread_mutex_unlock(&low.lock);
		return 0;
	}
	for (int i = 0; i < OBI_LOW_FILES; i++) {
		ret[i] = sources[i] < 0 ? -1 : low.fds[i];
	}
	return low.end;
}

void obi_low_files_return(void)
{
	put_back();
	pthread_mutex_unlock(&low.lock);
}
