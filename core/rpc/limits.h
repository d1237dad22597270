/* SPDX-License-Identifier: MIT */
/* rpc/limits - what the peer of one connection may use. */
#ifndef OBI_RPC_LIMITS_H
#define OBI_RPC_LIMITS_H

#include <outboard/runtime.h>

struct obi_rpc_limits {
	uint32_t message; /* bytes of one message */
	uint32_t preauth; /* bytes of one message before authentication */
	uint32_t depth;	  /* of nested arrays and maps */
	uint32_t calls;	  /* in flight, each way; also messages in one batch */
	uint32_t queue;	  /* bytes waiting to be written; the connection closes at twice this */
};

static inline struct obi_rpc_limits obi_rpc_limits_default(void)
{
	return (struct obi_rpc_limits){.message = OB_MESSAGE_MAX_DEFAULT,
				       .preauth = 4096,
				       .depth = OB_DEPTH_MAX,
				       .calls = 256,
				       .queue = 8u << 20};
}

/* The message limit: of the config, if it has one, else the option, else (both 0) the default.
 * OB_EINVAL: one of them is out of range. */
int obi_rpc_limits_message(int64_t config, int64_t option, uint32_t *ret, struct ob_error *reterr);

#endif
