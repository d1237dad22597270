/* SPDX-License-Identifier: MIT */
/* conformance/transport_trial - one promise of a transport under trial: what is open, and the
 * outcome. */
#ifndef OB_CONFORMANCE_TRANSPORT_TRIAL_H
#define OB_CONFORMANCE_TRANSPORT_TRIAL_H

#include "conformance/transport.h"
#include "conformance/suite.h"

#include <poll.h>

enum { OBI_TRIAL_STREAMS = 64, OBI_TRIAL_PATIENCE_MS = 10000 };
enum { OBI_EVENTS = OB_READABLE | OB_WRITABLE };

struct obi_trial {
	const struct obi_conform_transport *it;
	const struct ob_transport_ops *ops;
	struct ob_listener *listener;
	struct ob_listener *second;
	struct ob_dial *dial;
	struct ob_want want;			      /* of the dial */
	struct ob_stream *streams[OBI_TRIAL_STREAMS]; /* all open streams */
	uint32_t count;
	int64_t still_since; /* the time of the last progress while waiting; 0: no wait yet */
	char uri[4200];	     /* the address of the listener */
	struct obi_outcome outcome;
};

/* A promise returns early once the trial has failed. */
typedef void obi_promise_fn(struct obi_trial *trial);

struct obi_promise {
	const char *name;
	obi_promise_fn *fn;
};

/* Promises about addresses and peers, about dials, about handshakes, and about bytes; each list
 * ends with a NULL name. */
extern const struct obi_promise obi_promises_of_life[];
extern const struct obi_promise obi_promises_of_dials[];
extern const struct obi_promise obi_promises_of_handshakes[];
extern const struct obi_promise obi_promises_of_ends[];
extern const struct obi_promise obi_promises_of_bytes[];

/* Whether the transport has one connection at a time. */
bool obi_trial_is_single(const struct obi_trial *trial);

/* Parse text and call listen, or dial. The codes are those of the transport. */
int obi_trial_listen_at(struct obi_trial *trial, const char *text,
			const struct ob_listen_params *params, struct ob_listener **ret,
			struct ob_error *reterr);
int obi_trial_dial_at(struct obi_trial *trial, const char *text,
		      const struct ob_dial_params *params, struct ob_error *reterr);

/* Listen into trial->listener, and set trial->uri. params may be NULL. */
bool obi_trial_listen(struct obi_trial *trial);
bool obi_trial_listen_with(struct obi_trial *trial, const struct ob_listen_params *params);

/* The address that reaches the listener. */
const char *obi_trial_address(const struct obi_trial *trial);

/* Wait as trial->dial wants, and call finish_dial once. Returns its code. *ret is not in
 * trial->streams. */
int obi_trial_finish(struct obi_trial *trial, struct ob_stream **ret, struct ob_error *reterr);

/* Wait as trial->want says, until `end` at most, as the core does. Returns the events, or 0. The
 * wait also ends when extra_fd is readable; -1: none. */
int obi_trial_heed(const struct obi_trial *trial, int64_t end, int extra_fd);

/* Add the stream to the open ones. If there is no room, close it and return false. */
bool obi_trial_keep(struct obi_trial *trial, struct ob_stream *stream);

/* Accept one connection if there is one, or wait for it a while. If it returns true with
 * *ret_server unset, try again. */
bool obi_trial_accept(struct obi_trial *trial, bool wait, struct ob_stream **ret_server);

/* Dial and accept at the same time, as two processes would. Both streams are in trial->streams.
 * obi_trial_meet() leaves out the handshake. */
bool obi_trial_meet(struct obi_trial *trial, struct ob_stream **ret_client,
		    struct ob_stream **ret_server);
bool obi_trial_connect(struct obi_trial *trial, struct ob_stream **ret_client,
		       struct ob_stream **ret_server);

/* A listener and a connection to it. */
bool obi_trial_pair(struct obi_trial *trial, struct ob_stream **ret_client,
		    struct ob_stream **ret_server);

void obi_trial_close(struct obi_trial *trial, struct ob_stream *stream);

/* ---- Handshakes ---- */

/* Whether the transport has a handshake. */
bool obi_trial_shakes(const struct obi_trial *trial);

/* One end of a handshake. stream is set by the caller. */
struct obi_shake {
	struct ob_stream *stream;
	struct ob_want want;
	int state; /* of the last step: enum ob_handshake_state, or a code */
	uint32_t steps;
	struct ob_error err;
};

/* Take one step. Returns the state. */
int obi_trial_step(struct obi_trial *trial, struct obi_shake *s, int revents);

/* Whether it is neither done nor failed. */
bool obi_trial_shaking(const struct obi_shake *s);

/* Wait until `end` for what the ends want, and take a step with those that have it. other may be
 * NULL. Returns false if neither had. */
bool obi_trial_shake_on(struct obi_trial *trial, struct obi_shake *one, struct obi_shake *other,
			int64_t end);

/* The whole handshake of both ends, which must not fail. */
bool obi_trial_greet(struct obi_trial *trial, struct ob_stream *client, struct ob_stream *server);

/* Let one end go on alone for ms. It must not spin. */
bool obi_trial_rests(struct obi_trial *trial, struct obi_shake *s, int64_t ms);

/* ---- Streams ---- */

/* What the transport wants to be polled, and whether it has something to read in memory. */
struct pollfd obi_trial_watch(const struct obi_trial *trial, struct ob_stream *stream, int events);
bool obi_trial_pending(const struct obi_trial *trial, struct ob_stream *stream);

/* Wait for a stream, as obi_trial_wait() does. */
bool obi_trial_wait_stream(struct obi_trial *trial, struct ob_stream *stream, int events);

/* shutdown_write(), until it is done. */
bool obi_trial_announce(struct obi_trial *trial, struct ob_stream *stream);

/* Close the stream, with an end that is announced where the transport tells it from a cut. */
bool obi_trial_depart(struct obi_trial *trial, struct ob_stream *stream);

/* How long a lack of progress is tolerated, in ms. */
int obi_trial_patience(const struct obi_trial *trial);

/* poll(2) until `end`, resumed after signals. */
int obi_trial_poll(const struct obi_trial *trial, struct pollfd *wait, nfds_t count, int64_t end);

/* Wait until one of them is ready. The patience counts from the last progress, over several
 * waits: a descriptor that is always ready without any progress fails, too. `what` completes the
 * failure: "in N ms WHAT". */
bool obi_trial_await(struct obi_trial *trial, struct pollfd *wait, nfds_t count, const char *what);
bool obi_trial_goes_on(struct obi_trial *trial); /* the same without a wait */
void obi_trial_moved(struct obi_trial *trial);

/* The same for one descriptor and events (enum ob_io). */
bool obi_trial_wait(struct obi_trial *trial, int fd, int events);

/* Write, or read, all of it, waiting on OB_EAGAIN. */
bool obi_trial_write(struct obi_trial *trial, struct ob_stream *stream, const void *data,
		     size_t len);
bool obi_trial_read(struct obi_trial *trial, struct ob_stream *stream, void *data, size_t len);

/* The stream must end now, without further bytes. */
bool obi_trial_expect_end(struct obi_trial *trial, struct ob_stream *stream);

#endif
