/* SPDX-License-Identifier: MIT */
#include "cli/call/connect.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/uri.h"
#include "cli/config/load.h"
#include "cli/run/root_lock.h"

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

static int connect_to(ob_runtime *rt, const char *root, ob_client **ret, struct ob_error *reterr)
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

int obi_connection_confirm(ob_client *client, int64_t timeout_ms, struct ob_error *reterr)
{
	struct ob_error err = {0};
	int r = ob_client_call(client, "outboard.ping", NULL, timeout_ms, NULL, NULL, &err);
	if (r == OB_OK || (r == OB_EREMOTE && err.remote_code != OB_RPC_REFUSED &&
			   err.remote_code != OB_RPC_CLOSING)) {
		return OB_OK; /* whatever else it answers, it takes calls */
	}
	obi_wrap(&err, "not called");
	*reterr = err;
	return r;
}

static void name_holder(const struct obi_root_holder *holder, const char *what,
			struct ob_error *err)
{
	char who[48];
	obi_root_holder_text(holder, who, sizeof who);
	obi_wrap(err, "%s%s", who, what);
}

int obi_connect_supervisor(ob_runtime *rt, const char *root, ob_client **ret, bool *ret_runs,
			   struct ob_error *reterr)
{
	int r = connect_to(rt, root, ret, reterr);
	struct obi_root_holder holder = {.held = r == OB_OK};
	if (r < 0) {
		holder = obi_root_holder(root);
	}
	if (r < 0 && holder.held) {
		name_holder(&holder, " cannot be reached", reterr);
	}
	if (ret_runs != NULL) {
		*ret_runs = holder.held;
	}
	return r;
}

void obi_name_supervisor(const char *root, struct ob_error *err)
{
	struct obi_root_holder holder = {.held = false};
	if (err->code != OB_EREMOTE) {
		holder = obi_root_holder(root);
	}
	if (holder.held) {
		name_holder(&holder, "", err);
	}
}

int64_t obi_time_left(int64_t limit_ms, int64_t began_ms)
{
	int64_t left = limit_ms - (obi_now_ms() - began_ms);
	return limit_ms < 0 ? limit_ms : left > 0 ? left : 1;
}
