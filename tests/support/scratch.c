/* SPDX-License-Identifier: MIT */
#include "support/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

char *scratch_make(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = scratch_text("%s/outboard-test-XXXXXX", base != NULL ? base : "/tmp");
	must(mkdtemp(dir) != NULL, dir);
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void scratch_remove(char *dir)
{
	if (dir == NULL) {
		return;
	}
	char *state = scratch_text("%s.state", dir);
	must(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, dir);
	/* Where the directory was the data directory of a child. */
	if (access(state, F_OK) == 0) {
		must(nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, state);
	}
	free(state);
	free(dir);
}

struct scratch_place scratch_make_place(void)
{
	struct scratch_place place = {.path = scratch_make()};
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(place.fd >= 0, place.path);
	return place;
}

void scratch_remove_place(struct scratch_place *place)
{
	close(place->fd);
	scratch_remove(place->path);
}

char *scratch_text(const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	must(vasprintf(&text, format, args) >= 0, "vasprintf");
	va_end(args);
	return text;
}

void scratch_write(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0, path);
	must(write(fd, data, len) == (ssize_t)len, path);
	must(fchmod(fd, mode) == 0, path);
	close(fd);
}

void scratch_copy(const char *from, const char *to, mode_t mode)
{
	struct stat st;
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &st) == 0, from);
	char *data = malloc((size_t)st.st_size + 1);
	must(data != NULL && read(fd, data, (size_t)st.st_size) == st.st_size, from);
	close(fd);
	scratch_write(to, data, (size_t)st.st_size, mode);
	free(data);
}

int scratch_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* that of the directory */
	must(dir != NULL, "/proc/self/fd");
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		count += entry->d_name[0] != '.';
	}
	closedir(dir);
	return count;
}

struct rlimit scratch_limit_fds(int spare)
{
	struct rlimit was, now;
	int held[16] = {0};
	must(getrlimit(RLIMIT_NOFILE, &was) == 0, "getrlimit");
	must(spare < (int)(sizeof held / sizeof held[0]), "so many descriptors");
	for (int i = 0; i <= spare; i++) {
		held[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		must(held[i] >= 0, "/dev/null");
	}
	now = (struct rlimit){(rlim_t)held[spare], was.rlim_max};
	for (int i = 0; i <= spare; i++) {
		close(held[i]);
	}
	must(setrlimit(RLIMIT_NOFILE, &now) == 0, "setrlimit");
	return was;
}

const char *scratch_env(const char *name)
{
	const char *value = getenv(name);
	if (value == NULL) {
		fprintf(stderr, "%s is not set: run this through ctest\n", name);
		abort();
	}
	return value;
}
