/* SPDX-License-Identifier: MIT */
/* support/exchange - both ends of an authenticator, run against each other. Messages can be
 * changed in transit. */
#ifndef OB_TESTS_SUPPORT_EXCHANGE_H
#define OB_TESTS_SUPPORT_EXCHANGE_H

#include <outboard/auth.h>

enum { EXCHANGE_MESSAGES = 8, EXCHANGE_MESSAGE_MAX = 4096 };

struct exchange_message {
	size_t len;
	uint8_t bytes[EXCHANGE_MESSAGE_MAX];
};

struct exchange {
	const struct ob_auth_ops *ops;
	const struct ob_host *host;
	struct ob_auth_params params[2]; /* dialer, acceptor */
	struct ob_peer peer;

	/* May change message i in transit. May be NULL. */
	void (*meddle)(struct exchange *exchange, size_t i, struct exchange_message *message);
	void *user;

	/* After a run: the last result of each end (enum ob_auth_state, or a code), and all
	 * messages as they were sent. */
	int dialer;
	int acceptor;
	size_t count;
	struct exchange_message sent[EXCHANGE_MESSAGES];
	struct ob_error err; /* of the end that failed */
};

/* Both ends with the same secret of 32 bytes and the same prologue, which are borrowed. */
void exchange_init(struct exchange *exchange, const struct ob_auth_ops *ops,
		   const struct ob_host *host, struct ob_bytes secret, struct ob_bytes prologue);

/* Run one exchange with new objects to its end. */
void exchange_run(struct exchange *exchange);

/* Whether both ends are done. */
bool exchange_passed(const struct exchange *exchange);

/* One step of one end, into *ret. */
int exchange_step(struct exchange *exchange, struct ob_auth *end, struct ob_bytes in,
		  struct exchange_message *ret);

/* A new end. Must succeed. */
struct ob_auth *exchange_end(struct exchange *exchange, enum ob_auth_role role);

static inline struct ob_bytes exchange_bytes(const struct exchange_message *message)
{
	return ob_bytes_of(message->bytes, message->len);
}

#endif
