/* SPDX-License-Identifier: MIT */
/*
 * auth/common/exchange - what the mechanisms share that exchange messages.
 *
 * struct ob_auth of such a mechanism begins with a struct obi_exchange. Each step names its
 * successor; where it names none, the exchange is over, and every further message is refused.
 */
#ifndef OB_AUTH_COMMON_EXCHANGE_H
#define OB_AUTH_COMMON_EXCHANGE_H

#include <outboard/auth.h>

enum { OBI_TOKEN_BYTES = 32 };

typedef int obi_auth_step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
			  struct ob_error *reterr);

struct obi_exchange {
	const struct ob_host *host;
	const char *name;    /* of the mechanism, static */
	const char *proof;   /* what a peer must prove to have, static; "the token" */
	size_t size;	     /* of its struct ob_auth */
	obi_auth_step *next; /* NULL: the exchange is over */
};

/*
 * Allocate a struct ob_auth of `size` bytes, all zero but for its obi_exchange. first has the first
 * step of the dialer and that of the acceptor. Returns OB_EINVAL unless params has a token of
 * OBI_TOKEN_BYTES.
 */
int obi_exchange_new(const struct ob_host *host, const struct ob_auth_params *params,
		     const char *name, obi_auth_step *const first[2], size_t size,
		     struct ob_auth **ret_auth, struct ob_error *reterr);

/* The same without a token. */
int obi_exchange_make(const struct ob_host *host, const struct ob_auth_params *params,
		      const char *name, obi_auth_step *const first[2], size_t size,
		      struct ob_auth **ret_auth, struct ob_error *reterr);

/* For ob_auth_ops. */
int obi_exchange_step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		      struct ob_error *reterr);
void obi_exchange_destroy(struct ob_auth *auth);

/*
 * OB_EAUTH. The text is the same for a message that is missing, malformed or wrong: a peer must not
 * learn which.
 */
int obi_exchange_refuse(struct ob_auth *auth, struct ob_error *reterr);

/* OB_ENOMEM: the sink is full. */
int obi_exchange_no_room(struct ob_auth *auth, struct ob_error *reterr);

/* A last step that expects no message. */
obi_auth_step obi_exchange_end;

#endif
