/* SPDX-License-Identifier: MIT */
#include "auth/common/exchange.h"

#include <sodium.h>
#include <stdlib.h>

static struct obi_exchange *exchange_of(struct ob_auth *auth)
{
	return (struct obi_exchange *)(void *)auth;
}

int obi_exchange_new(const struct ob_host *host, const struct ob_auth_params *params,
		     const char *name, obi_auth_step *const first[2], size_t size,
		     struct ob_auth **ret_auth, struct ob_error *reterr)
{
	if (params->secret.len != OBI_TOKEN_BYTES) {
		return host->fail(reterr, OB_EINVAL, 0, "%s: a token of %d bytes is required", name,
				  OBI_TOKEN_BYTES);
	}
	return obi_exchange_make(host, params, name, first, size, ret_auth, reterr);
}

int obi_exchange_make(const struct ob_host *host, const struct ob_auth_params *params,
		      const char *name, obi_auth_step *const first[2], size_t size,
		      struct ob_auth **ret_auth, struct ob_error *reterr)
{
	if (sodium_init() < 0) {
		return host->fail(reterr, OB_EIO, 0, "%s: libsodium cannot be initialized", name);
	}
	struct obi_exchange *exchange = calloc(1, size);
	if (exchange == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "%s: out of memory", name);
	}
	*exchange = (struct obi_exchange){
	    .host = host,
	    .name = name,
	    .proof = "the token",
	    .size = size,
	    .next = first[params->role == OB_AUTH_DIALER ? 0 : 1],
	};
	*ret_auth = (struct ob_auth *)(void *)exchange;
	return OB_OK;
}

int obi_exchange_step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		      struct ob_error *reterr)
{
	struct obi_exchange *exchange = exchange_of(auth);
	obi_auth_step *now = exchange->next;
	exchange->next = NULL;
	return now != NULL ? now(auth, in, out, reterr) : obi_exchange_refuse(auth, reterr);
}

void obi_exchange_destroy(struct ob_auth *auth)
{
	if (auth != NULL) {
		sodium_memzero(auth, exchange_of(auth)->size);
		free(auth);
	}
}

int obi_exchange_refuse(struct ob_auth *auth, struct ob_error *reterr)
{
	const struct obi_exchange *exchange = exchange_of(auth);
	return exchange->host->fail(reterr, OB_EAUTH, 0,
				    "%s: the peer did not prove that it has %s", exchange->name,
				    exchange->proof);
}

int obi_exchange_no_room(struct ob_auth *auth, struct ob_error *reterr)
{
	const struct obi_exchange *exchange = exchange_of(auth);
	return exchange->host->fail(reterr, OB_ENOMEM, 0, "%s: no room for a message",
				    exchange->name);
}

int obi_exchange_end(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		     struct ob_error *reterr)
{
	(void)out;
	return in.len == 0 ? OB_AUTH_DONE : obi_exchange_refuse(auth, reterr);
}
