/* SPDX-License-Identifier: MIT */
#include "auth/ask/question.h"

enum { PEER = 6, MEMBERS = 5 };

struct members {
	struct ob_pair *pairs;
	uint32_t count;
};

static void put(struct members *m, const char *name, struct ob_value value)
{
	m->pairs[m->count++] = (struct ob_pair){ob_string(name), value};
}

/* Text of a transport need not be UTF-8: such text is left out. */
static void put_text(struct members *m, const char *name, struct ob_bytes text)
{
	if (ob_is_utf8(text)) {
		put(m, name, ob_stringn((const char *)text.data, text.len));
	}
}

/* Only what is known. */
static struct ob_value peer_of(const struct ob_peer *peer, struct ob_pair pairs[PEER])
{
	struct members m = {.pairs = pairs};
	if ((peer->known & OB_PEER_ADDRESS) != 0) {
		put_text(&m, "address", ob_bytes_text(peer->address));
	}
	if ((peer->known & OB_PEER_PID) != 0) {
		put(&m, "pid", ob_int(peer->pid));
	}
	if ((peer->known & OB_PEER_UID) != 0) {
		put(&m, "uid", ob_int(peer->uid));
		put(&m, "gid", ob_int(peer->gid));
	}
	if ((peer->known & OB_PEER_CID) != 0) {
		put(&m, "cid", ob_int(peer->cid));
	}
	if (OB_HAS(peer, subject) && (peer->known & OB_PEER_SUBJECT) != 0) {
		put_text(&m, "subject", peer->subject);
	}
	return ob_map(pairs, m.count);
}

int obi_ask_question_write(const struct obi_ask_question *q, const struct ob_codec_ops *codec,
			   const struct ob_codec_params *params, struct ob_sink *out,
			   struct ob_error *reterr)
{
	struct ob_pair peer[PEER], pairs[MEMBERS];
	struct members m = {.pairs = pairs};
	struct ob_message message = {.size = sizeof message,
				     .kind = OB_REQUEST,
				     .id = {.number = q->id},
				     .method = ob_bytes_text("outboard-ask.step")};
	put(&m, "role", ob_string(q->role == OB_AUTH_DIALER ? "dialer" : "acceptor"));
	put(&m, "data", ob_binary(q->data.data, q->data.len));
	put(&m, "prologue", ob_binary(q->prologue.data, q->prologue.len));
	put(&m, "peer", peer_of(q->peer, peer));
	put(&m, "state", q->state != NULL ? *q->state : ob_nil());
	message.params = ob_map(pairs, m.count);
	int r = codec->encode(&message, params, out, reterr);
	return r == OB_OK && out->failed ? OB_ENOMEM : r;
}
