/* SPDX-License-Identifier: MIT */
#include "support/exchange.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

void exchange_init(struct exchange *exchange, const struct ob_auth_ops *ops,
		   const struct ob_host *host, struct ob_bytes secret, struct ob_bytes prologue)
{
	static const enum ob_auth_role roles[] = {OB_AUTH_DIALER, OB_AUTH_ACCEPTOR};
	memset(exchange, 0, sizeof *exchange);
	exchange->ops = ops;
	exchange->host = host;
	exchange->peer = (struct ob_peer){.size = sizeof exchange->peer, .pidfd = -1};
	for (size_t i = 0; i < 2; i++) {
		exchange->params[i] = (struct ob_auth_params){
		    .size = sizeof exchange->params[i],
		    .role = roles[i],
		    .secret = secret,
		    .peer = &exchange->peer,
		    .prologue = prologue,
		    .parent_dials = true,
		    .allowed_uid = (uint32_t)-1,
		};
	}
}

struct ob_auth *exchange_end(struct exchange *exchange, enum ob_auth_role role)
{
	struct ob_auth *end = NULL;
	const struct ob_auth_params *params = &exchange->params[role == OB_AUTH_ACCEPTOR];
	assert_int_equal(exchange->ops->create(exchange->host, params, &end, &exchange->err),
			 OB_OK);
	assert_non_null(end);
	return end;
}

int exchange_step(struct exchange *exchange, struct ob_auth *end, struct ob_bytes in,
		  struct exchange_message *ret)
{
	struct ob_sink out = ob_sink_fixed(ret->bytes, sizeof ret->bytes);
	int rc = exchange->ops->step(end, in, &out, &exchange->err);
	ret->len = out.len;
	return rc;
}

/* The message that arrives, given the one that was just sent. */
static struct exchange_message carry(struct exchange *exchange)
{
	struct exchange_message message = exchange->sent[exchange->count];
	if (exchange->meddle != NULL) {
		exchange->meddle(exchange, exchange->count, &message);
	}
	exchange->count++;
	return message;
}

/* Exchange messages until an end fails, or until the acceptor is done and the dialer has its
 * last message. */
static void alternate(struct exchange *exchange, struct ob_auth *dialer, struct ob_auth *acceptor)
{
	struct exchange_message arrived = {.len = 0};
	while (exchange->count + 2 <= EXCHANGE_MESSAGES) {
		struct ob_bytes in = exchange_bytes(&arrived);
		exchange->dialer =
		    exchange_step(exchange, dialer, in, &exchange->sent[exchange->count]);
		if (exchange->dialer < 0 || exchange->acceptor == OB_AUTH_DONE) {
			return;
		}
		arrived = carry(exchange);
		in = exchange_bytes(&arrived);
		exchange->acceptor =
		    exchange_step(exchange, acceptor, in, &exchange->sent[exchange->count]);
		if (exchange->acceptor < 0) {
			return;
		}
		arrived = carry(exchange);
	}
}

void exchange_run(struct exchange *exchange)
{
	struct ob_auth *dialer = exchange_end(exchange, OB_AUTH_DIALER);
	struct ob_auth *acceptor = exchange_end(exchange, OB_AUTH_ACCEPTOR);
	exchange->count = 0;
	exchange->dialer = OB_AUTH_MORE;
	exchange->acceptor = OB_AUTH_MORE;
	alternate(exchange, dialer, acceptor);
	exchange->ops->destroy(dialer);
	exchange->ops->destroy(acceptor);
}

bool exchange_passed(const struct exchange *exchange)
{
	return exchange->dialer == OB_AUTH_DONE && exchange->acceptor == OB_AUTH_DONE;
}
