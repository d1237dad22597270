/* SPDX-License-Identifier: MIT */
/*
 * wire - a connection to the child that is checked, with blocking calls, that may also send what no
 * proper peer sends.
 *
 * Functions return OB_OK, OB_ECONNLOST when the child closed the connection, OB_ETIMEDOUT,
 * OB_ECANCELED when the check is to stop, or OB_EPROTO when what the child sent is no message.
 */
#ifndef OBI_CLI_CHILD_WIRE_H
#define OBI_CLI_CHILD_WIRE_H

#include <outboard/auth.h>
#include <outboard/codec.h>

#include "cli/child/subject.h"

enum { OBI_WIRE_MECHANISMS_MAX = 16, OBI_WIRE_SAID_MAX = 8 };

/* The plugins of a list of mechanisms, and the codec. */
struct obi_wire_plugins {
	const struct ob_codec_ops *codec;
	const struct ob_host *host;
	struct {
		char name[32];
		const struct ob_auth_ops *ops;
	} auth[OBI_WIRE_MECHANISMS_MAX];
	int count;
	int exchanges; /* how many of them exchange messages */
};

int obi_wire_plugins_find(const struct obi_subject *s, struct obi_wire_plugins *ret,
			  struct ob_error *reterr);

struct obi_wire {
	struct obi_subject *s;
	const struct obi_wire_plugins *plugins;
	int fd;
	int64_t patience; /* of each call; that of the subject at first */
	uint32_t id;	  /* of the last request */
	struct ob_codec_params params;
	struct ob_scan scan;
	struct obi_buf in;     /* bytes of messages */
	struct obi_buf out;    /* the message that is sent */
	struct obi_buf sealed; /* bytes of records */
	size_t taken;	       /* bytes of `in` that the last message took */
	struct obi_arena arena;
	struct ob_message message; /* the last one that came */
	const struct ob_auth_ops *seal;
	struct ob_auth *sealer; /* NULL: plaintext */
	/* The data of our messages of the login, to be sent again on another connection. */
	struct obi_buf said[OBI_WIRE_SAID_MAX];
	const char *said_by[OBI_WIRE_SAID_MAX]; /* the mechanism of each */
	int says;
};

/* Connect. Close it in any case. */
int obi_wire_open(struct obi_wire *w, struct obi_subject *s,
		  const struct obi_wire_plugins *plugins);
void obi_wire_close(struct obi_wire *w);

/* Send bytes as they are, in records once there is a seal. */
int obi_wire_put(struct obi_wire *w, const void *data, size_t len);

/* Send a notification. format makes the params, as ob_build(); NULL: none. */
int obi_wire_notify(struct obi_wire *w, const char *method, const char *format, ...);

/* Wait for the next message, into w->message; it is valid until the next call. */
int obi_wire_next(struct obi_wire *w);

/* The next response or batch; others are passed over, and requests of the child are refused. */
int obi_wire_answer(struct obi_wire *w);

/* Send a request with the next id, and do not wait. */
int obi_wire_ask(struct obi_wire *w, const char *method, const char *format, ...);

/* The same, and wait for its response. */
int obi_wire_call(struct obi_wire *w, const char *method, const char *format, ...);

/* Whether the last message is an error, and with which number (0: none that is understood). */
bool obi_wire_failed(const struct obi_wire *w, int64_t *ret_code);

/* Read, and drop what comes, until the child closes the connection. OB_OK: it did. */
int obi_wire_await_close(struct obi_wire *w);

/* ---- Authentication ---- */

/* What is not as it should be in a login. */
struct obi_login {
	const char *token; /* 64 hex digits; NULL: the right one */
	const char *list;  /* in the prologue; NULL: the right one */
};

/* Authenticate with all mechanisms. OB_EAUTH: it answered with an error; the code is in the
 * message. login may be NULL: all is right. */
int obi_wire_login(struct obi_wire *w, const struct obi_login *login, struct ob_error *reterr);

#endif
