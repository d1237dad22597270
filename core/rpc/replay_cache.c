/* SPDX-License-Identifier: MIT */
#include "rpc/replay_cache.h"

/* FNV-1a of 64 bits. Making messages that collide requires the secret, so it gains nothing. */
static uint64_t digest_of(struct ob_bytes message)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < message.len; i++) {
		hash = (hash ^ message.data[i]) * 0x100000001b3u;
	}
	return hash;
}

bool obi_replay_cache_seen(struct obi_replay_cache *seen, struct ob_bytes message)
{
	uint64_t digest = digest_of(message);
	for (uint32_t i = 0; i < seen->count; i++) {
		if (seen->digest[i] == digest) {
			return true;
		}
	}
	seen->digest[seen->next] = digest;
	seen->next = (seen->next + 1) % OBI_REPLAY_CACHE_MAX;
	seen->count += seen->count < OBI_REPLAY_CACHE_MAX;
	return false;
}
