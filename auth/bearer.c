/* SPDX-License-Identifier: MIT */
/*
 * The bearer authenticator: the dialer shows the token, as "Bearer <64 hex digits>", and the
 * acceptor compares.
 *
 * It proves nothing about the acceptor, and whoever reads the bytes has the token: so it is
 * OB_AUTH_LOCAL_ONLY. It is here for peers that speak it already; `token` costs one message more
 * and has neither fault.
 */
#include <outboard/auth.h>
#include <sodium.h>
#include <stdlib.h>

enum { SECRET = 32, PREFIX = 7, CREDENTIAL = PREFIX + 2 * SECRET };

struct ob_auth {
	const struct ob_host *host;
	struct ob_bytes secret;
	int (*next)(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr);
};

/* Missing, malformed or wrong: all the same to whoever tries. */
static int refused(struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_EAUTH, 0, "bearer: the peer did not authenticate");
}

/* The credential, with a NUL behind it. Wipe it after use. */
static void write_credential(const struct ob_auth *auth, char credential[CREDENTIAL + 1])
{
	memcpy(credential, "Bearer ", PREFIX);
	sodium_bin2hex(credential + PREFIX, 2 * SECRET + 1, auth->secret.data, SECRET);
}

/* ---- Steps, in the order in which each side takes them ---- */

static int over(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)in, (void)out;
	return refused(auth, reterr);
}

static int dialer_ends(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		       struct ob_error *reterr)
{
	(void)out;
	auth->next = over;
	return in.len == 0 ? OB_AUTH_DONE : refused(auth, reterr);
}

static int dialer_shows(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			struct ob_error *reterr)
{
	char credential[CREDENTIAL + 1];
	auth->next = over;
	if (in.len != 0) {
		return refused(auth, reterr);
	}
	write_credential(auth, credential);
	bool fits = ob_sink_put(out, credential, CREDENTIAL);
	sodium_memzero(credential, sizeof credential);
	if (!fits) {
		return auth->host->fail(reterr, OB_ENOMEM, 0, "bearer: no room for the token");
	}
	auth->next = dialer_ends;
	return OB_AUTH_MORE;
}

static int acceptor_compares(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			     struct ob_error *reterr)
{
	char credential[CREDENTIAL + 1];
	(void)out;
	auth->next = over;
	write_credential(auth, credential);
	bool equal = in.len == CREDENTIAL && sodium_memcmp(in.data, credential, CREDENTIAL) == 0;
	sodium_memzero(credential, sizeof credential);
	return equal ? OB_AUTH_DONE : refused(auth, reterr);
}

/* ---- Table ---- */

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	if (params->secret.len != SECRET) {
		return host->fail(reterr, OB_EINVAL, 0, "bearer: it needs a token of %d bytes",
				  SECRET);
	}
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EIO, 0,
				  "bearer: libsodium finds no source of randomness");
	}
	struct ob_auth *auth = malloc(sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "bearer: out of memory");
	}
	*auth = (struct ob_auth){
	    .host = host,
	    .secret = params->secret,
	    .next = params->role == OB_AUTH_DIALER ? dialer_shows : acceptor_compares,
	};
	*ret_auth = auth;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	return auth->next(auth, in, out, reterr);
}

static void destroy(struct ob_auth *auth)
{
	free(auth);
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_LOCAL_ONLY | OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = step,
    .destroy = destroy,
};

static const struct ob_plugin bearer = {
    .size = sizeof bearer,
    .kind = OB_PLUGIN_AUTH,
    .name = "bearer",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&bearer);
