/* SPDX-License-Identifier: MIT */
/*
 * rpc/replay_cache - the first messages of a sealing mechanism that an acceptor has answered. Such
 * a message can be recorded and replayed by a peer that does not know the secret. Only messages
 * that the mechanism accepted are stored, and making those requires the secret. So a peer without
 * the secret cannot displace older entries.
 */
#ifndef OBI_RPC_REPLAY_CACHE_H
#define OBI_RPC_REPLAY_CACHE_H

#include <outboard/abi.h>

enum { OBI_REPLAY_CACHE_MAX = 256 };

/* All zero: empty. */
struct obi_replay_cache {
	uint64_t digest[OBI_REPLAY_CACHE_MAX];
	uint32_t next, count;
};

/* Store the message. Returns whether it was among the last OBI_REPLAY_CACHE_MAX different ones. */
bool obi_replay_cache_seen(struct obi_replay_cache *seen, struct ob_bytes message);

#endif
