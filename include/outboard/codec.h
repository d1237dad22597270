/* SPDX-License-Identifier: MIT */
/*
 * outboard/codec.h - the form of messages on the wire.
 *
 * A codec has no state. It finds where a message ends (scan), turns one into a tree (decode), and
 * writes one (encode). All input comes from an untrusted peer. scan sees it first and must refuse
 * whatever decode could not handle safely.
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
	OB_BATCH,	/* several messages in one: items and count, or encoded */
	OB_INVALID	/* decoded only: id and error, which are to be sent as the answer */
};

/* The id of a message. This library's ids are numbers that count up; those of other peers may be
 * anything that the codec allows. */
struct ob_id {
	bool foreign; /* raw has the id as the codec wrote it, at most OB_ID_MAX bytes */
	uint32_t number;
	struct ob_bytes raw;
};
#define OB_ID_MAX 64

/* One message, decoded or to be encoded. Only the members that its kind names are meaningful. */
struct ob_message {
	uint32_t size;
	uint32_t kind; /* enum ob_message_kind */
	struct ob_id id;
	struct ob_bytes method; /* UTF-8 */
	struct ob_value params; /* an array or a map */
	/* nil: none. This library makes the map {"code": int, "message": string}, with "data" as a
	 * third key where there is more to say; another peer may send any value. A codec whose
	 * protocol has a form of its own for errors translates, both ways: msgpack writes the map
	 * as the array [code, message] or [code, message, data], and reads such an array as the
	 * map. */
	struct ob_value error;
	struct ob_value result; /* meaningful if error is nil */
	/* The messages of a batch, none of which is a batch. decode makes at least one and at most
	 * ob_codec_params.batch. */
	const struct ob_message *const *items;
	uint32_t count;
	/* For encode, in place of items: what encode() appended for each of them, in a row. */
	struct ob_bytes encoded;
};

/* Limits that a codec enforces, and what it may need. Read each member under OB_HAS(). */
struct ob_codec_params {
	uint32_t size;
	uint32_t message; /* bytes of one message */
	const struct ob_host *host;
	void *state; /* from configure() of the plugin; NULL: it has none */
	/* Containers within containers; params and result are the first. At most OB_DEPTH_MAX. */
	uint32_t depth;
	uint32_t batch; /* messages in a batch */
};

/*
 * The codec's notes on a message that has not arrived completely. The caller sets seen to 0 before
 * the first call for a message and changes nothing else; notes may then be those of another
 * message.
 */
struct ob_scan {
	size_t seen; /* bytes looked at */
	uint64_t notes[31];
};

struct ob_codec_ops {
	uint32_t size;
	uint32_t flags; /* none are defined: 0 */

	/*
	 * Find the end of the first message in bytes, and validate its whole structure, without
	 * allocating memory. Required. Returns
	 *
	 *   1           the message is complete; *ret_len is its length
	 *   0           bytes are missing; *ret_len is the smallest total length with which another
	 *               call can make progress, more than bytes.len. The caller waits for that
	 *   OB_EPROTO, OB_ETOOBIG   the bytes can never become an acceptable message
	 *
	 * In progress the codec notes how far it came, so that it looks at no byte twice however
	 * slowly a message arrives. Counts that a peer announces must not exceed the bytes that are
	 * left, summed over all levels.
	 */
	int (*scan)(struct ob_bytes bytes, struct ob_scan *progress,
		    const struct ob_codec_params *params, size_t *ret_len);

	/*
	 * Decode exactly one message that scan found into *ret_message. The caller has set its
	 * size; after a failure its content is undefined. The tree is made in arena and may borrow
	 * from bytes. Required.
	 *
	 *   OB_EPROTO  not a message of this protocol, or a map has equal keys
	 *   OB_ENOMEM  the budget of the arena is used up
	 *
	 * A protocol that answers messages which it cannot understand makes an OB_INVALID in place
	 * of OB_EPROTO. That kind and OB_BATCH are only for callers whose ob_message has them: test
	 * with OB_HAS(ret_message, encoded).
	 */
	int (*decode)(struct ob_bytes bytes, struct ob_arena *arena,
		      const struct ob_codec_params *params, struct ob_message *ret_message,
		      struct ob_error *reterr);

	/*
	 * Append the message to out, with its terminator. After a failure the caller removes what
	 * was appended. Required.
	 *
	 *   OB_EINVAL  a value that the codec cannot represent, such as an infinity or bad UTF-8
	 *   OB_ENOMEM  out is full
	 */
	int (*encode)(const struct ob_message *message, const struct ob_codec_params *params,
		      struct ob_sink *out, struct ob_error *reterr);

	/*
	 * scan and decode in one pass, for speed alone: a codec without it does the same. It is
	 * called before scan, once for each message, with all bytes that are there; more messages
	 * may follow, and the first one may not be complete. It must believe none of them. May be
	 * NULL. Returns
	 *
	 *   1  *ret_message is the first message, as decode makes it, and *ret_len its length
	 *   0  anything else: bytes are missing, they are refused, the budget is used up, or the
	 *      codec does not do this message at once. The caller uses scan and decode, which
	 *      decide. What was allocated in arena is freed
	 *
	 * It accepts no message that scan or decode refuses, and makes no OB_INVALID.
	 */
	int (*read)(struct ob_bytes bytes, struct ob_arena *arena,
		    const struct ob_codec_params *params, struct ob_message *ret_message,
		    size_t *ret_len);
};

#ifdef __cplusplus
}
#endif
#endif
