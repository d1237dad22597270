/* SPDX-License-Identifier: MIT */
/*
 * support/reachable - a child that other processes can reach, over unix or tcp, and clients of it.
 * The end checks that it still serves, and that all connections of others are closed.
 */
#ifndef OB_TESTS_SUPPORT_REACHABLE_H
#define OB_TESTS_SUPPORT_REACHABLE_H

#include "support/family.h"

enum { REACHABLE_CONNECT_MS = 60000 };

/*
 * A preauth slot takes two descriptors over unix, the second is a pidfd of the peer. One connection
 * waits for a slot, and a few clients have just left.
 */
enum { SEATS = 64, DESCRIPTORS = 2 * SEATS + 8 };

struct reachable {
	struct family f;
	struct ob_config config; /* the child's */
	const char *auth[4];
	char *open_dir; /* a directory that others may enter */
	char *place;	/* "unix:PATH" or "tcp:ADDRESS:PORT" */
	char *bind;	/* what the child listens on */
	int32_t pid;
	int fds;  /* of the child, at the start */
	long rss; /* its peak in KiB, at the start */
};

void reachable_start_unix(struct reachable *bed, const char *mechanism, const char *argument);
void reachable_start_tcp(struct reachable *bed, const char *mechanism, const char *host);

/* The same, for a family that has begun, with bed->bind set. */
void reachable_start(struct reachable *bed, const char *mechanism);
void reachable_end(struct reachable *bed);

/* Connect, authenticate and call, once. */
int reachable_call(struct reachable *bed, const char *token, struct ob_error *err);

/* Enter a network that has the hosts 192.0.2.1 and 192.0.2.2: a client that dials one of them has
 * the same source address. Skips the test where that is not possible. */
void reachable_network(void);

/* The peak of the memory use of a process. */
long reachable_peak_kib(int32_t pid);

/* Whether a log line contains the text. */
bool reachable_told(const struct family *f, const char *text);

#endif
