/* SPDX-License-Identifier: MIT */
/*
 * rpc/replay_cache - which first messages of a mechanism that seals an acceptor has answered
 * already. Such a message can be recorded and sent again; whoever does that shows that he once
 * listened, not that he knows anything. Only messages that the mechanism took are noted, and those
 * only who has the secret can make: so nobody else can drive the older ones out.
 */
#ifndef OBI_RPC_REPLAY_CACHE_H
#define OBI_RPC_REPLAY_CACHE_H

#include <outboard/abi.h>

enum { OBI_REPLAY_CACHE_MAX = 256 };

/* All zero: none. */
struct obi_replay_cache {
	uint64_t digest[OBI_REPLAY_CACHE_MAX];
	uint32_t next, count;
};

/* Note the message; whether it was among the last OBI_REPLAY_CACHE_MAX different ones. */
bool obi_replay_cache_seen(struct obi_replay_cache *seen, struct ob_bytes message);

#endif
