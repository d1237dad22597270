/* SPDX-License-Identifier: MIT */
/*
 * outboard/codec.h - how messages look on the wire.
 *
 * A codec is stateless: it finds where a message ends (scan), turns one into a tree (decode) and
 * back (encode). All bytes come from an untrusted peer; scan sees them first and refuses what
 * decode could not take safely.
 */
#ifndef OUTBOARD_CODEC_H
#define OUTBOARD_CODEC_H

#include <outboard/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ob_message_kind {
	OB_REQUEST = 0, /* id, method, params */
	OB_RESPONSE,	/* id, and error or result */
	OB_NOTIFY,	/* method, params */
	OB_BATCH,	/* items and count, or encoded: several messages in one, where the codec's
			   protocol has that */
	OB_INVALID	/* id and error: to be answered with just these, since the protocol wants an
			   answer to it. Decoded only */
};

/* Message ids: ours are numbers that count up; a foreign peer's may be anything its codec allows.
 */
struct ob_id {
	bool foreign; /* raw holds it verbatim, as the codec wrote it; at most OB_ID_MAX bytes */
	uint32_t number;
	struct ob_bytes raw;
};
#define OB_ID_MAX 64

/* One message, decoded or to be encoded. Only the members its kind names are meaningful. */
struct ob_message {
	uint32_t size;
	uint32_t kind; /* enum ob_message_kind */
	struct ob_id id;
	struct ob_bytes method; /* UTF-8 */
	struct ob_value params; /* an array or a map */
	struct ob_value error;	/* nil: none. Ours is the map {"code": int, "message": string, ...};
				   a foreign peer's, any value */
	struct ob_value result; /* meaningful when error is nil */
	/* The messages of a batch, none of which is a batch. decode makes at least one, and at most
	 * ob_limits.batch. */
	const struct ob_message *const *items;
	uint32_t count;
	/* To be encoded, instead of items: what encode() appended for each of them, one behind
	 * another. */
	struct ob_bytes encoded;
};

/* Bounds a codec enforces, host to plugin: read under OB_HAS(). */
struct ob_limits {
	uint32_t size;
	uint32_t message; /* bytes of one message, at most */
	uint32_t depth;	  /* containers within containers, params and result counted from 1; at most
			     OB_DEPTH_MAX */
	uint32_t batch;	  /* messages in a batch, at most */
};

/* The codec's notes on one message that is still arriving. The caller sets seen to 0 before the
 * first call for a message, and touches nothing else; the notes are then still those of another. */
struct ob_scan {
	size_t seen; /* bytes looked at */
	uint64_t notes[31];
};

struct ob_codec_ops {
	uint32_t size;

	/*
	 * Find the end of the first message in bytes, and validate all of its structure, without
	 * allocating.
	 *
	 * Returns 1 and the message's whole length in *ret_len; 0 when bytes are missing, with
	 * *ret_len the least total length with which another call can get further (more than
	 * bytes.len; it is not called before that is there); or OB_EPROTO or OB_ETOOBIG for bytes
	 * that can never become an acceptable message. progress is where the codec notes how far it
	 * came, so that no byte is looked at twice however slowly a message trickles in. Counts
	 * that a peer announces are held against the bytes that are left, summed over all levels.
	 * Must be there.
	 */
	int (*scan)(struct ob_bytes bytes, struct ob_scan *progress, const struct ob_limits *limits,
		    size_t *ret_len);

	/*
	 * Decode exactly one message that scan found into *ret_message, whose size the caller has
	 * set; what a failure leaves in it means nothing. The tree is made in arena and may borrow
	 * from bytes. OB_EPROTO: not a message of this protocol (duplicate keys included);
	 * OB_ENOMEM: the arena's budget is used up. A protocol that answers what it cannot
	 * understand makes an OB_INVALID instead of failing with OB_EPROTO; that kind and OB_BATCH
	 * are for callers whose ob_message has them (test with OB_HAS(ret_message, encoded)). Must
	 * be there.
	 */
	int (*decode)(struct ob_bytes bytes, struct ob_arena *arena, const struct ob_limits *limits,
		      struct ob_message *ret_message, struct ob_error *reterr);

	/*
	 * Append the message to out, its terminator included. OB_EINVAL: a value this codec cannot
	 * carry (an infinity, bad UTF-8); OB_ENOMEM: out is full. What was appended before a
	 * failure is for the caller to cut off. Must be there.
	 */
	int (*encode)(const struct ob_message *message, struct ob_sink *out,
		      struct ob_error *reterr);
};

#ifdef __cplusplus
}
#endif
#endif
