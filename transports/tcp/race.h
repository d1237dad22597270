/* SPDX-License-Identifier: MIT */
/*
 * tcp/race - connect to several addresses and keep the first connection (RFC 8305, "happy
 * eyeballs"). The addresses are tried in order, each 250 ms after the one before, or as soon as one
 * has failed. The other attempts are then cancelled.
 */
#ifndef OB_TRANSPORTS_TCP_RACE_H
#define OB_TRANSPORTS_TCP_RACE_H

#include "tcp/address.h"

enum { OBI_TCP_STAGGER_MS = 250 };

struct obi_tcp_race {
	const struct ob_host *host;
	uint32_t heartbeat_ms;
	struct obi_tcp_list list;
	int fds[OBI_TCP_ADDRESSES]; /* of each address in progress; -1 otherwise */
	uint32_t next;		    /* the first address not tried yet */
	uint32_t pending;
	int64_t next_at; /* when to try `next` */
	int epoll;	 /* over all attempts; -1 if there is only one address */
	int sys;	 /* errno of the last failure ... */
	uint32_t failed; /* ... and the index of its address */
};

/* Begin with the addresses of list. Call obi_tcp_race_end() in any case, after a failure too. */
int obi_tcp_race_begin(const struct ob_host *host, const struct obi_tcp_list *list,
		       uint32_t heartbeat_ms, struct obi_tcp_race *ret, struct ob_error *reterr);

/* Check the attempts in progress and start those that are due. OB_OK: *ret_fd is connected.
 * OB_EAGAIN: wait for *ret_want. Any other result: all attempts failed. */
int obi_tcp_race_step(struct obi_tcp_race *race, int *ret_fd, struct ob_want *ret_want,
		      struct ob_error *reterr);

/* Cancel the attempts in progress. Allowed for a zeroed race with epoll -1. */
void obi_tcp_race_end(struct obi_tcp_race *race);

/* Set the options of a connection. A heartbeat of 0 sets no limit for silence. */
void obi_tcp_tune(int fd, uint32_t heartbeat_ms);

#endif
