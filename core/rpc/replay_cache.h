/* SPDX-License-Identifier: MIT */
/*
 * rpc/replay_cache - which first messages of a mechanism that seals an acceptor has answered already. Such a message can be recorded and sent again; whoever
 * does that shows that he once listened, not that he knows anything. Only messages that the mechanism took are noted, and those only who
 * has the secret can make: so nobody else can drive the older ones out.
 */
#ifndef OBI_RPC_REPLAY_CACHE_H
#define OBI_RPC_REPLAY_CACHE_H

#include <outboard/abi.h>

enum { OBI_SEEN_MAX = 256 };

/* All zero: none. */
struct obi_seen {
	uint64_t digest[OBI_SEEN_MAX];
	uint32_t next, count;
};

/* Note the message; whether it was among the last OBI_SEEN_MAX different ones. */
bool obi_seen_before(struct obi_seen *seen, struct ob_bytes message);

#endif
