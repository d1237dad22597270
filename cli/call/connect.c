/* SPDX-License-Identifier: MIT */
#include "cli/call/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/string_list.h"
#include "base/error.h"
#include "base/uri.h"
#include "api/endpoint.h"
#include "cli/config/load.h"
#include "files/statefile.h"

enum { PATH_SIZE = 4096, ADDRESS_MAX = 3 * PATH_SIZE + 16 };

static const char *const peercred[] = {"peercred", NULL};

int obi_unix_address(const char *dir, const char *file, char *address, size_t size,
		     struct ob_error *reterr)
{
	char path[PATH_SIZE];
	struct ob_sink out = ob_sink_fixed(address, size - 1);
	int n = snprintf(path, sizeof path, "%s/%s", dir, file);
	if (n < 0 || (size_t)n >= sizeof path || !obi_uri_unix(path, &out)) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: the path is too long", dir);
	}
	address[out.len] = '\0';
	return OB_OK;
}

/* ---- A child ---- */

int obi_open_child(const char *path, struct obi_datadir *ret, struct ob_error *reterr)
{
	struct stat st;
	char *real = realpath(path, NULL);
	if (real == NULL || stat(real, &st) < 0) {
		int sys = errno;
		free(real);
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s", path);
	}
	int r = S_ISDIR(st.st_mode)
		    ? obi_datadir_open(real, false, st.st_uid, st.st_gid, ret, reterr)
		    : obi_fail(reterr, OB_EINVAL, 0, "%s: not a directory", path);
	free(real);
	return r;
}

/* Where the parent dials it, if a parent ever did; else where the child says it listens. */
static void find_address(const struct obi_datadir *dir, const struct ob_config *config,
			 char *address, size_t size)
{
	struct obi_statefile state;
	bool known =
	    obi_statefile_read(dir, &state, NULL) == OB_OK && state.address[0] != '\0' &&
	    strlen(state.address) < sizeof state.address - 1; /* a longer one is cut there */
	const char *said = config->rpc_addr != NULL && config->ready ? config->rpc_addr : "";
	snprintf(address, size, "%s", known ? state.address : said);
}

static int dial_child(ob_runtime *rt, const struct obi_datadir *dir, const struct ob_config *config,
		      const char *address, int64_t timeout_ms, ob_client **ret,
		      struct ob_error *reterr)
{
	char **auth = config->auth != NULL ? obi_string_list_split(config->auth, ',') : NULL;
	if (config->auth != NULL && auth == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	struct ob_client_options options = {
	    .size = sizeof options,
	    .address = address,
	    .codec = config->codec,
	    .auth = (const char *const *)auth,
	    .token = config->token,
	    .connect_timeout_ms = timeout_ms,
	    .allow_plaintext = config->allow_plaintext, /* what its parent allows */
	    .allowed_uid = dir->uid,
	    .transport = obi_endpoint_transport_of(rt, config->transport, address),
	};
	int r = ob_client_connect(rt, &options, NULL, ret, reterr);
	obi_string_list_free(auth);
	return r;
}

int obi_connect_child(ob_runtime *rt, const struct obi_datadir *dir, int64_t timeout_ms,
		      ob_client **ret, struct ob_error *reterr)
{
	struct ob_config config = {.size = sizeof config};
	char address[ADDRESS_MAX] = "";
	int r = obi_datadir_read_config(dir, &config, reterr);
	if (r == OB_ENOENT) {
		return obi_fail(reterr, OB_EDOWN, 0, "%s: no child is running", dir->path);
	}
	if (r < 0) {
		return r;
	}
	find_address(dir, &config, address, sizeof address);
	if (address[0] == '\0') {
		r = obi_fail(reterr, OB_EDOWN, 0, "%s: the child is not ready", dir->path);
	} else {
		r = dial_child(rt, dir, &config, address, timeout_ms, ret, reterr);
	}
	ob_config_clear(&config);
	return r;
}

/* ---- A supervisor ---- */

int obi_connect_supervisor(ob_runtime *rt, const char *root, ob_client **ret,
			   struct ob_error *reterr)
{
	char address[ADDRESS_MAX];
	struct stat st;
	int r = obi_unix_address(root, OBI_ROOT_SOCKET, address, sizeof address, reterr);
	if (r < 0) {
		return r;
	}
	if (stat(root, &st) < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s", root);
	}
	struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = peercred, .allowed_uid = st.st_uid};
	return ob_client_connect(rt, &options, NULL, ret, reterr);
}
