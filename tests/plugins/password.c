/* SPDX-License-Identifier: MIT */
/* A mechanism that shows a password: once as it should be, behind a seal only, and once without
 * that flag, as password-bare. */
#include <outboard/auth.h>

#include <stdlib.h>

static const char password[] = "correct horse battery staple";

struct ob_auth {
	const struct ob_host *host;
	bool dialer;
	bool shown;
};

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	struct ob_auth *auth = calloc(1, sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "password: out of memory");
	}
	auth->host = host;
	auth->dialer = params->role == OB_AUTH_DIALER;
	*ret_auth = auth;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	bool expected = auth->dialer ? in.len == 0 : ob_bytes_is(in, password);
	if (!expected) {
		return auth->host->fail(reterr, OB_EAUTH, 0, "password: not it");
	}
	if (!auth->dialer || auth->shown) {
		return OB_AUTH_DONE;
	}
	auth->shown = true;
	return ob_sink_text(out, password) ? OB_AUTH_MORE : OB_ENOMEM;
}

static void destroy(struct ob_auth *auth)
{
	free(auth);
}

static const struct ob_auth_ops ops = {.size = sizeof ops,
				       .flags = OB_AUTH_NEEDS_SEAL,
				       .create = create,
				       .step = step,
				       .destroy = destroy};
static const struct ob_auth_ops bare = {
    .size = sizeof bare, .create = create, .step = step, .destroy = destroy};

static const struct ob_plugin plugin = {
    .size = sizeof plugin, .kind = OB_PLUGIN_AUTH, .name = "password", .version = "1", .ops = &ops};
static const struct ob_plugin bare_plugin = {.size = sizeof bare_plugin,
					     .kind = OB_PLUGIN_AUTH,
					     .name = "password-bare",
					     .version = "1",
					     .ops = &bare};

OB_PLUGIN_ENTRY(&plugin, &bare_plugin);
