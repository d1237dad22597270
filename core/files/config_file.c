/* SPDX-License-Identifier: MIT */
/* The public functions for outboard.json, which take a path. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "files/child_config.h"
#include "files/file.h"

int ob_config_read(const char *path, struct ob_config *ret_config, struct ob_error *reterr)
{
	/* A caller with an older header gets what it knows; the rest is kept as `extra`. */
	struct ob_config config = {.size = ret_config->size};
	struct obi_buf text;
	if (config.size < offsetof(struct ob_config, allow_plaintext)) {
		return obi_fail(reterr, OB_EINVAL, 0, "reading outboard config: size is not set");
	}
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	int r = obi_file_read(AT_FDCWD, path, geteuid(), obi_buf_sink(&text), reterr);
	if (r < 0 && reterr != NULL) {
		(void)obi_wrap(reterr, "reading outboard config");
	}
	r = r == OB_OK ? obi_child_config_parse(obi_buf_bytes(&text), &config, reterr) : r;
	obi_buf_free(&text);
	if (r == OB_OK) {
		memcpy(ret_config, &config,
		       config.size < sizeof config ? config.size : sizeof config);
	}
	return r;
}

/* Open the directory of path. *ret_name is the name in it. A rename of the directory meanwhile has
 * no effect. */
static int open_parent(const char *path, const char **ret_name, struct ob_error *reterr)
{
	const char *slash = strrchr(path, '/');
	char *dir =
	    slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "creating temp config file: out of memory");
	}
	int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int sys = errno;
	free(dir);
	if (fd < 0 && (sys == ENOENT || sys == ENOTDIR)) {
		return obi_fail(reterr, OB_ENOENT, 0,
				"creating temp config file: no such directory: %s", path);
	}
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(sys), sys,
				"creating temp config file: opening the directory of %s", path);
	}
	*ret_name = slash == NULL ? path : slash + 1;
	return fd;
}

int ob_config_write(const char *path, const struct ob_config *config, struct ob_error *reterr)
{
	struct obi_buf text;
	const char *name = path;
	int dir = open_parent(path, &name, reterr);
	if (dir < 0) {
		return dir;
	}
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	int r = obi_child_config_format(config, obi_buf_sink(&text), reterr);
	if (r == OB_OK) {
		r = obi_file_replace(dir, name, "config", obi_buf_bytes(&text), OBI_FILE_SYNC,
				     (uid_t)-1, (gid_t)-1, reterr);
	}
	obi_buf_free(&text);
	close(dir);
	return r;
}

int ob_config_set(char **field, const char *text)
{
	return obi_child_config_set(field, text);
}

void ob_config_clear(struct ob_config *config)
{
	obi_child_config_clear(config);
}
