/* SPDX-License-Identifier: MIT */
/* conformance/transport_trial - one promise of a transport being tried: what is open, and the
 * outcome. */
#ifndef OB_CONFORMANCE_TRANSPORT_TRIAL_H
#define OB_CONFORMANCE_TRANSPORT_TRIAL_H

#include "conformance/transport.h"
#include "conformance/suite.h"

#include <poll.h>

enum { OBI_TRIAL_STREAMS = 64, OBI_TRIAL_PATIENCE_MS = 10000 };

struct obi_trial {
	const struct obi_conform_transport *it;
	const struct ob_transport_ops *ops;
	struct ob_listener *listener;
	struct ob_listener *second;
	struct ob_dial *dial;
	struct ob_want want;			      /* of the dial */
	struct ob_stream *streams[OBI_TRIAL_STREAMS]; /* all that are open */
	uint32_t count;
	int64_t still_since; /* waited since then, and nothing moved; 0: something did */
	char uri[4200];	     /* what the listener is bound to */
	struct obi_outcome outcome;
};

/* A promise: returns early once the trial has failed. */
typedef void obi_promise_fn(struct obi_trial *trial);

struct obi_promise {
	const char *name;
	obi_promise_fn *fn;
};

/* Those about addresses and peers, those about dials, and those about bytes; each ended by a NULL
 * name. */
extern const struct obi_promise obi_promises_of_life[];
extern const struct obi_promise obi_promises_of_dials[];
extern const struct obi_promise obi_promises_of_bytes[];

/* Whether it has one connection at a time. */
bool obi_trial_is_single(const struct obi_trial *trial);

/* Parse text and call listen, or dial; the codes are theirs. */
int obi_trial_listen_at(struct obi_trial *trial, const char *text,
			const struct ob_stream_params *params, struct ob_listener **ret,
			struct ob_error *reterr);
int obi_trial_dial_at(struct obi_trial *trial, const char *text,
		      const struct ob_stream_params *params, struct ob_error *reterr);

/* Listen into trial->listener, and note trial->uri. params may be NULL. */
bool obi_trial_listen(struct obi_trial *trial);
bool obi_trial_listen_with(struct obi_trial *trial, const struct ob_stream_params *params);

/* Where the listener is reached. */
const char *obi_trial_address(const struct obi_trial *trial);

/* Go on with trial->dial, once, after waiting as it wants. The code is finish_dial's; *ret is not
 * among the streams yet. */
int obi_trial_finish(struct obi_trial *trial, struct ob_stream **ret, struct ob_error *reterr);

/*
 * What the core makes of trial->want until `end`: the events that came, or 0. extra_fd ends the
 * wait too when it is readable; -1: none.
 */
int obi_trial_heed(const struct obi_trial *trial, int64_t end, int extra_fd);

/* Whether there was room for one more stream; else it is closed. */
bool obi_trial_keep(struct obi_trial *trial, struct ob_stream *stream);

/* Take one connection, if there is one; or wait for it a while. true with *ret_server unset: try
 * again. */
bool obi_trial_accept(struct obi_trial *trial, bool wait, struct ob_stream **ret_server);

/* Dial and accept at the same time, as two processes would. Both streams are among trial->streams.
 */
bool obi_trial_connect(struct obi_trial *trial, struct ob_stream **ret_client,
		       struct ob_stream **ret_server);

/* A listener and a connection to it. */
bool obi_trial_pair(struct obi_trial *trial, struct ob_stream **ret_client,
		    struct ob_stream **ret_server);

void obi_trial_close(struct obi_trial *trial, struct ob_stream *stream);

/* How long nothing may happen, in ms. */
int obi_trial_patience(const struct obi_trial *trial);

/* poll(2) until `end`, whatever signals come. */
int obi_trial_poll(const struct obi_trial *trial, struct pollfd *wait, nfds_t count, int64_t end);

/*
 * Until one of them is ready. The patience is for all waits together until something moves: a
 * descriptor that is always ready and good for nothing ends, too. `what` did not happen then.
 */
bool obi_trial_await(struct obi_trial *trial, struct pollfd *wait, nfds_t count, const char *what);
void obi_trial_moved(struct obi_trial *trial);

/* The same, until fd is ready for events (enum ob_io). */
bool obi_trial_wait(struct obi_trial *trial, int fd, int events);

/* Write, or read, all of it, waiting where the transport says OB_EAGAIN. */
bool obi_trial_write(struct obi_trial *trial, struct ob_stream *stream, const void *data,
		     size_t len);
bool obi_trial_read(struct obi_trial *trial, struct ob_stream *stream, void *data, size_t len);

/* The stream must come to its end now, with nothing more before it. */
bool obi_trial_expect_end(struct obi_trial *trial, struct ob_stream *stream);

#endif
