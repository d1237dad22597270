/* SPDX-License-Identifier: MIT */
/* rpc/acceptor - a listener: takes connections from it as far as admission and the supply of
 * descriptors allow. */
#ifndef OBI_RPC_ACCEPTOR_H
#define OBI_RPC_ACCEPTOR_H

#include <sys/types.h>

#include <outboard/transport.h>

#include "access/admission.h"
#include "loop/loop.h"

enum { OBI_RESERVE_MAX = 16 };

/* All are required. */
struct obi_acceptor_events {
	/* Whether a connection from there gets a preauth slot. The answer is never EVICT. */
	struct obi_admission_answer (*admit)(void *user, struct obi_origin from);
	/* Serve a stream that was admitted. It belongs to the owner from here on. */
	void (*accepted)(void *user, struct ob_stream *stream, struct obi_origin from);
	/* A warning: a connection was refused, or none is accepted for a moment. from: NULL: not
	 * about one source. */
	void (*warn)(void *user, const struct obi_origin *from, const char *what, const char *why);
	void *user;
};

/* The owner sets the first part. */
struct obi_acceptor {
	struct obi_loop *loop;
	const struct ob_host *host;
	const struct ob_transport_ops *transport;
	struct obi_acceptor_events events;

	struct ob_listener *listener; /* NULL: does not listen */
	dev_t dev;		      /* of its socket file; 0, 0: it has none */
	ino_t ino;
	struct obi_io io;
	struct obi_timer pause; /* until it accepts again */
	/* Freed when there are no descriptors: to serve a connection, and the first to refuse one.
	 */
	int reserve[1 + OBI_RESERVE_MAX];
	uint32_t reserve_want;	   /* set by the owner: how many, without the first */
	uint32_t reserve_have;	   /* with the first */
	bool keeps_reserve;	   /* between listen and stop */
	struct ob_stream *waiting; /* accepted, and waits for a preauth slot; NULL: none */
};

/* Listen at uri, and begin to accept. */
int obi_acceptor_listen(struct obi_acceptor *a, const char *uri,
			const struct ob_listen_params *params, struct ob_error *reterr);

/* Listen at the same place anew, with another socket. On failure nothing has changed. */
int obi_acceptor_listen_again(struct obi_acceptor *a, const char *uri,
			      const struct ob_listen_params *params, struct ob_error *reterr);

/* Whether the socket file of uri, where it has one, is the one that was made for this listener. */
bool obi_acceptor_is_in_place(const struct obi_acceptor *a, const char *uri);

/* The address that it listens at, as a new string. NULL: out of memory. */
char *obi_acceptor_address(const struct obi_acceptor *a);

/* A preauth slot is free. */
void obi_acceptor_slot_free(struct obi_acceptor *a);

/* A connection has ended: its descriptor is free. */
void obi_acceptor_refill(struct obi_acceptor *a);

/* Stop accepting, then close the listener; both may be called again. */
void obi_acceptor_stop(struct obi_acceptor *a);
void obi_acceptor_close(struct obi_acceptor *a);

#endif
