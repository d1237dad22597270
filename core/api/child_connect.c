/* SPDX-License-Identifier: MIT */
/* Clients of a child that its files lead to. */
#include <outboard/child.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/child_directory.h"
#include "api/endpoint.h"
#include "base/error.h"
#include "base/string_list.h"
#include "files/statefile.h"

/* A unix address of a path of PATH_MAX, each byte percent-encoded. */
enum { ADDRESS_MAX = 3 * 4096 + 16 };

/* What leads to the child; the options borrow from the rest. */
struct target {
	struct ob_config config;
	char address[ADDRESS_MAX];
	char **auth;
	struct ob_client_options options;
};

static void clear(struct target *t)
{
	ob_config_clear(&t->config);
	obi_string_list_free(t->auth);
}

/* Where the parent dials it, if a parent ever did; else where the child says that it listens. */
static void find_address(const struct obi_datadir *dir, struct target *t)
{
	struct obi_statefile state;
	bool known =
	    obi_statefile_read(dir, &state, NULL) == OB_OK && state.address[0] != '\0' &&
	    strlen(state.address) < sizeof state.address - 1; /* a longer one is cut there */
	const char *said = t->config.rpc_addr != NULL && t->config.ready ? t->config.rpc_addr : "";
	snprintf(t->address, sizeof t->address, "%s", known ? state.address : said);
}

static int read_directory(const struct obi_datadir *dir, struct target *t, struct ob_error *reterr)
{
	int r = obi_datadir_read_config(dir, &t->config, reterr);
	if (r == OB_ENOENT) {
		return obi_fail(reterr, OB_EDOWN, 0, "%s: no child is running", dir->path);
	}
	if (r < 0) {
		return r;
	}
	find_address(dir, t);
	if (t->address[0] == '\0') {
		return obi_fail(reterr, OB_EDOWN, 0, "%s: the child is not ready", dir->path);
	}
	t->auth = t->config.auth != NULL ? obi_string_list_split(t->config.auth, ',') : NULL;
	return t->config.auth == NULL || t->auth != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* On failure *t needs no clear(). */
static int find_target(struct ob_runtime *rt, const char *data_path, int64_t timeout_ms,
		       struct target *t, struct ob_error *reterr)
{
	struct obi_datadir dir = OBI_DATADIR_NONE;
	t->config = (struct ob_config){.size = sizeof t->config};
	t->auth = NULL;
	int r = obi_child_directory_open(data_path, &dir, reterr);
	r = r == OB_OK ? read_directory(&dir, t, reterr) : r;
	obi_enter(rt);
	t->options = (struct ob_client_options){
	    .size = sizeof t->options,
	    .address = t->address,
	    .codec = t->config.codec,
	    .auth = (const char *const *)t->auth,
	    .token = t->config.token,
	    .connect_timeout_ms = timeout_ms,
	    .allow_plaintext = t->config.allow_plaintext, /* what its parent allows */
	    .allowed_uid = dir.uid,
	    .transport =
		r == OB_OK ? obi_endpoint_transport_of(rt, t->config.transport, t->address) : NULL,
	};
	obi_leave(rt);
	obi_datadir_close(&dir);
	if (r < 0) {
		clear(t);
	}
	return r;
}

int ob_child_connect(ob_runtime *rt, const char *data_path, int64_t timeout_ms, ob_cancel *cancel,
		     ob_client **ret_client, struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, data_path, timeout_ms, &t, reterr);
	if (r == OB_OK) {
		r = ob_client_connect(rt, &t.options, cancel, ret_client, reterr);
		clear(&t);
	}
	return r;
}

int ob_child_connect_async(ob_runtime *rt, const char *data_path, int64_t timeout_ms,
			   ob_client_fn *done, void *user, struct ob_error *reterr)
{
	struct target t;
	int r = find_target(rt, data_path, timeout_ms, &t, reterr);
	if (r == OB_OK) {
		r = ob_client_connect_async(rt, &t.options, done, user, reterr);
		clear(&t);
	}
	return r;
}
