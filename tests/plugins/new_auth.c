/* SPDX-License-Identifier: MIT */
/* A plugin for a newer library: its descriptor and its table have members that this library does
 * not know, and must ignore. The mechanism requires a word from the peer. */
#include <outboard/auth.h>
#include <stdlib.h>

struct future_ops {
	struct ob_auth_ops known;
	int (*rekey)(struct ob_auth *auth);
	uint64_t rekey_after;
};

struct future_plugin {
	struct ob_plugin known;
	const char *license;
};

struct ob_auth {
	const struct ob_host *host;
	uint32_t role;
};

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	struct ob_auth *auth = malloc(sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "new_auth: out of memory");
	}
	auth->host = host;
	auth->role = params->role;
	*ret_auth = auth;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	if (auth->role == OB_AUTH_DIALER) {
		ob_sink_text(out, "friend");
		return OB_AUTH_DONE;
	}
	return ob_bytes_is(in, "friend")
		   ? OB_AUTH_DONE
		   : auth->host->fail(reterr, OB_EAUTH, 0, "new_auth: not the word");
}

static void destroy(struct ob_auth *auth)
{
	free(auth);
}

static int rekey(struct ob_auth *auth)
{
	(void)auth;
	return OB_OK;
}

static const struct future_ops ops = {
    .known = {.size = sizeof ops,
	      .flags = OB_AUTH_LOCAL_ONLY,
	      .create = create,
	      .step = step,
	      .destroy = destroy},
    .rekey = rekey,
    .rekey_after = UINT64_MAX,
};

static const struct future_plugin plugin = {
    .known = {.size = sizeof plugin,
	      .kind = OB_PLUGIN_AUTH,
	      .name = "new_auth",
	      .version = "99",
	      .ops = &ops},
    .license = "MIT",
};

OB_PLUGIN_ENTRY(&plugin.known);
