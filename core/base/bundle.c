/* SPDX-License-Identifier: MIT */
#include "base/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20 };

static bool is_runc(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash != NULL ? slash + 1 : program;
	return strcmp(name, "runc") == 0 || strcmp(name, "crun") == 0;
}

const char *obi_bundle_of(const char *const *argv)
{
	static const char option[] = "--bundle=";
	const char *bundle = ".";
	bool runs = false;
	if (argv[0] == NULL || !is_runc(argv[0])) {
		return NULL;
	}
	for (int i = 1; argv[i] != NULL; i++) {
		runs = runs || strcmp(argv[i], "run") == 0 || strcmp(argv[i], "create") == 0;
		if (strncmp(argv[i], option, sizeof option - 1) == 0) {
			bundle = argv[i] + sizeof option - 1;
		} else if ((strcmp(argv[i], "--bundle") == 0 || strcmp(argv[i], "-b") == 0) &&
			   argv[i + 1] != NULL) {
			bundle = argv[++i];
		}
	}
	return runs ? bundle : NULL;
}

uint8_t *obi_bundle_read(const char *path, size_t *ret_len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		    st.st_size <= READ_MAX;
	size_t size = good ? (size_t)st.st_size : 0;
	uint8_t *text = good ? malloc(size) : NULL;
	ssize_t n = 1;
	*ret_len = 0;
	while (text != NULL && n > 0 && *ret_len < size) {
		n = read(fd, text + *ret_len, size - *ret_len);
		*ret_len += n > 0 ? (size_t)n : 0;
		n = n < 0 && errno == EINTR ? 1 : n;
	}
	if (fd >= 0) {
		close(fd);
	}
	return text;
}
