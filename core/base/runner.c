/* SPDX-License-Identifier: MIT */
#include "base/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20 };

const char *obi_runner_name(const char *const *argv)
{
	const char *slash = argv[0] != NULL ? strrchr(argv[0], '/') : NULL;
	return slash != NULL ? slash + 1 : argv[0] != NULL ? argv[0] : "";
}

bool obi_runner_word_is_in(const char *word, const char *const *list)
{
	while (*list != NULL && strcmp(word, *list) != 0) {
		list++;
	}
	return *list != NULL;
}

/* ---- bubblewrap ---- */

static const char *const bwrap_none[] = {"--unshare-all",
					 "--unshare-user",
					 "--unshare-user-try",
					 "--unshare-ipc",
					 "--unshare-pid",
					 "--unshare-net",
					 "--unshare-uts",
					 "--unshare-cgroup",
					 "--unshare-cgroup-try",
					 "--share-net",
					 "--disable-userns",
					 "--clearenv",
					 "--new-session",
					 "--die-with-parent",
					 "--as-pid-1",
					 "--assert-userns-disabled",
					 NULL};
static const char *const bwrap_one[] = {"--userns",	"--userns2",
					"--pidns",	"--uid",
					"--gid",	"--hostname",
					"--chdir",	"--unsetenv",
					"--lock-file",	"--sync-fd",
					"--remount-ro", "--exec-label",
					"--file-label", "--proc",
					"--dev",	"--tmpfs",
					"--mqueue",	"--dir",
					"--seccomp",	"--add-seccomp-fd",
					"--block-fd",	"--userns-block-fd",
					"--info-fd",	"--json-status-fd",
					"--cap-add",	"--cap-drop",
					"--perms",	"--size",
					"--argv0",	NULL};
static const char *const bwrap_two[] = {
    "--setenv",	   "--bind",	     "--bind-try", "--dev-bind",   "--dev-bind-try",
    "--ro-bind",   "--ro-bind-try",  "--bind-fd",  "--ro-bind-fd", "--file",
    "--bind-data", "--ro-bind-data", "--symlink",  "--chmod",	   NULL};

int obi_bwrap_arity(const char *option)
{
	return obi_runner_word_is_in(option, bwrap_none)  ? 0
	       : obi_runner_word_is_in(option, bwrap_one) ? 1
	       : obi_runner_word_is_in(option, bwrap_two) ? 2
							  : -1;
}

/* ---- Bundles ---- */

const char *obi_bundle_of(const char *const *argv)
{
	static const char *const programs[] = {"runc", "crun", NULL};
	static const char option[] = "--bundle=";
	const char *bundle = ".";
	bool runs = false;
	if (!obi_runner_word_is_in(obi_runner_name(argv), programs)) {
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
