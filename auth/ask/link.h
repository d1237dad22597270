/* SPDX-License-Identifier: MIT */
/*
 * auth/ask/link - the connection to a helper: one question at a time, and its answer. Nothing here
 * waits.
 */
#ifndef OB_AUTH_ASK_LINK_H
#define OB_AUTH_ASK_LINK_H

#include "auth/ask/settings.h"

enum { OBI_ASK_MESSAGE = 32 * 1024 }; /* bytes of a question, and of an answer */

struct obi_ask_link {
	const struct obi_ask_settings *to;
	struct ob_dial *dial;
	struct ob_stream *stream;
	struct ob_want want; /* after OB_EAGAIN */
	struct ob_sink out;  /* the question */
	size_t written;
	bool asked;  /* a part of a question has been sent */
	uint8_t *in; /* read and not taken yet */
	size_t in_len, message_len;
	size_t left; /* bytes that may still be read before the answer is complete */
	struct ob_scan scan;
};

/* A link that is not connected yet. OB_ENOMEM. Every failure of a link has its text in *reterr. */
int obi_ask_link_open(struct obi_ask_link *link, const struct obi_ask_settings *to,
		      struct ob_error *reterr);

/* Wipe, close and free, in any state. */
void obi_ask_link_close(struct obi_ask_link *link);

/* Where to write the next question, which is then sent. The last message stays until it is taken.
 */
struct ob_sink *obi_ask_link_question(struct obi_ask_link *link);

/*
 * Go on: connect, write, read.
 *
 *   OB_OK       *ret_message is complete; call obi_ask_link_take() when it is dealt with
 *   OB_EAGAIN   wait for link->want
 *   OB_EDOWN    the helper cannot be asked
 *   OB_EREMOTE  it was asked, and does not answer properly
 */
int obi_ask_link_turn(struct obi_ask_link *link, struct ob_bytes *ret_message,
		      struct ob_error *reterr);

void obi_ask_link_take(struct obi_ask_link *link);

/* How messages are coded on a link. */
struct ob_codec_params obi_ask_link_codec_params(const struct obi_ask_link *link);

/* The path of the helper's socket, for messages. */
const char *obi_ask_link_name(const struct obi_ask_link *link);

#endif
