/* SPDX-License-Identifier: MIT */
/*
 * outboard child launch PARENT COPY SOCKET COMMAND...: prepares the directory of a child that is
 * checked, and becomes the command.
 *
 *   PARENT  the pid of the process that checks
 *   COPY    where outboard.json is copied to as the command finds it
 *   SOCKET  where a socket is left that nobody listens at; empty: nowhere
 *
 * It adds keys to outboard.json that no child knows. The command is killed when the thread that
 * started it ends, so that nothing is left of a check that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/child/child.h"
#include "cli/child/subject.h"
#include "cli/report.h"

enum { FILE_MAX = 1 << 20 };

static int replace(const char *path, struct ob_bytes text, struct ob_error *reterr)
{
	char directory[PATH_MAX], file[PATH_MAX];
	snprintf(directory, sizeof directory, "%s", path);
	snprintf(file, sizeof file, "%s", path);
	int fd = open(dirname(directory), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return obi_fail(reterr, OB_EIO, errno, "%s", path);
	}
	int r = ob_file_replace(fd, basename(file), text, 0, reterr);
	close(fd);
	return r;
}

/* The tree with our keys behind its own. */
static int add_keys(const struct ob_value *tree, struct obi_arena *arena, struct ob_bytes *ret,
		    struct ob_error *reterr)
{
	struct ob_builder b;
	struct ob_value more;
	ob_builder_init(&b, &arena->ob);
	ob_build_map(&b);
	for (uint32_t i = 0; i < tree->count; i++) {
		ob_build_value(&b, tree->as.pairs[i].key);
		ob_build(&b, "v", &tree->as.pairs[i].value);
	}
	ob_build(&b, "s:{s:[nbi],s:i,s:s}", OBI_SUBJECT_KEY, "list", true, 1, "number", 42, "text",
		 "\xc3\xa9\"\\\n");
	ob_build_end(&b);
	int r = ob_builder_finish(&b, &more);
	return r == OB_OK ? ob_value_to_json(&more, NULL, &arena->ob, ret, reterr)
			  : obi_fail(reterr, r, 0, "out of memory");
}

static int mark_config(const char *config, const char *copy, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct obi_buf text;
	struct ob_value tree;
	struct ob_bytes marked;
	obi_arena_init(&arena, 16 * (size_t)FILE_MAX);
	obi_buf_init(&text, FILE_MAX);
	int r = ob_file_read(AT_FDCWD, config, (uint32_t)-1, obi_buf_sink(&text), reterr);
	r = r == OB_OK ? ob_value_from_json(obi_buf_bytes(&text), NULL, &arena.ob, &tree, reterr)
		       : r;
	r = r == OB_OK ? add_keys(&tree, &arena, &marked, reterr) : r;
	r = r == OB_OK ? replace(copy, marked, reterr) : r;
	r = r == OB_OK ? replace(config, marked, reterr) : r;
	obi_buf_free(&text);
	obi_arena_free(&arena);
	return r;
}

static int leave_socket(const char *path, struct ob_error *reterr)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof at.sun_path) {
		return obi_fail(reterr, OB_EINVAL, ENAMETOOLONG, "%s", path);
	}
	memcpy(at.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool made = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
	int sys = errno;
	if (fd >= 0) {
		close(fd);
	}
	return made ? OB_OK : obi_fail(reterr, OB_EIO, sys, "a socket at %s", path);
}

int obi_child_launch(int argc, char **argv)
{
	const char *config = getenv("OUTBOARD_CONFIG");
	struct ob_error err = {0};
	if (argc < 4 || config == NULL || atoi(argv[0]) != getppid()) {
		obi_complain("child launch: only \"outboard child check\" may run this");
		return OBI_EXIT_USAGE;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int r = mark_config(config, argv[1], &err);
	if (r == OB_OK && argv[2][0] != '\0') {
		r = leave_socket(argv[2], &err);
	}
	if (r < 0) {
		return obi_give_up("child launch", &err);
	}
	execvp(argv[3], argv + 3);
	obi_complain("%s: %s", argv[3], strerror(errno));
	return 127;
}
