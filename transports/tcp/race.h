/* SPDX-License-Identifier: MIT */
/*
 * tcp/race - connect to the first of several addresses that answers (RFC 8305, "happy eyeballs"):
 * they are tried in order, each 250 ms after the one before, or as soon as one has failed; the
 * first connection wins and the others are given up.
 */
#ifndef OB_TRANSPORTS_TCP_RACE_H
#define OB_TRANSPORTS_TCP_RACE_H

#include "tcp/address.h"

enum { OBI_TCP_STAGGER_MS = 250 };

struct obi_tcp_race {
	const struct ob_host *host;
	uint32_t heartbeat_ms;
	struct obi_tcp_list list;
	int fds[OBI_TCP_ADDRESSES]; /* of each address that is being tried; -1 */
	uint32_t next;		    /* the first that was not tried yet */
	uint32_t pending;
	int64_t next_at; /* when to try it */
	int epoll;	 /* over all that are tried; -1: there is only one address */
	int sys;	 /* why the last one failed ... */
	uint32_t failed; /* ... and which it was */
};

/* Begin with list, which is put in order. End it with obi_tcp_race_end(), failure included. */
int obi_tcp_race_begin(const struct ob_host *host, const struct obi_tcp_list *list,
		       uint32_t heartbeat_ms, struct obi_tcp_race *ret, struct ob_error *reterr);

/* Look at what is under way and start what is due. OB_OK: *ret_fd is connected. OB_EAGAIN: wait for
 * *ret_want. Else all failed. */
int obi_tcp_race_step(struct obi_tcp_race *race, int *ret_fd, struct ob_want *ret_want,
		      struct ob_error *reterr);

/* Give up what is under way. A zeroed race with epoll -1 has nothing. */
void obi_tcp_race_end(struct obi_tcp_race *race);

/* What every connection gets. A heartbeat of 0 says nothing about how long silence may last. */
void obi_tcp_tune(int fd, uint32_t heartbeat_ms);

#endif
