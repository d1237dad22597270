/* SPDX-License-Identifier: MIT */
/* auth/ask/answer - what a helper answers, checked. The helper may be wrong, or may lie. */
#ifndef OB_AUTH_ASK_ANSWER_H
#define OB_AUTH_ASK_ANSWER_H

#include <outboard/auth.h>
#include <outboard/codec.h>

enum {
	OBI_ASK_WHY = 256,   /* bytes of a reason, with its NUL */
	OBI_ASK_DATA = 4096, /* of one message of an exchange */
	OBI_ASK_SUBJECT = 255
};

enum obi_ask_word { OBI_ASK_MORE, OBI_ASK_DONE, OBI_ASK_REFUSED };

/* The views and values borrow from the message. */
struct obi_ask_answer {
	enum obi_ask_word word;
	struct ob_bytes data;	       /* MORE, DONE: for the peer; may be empty */
	const struct ob_value *state;  /* MORE: for the next question; NULL: none */
	struct ob_bytes subject;       /* DONE: of the peer; empty: none was named */
	const struct ob_value *claims; /* DONE: a map of strings; NULL: none */
	char reason[OBI_ASK_WHY];      /* REFUSED: printable; may be empty */
};

/* Whether the message is one to pass over: a notification. */
bool obi_ask_is_notification(const struct ob_message *message);

/*
 * Read the answer to the question `id`. An acceptor needs a subject with `done`. False: it is not
 * an answer, and *why is the reason.
 */
bool obi_ask_answer_read(const struct ob_message *message, uint32_t id, bool acceptor,
			 struct obi_ask_answer *ret, char why[OBI_ASK_WHY]);

#endif
