/* SPDX-License-Identifier: MIT */
/*
 * The bearer authenticator: the dialer sends the token as "Bearer <64 hex digits>", and the
 * acceptor compares.
 *
 * The acceptor proves nothing, and anyone who can read the connection learns the token, so the
 * mechanism is OB_AUTH_LOCAL_ONLY. It exists for peers that support nothing else; `token` costs one
 * more message and has neither weakness.
 */
#include "auth/common/exchange.h"

#include <sodium.h>

enum { PREFIX = 7, CREDENTIAL = PREFIX + 2 * OBI_TOKEN_BYTES };

struct ob_auth {
	struct obi_exchange exchange;
	struct ob_bytes secret;
};

/* The credential, with a NUL behind it. The caller wipes it. */
static void write_credential(const struct ob_auth *auth, char credential[CREDENTIAL + 1])
{
	memcpy(credential, "Bearer ", PREFIX);
	sodium_bin2hex(credential + PREFIX, 2 * OBI_TOKEN_BYTES + 1, auth->secret.data,
		       OBI_TOKEN_BYTES);
}

static int dialer_sends(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			struct ob_error *reterr)
{
	char credential[CREDENTIAL + 1];
	if (in.len != 0) {
		return obi_exchange_refuse(auth, reterr);
	}
	write_credential(auth, credential);
	bool fits = ob_sink_put(out, credential, CREDENTIAL);
	sodium_memzero(credential, sizeof credential);
	if (!fits) {
		return obi_exchange_no_room(auth, reterr);
	}
	auth->exchange.next = obi_exchange_end;
	return OB_AUTH_MORE;
}

static int acceptor_compares(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			     struct ob_error *reterr)
{
	char credential[CREDENTIAL + 1];
	(void)out;
	write_credential(auth, credential);
	bool equal = in.len == CREDENTIAL && sodium_memcmp(in.data, credential, CREDENTIAL) == 0;
	sodium_memzero(credential, sizeof credential);
	return equal ? OB_AUTH_DONE : obi_exchange_refuse(auth, reterr);
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	static obi_auth_step *const first[] = {dialer_sends, acceptor_compares};
	int rc =
	    obi_exchange_new(host, params, "bearer", first, sizeof **ret_auth, ret_auth, reterr);
	if (rc == OB_OK) {
		(*ret_auth)->secret = params->secret;
	}
	return rc;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_LOCAL_ONLY | OB_AUTH_NEEDS_SECRET,
    .create = create,
    .step = obi_exchange_step,
    .destroy = obi_exchange_destroy,
};

static const struct ob_plugin bearer = {
    .size = sizeof bearer,
    .kind = OB_PLUGIN_AUTH,
    .name = "bearer",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&bearer);
