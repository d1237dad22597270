/* SPDX-License-Identifier: MIT */
/* auth/ask/question - what a helper is asked: outboard-ask.step, docs/PROTOCOL.md. */
#ifndef OB_AUTH_ASK_QUESTION_H
#define OB_AUTH_ASK_QUESTION_H

#include <outboard/auth.h>
#include <outboard/codec.h>

struct obi_ask_question {
	uint32_t id;
	uint32_t role;	      /* enum ob_auth_role: of the end that asks */
	struct ob_bytes data; /* the last message of the peer */
	struct ob_bytes prologue;
	const struct ob_peer *peer;
	const struct ob_value *state; /* of the last answer; NULL: none */
};

/* Append it to out. The failures of encode(). */
int obi_ask_question_write(const struct obi_ask_question *question,
			   const struct ob_codec_ops *codec, const struct ob_codec_params *params,
			   struct ob_sink *out, struct ob_error *reterr);

#endif
