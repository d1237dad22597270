/* SPDX-License-Identifier: MIT */
/* support/bed - a transport under test: listen, dial and accept in one line each. A failure in a
 * must_... function fails the test. */
#ifndef OB_TESTS_SUPPORT_BED_H
#define OB_TESTS_SUPPORT_BED_H

#include <outboard/transport.h>

struct bed {
	const struct ob_transport_ops *ops;
	const struct ob_host *host;
	const char *prefix; /* "unix://": the prefix of each address */
	char *dir;	    /* a scratch directory */
	int fds;	    /* open descriptors at the start */
};

/* For a test's setup and teardown. bed_end() returns the number of descriptors that were not
 * open at the start. */
void bed_begin(struct bed *bed);
int bed_end(struct bed *bed);

/* The path of name in the bed's directory; free it. */
char *bed_path(const struct bed *bed, const char *name);

/* The functions of the transport, by address. A dial is completed, waiting as it wants. */
int bed_listen(const struct bed *bed, const char *address, struct ob_listen_params params,
	       struct ob_listener **ret_listener, struct ob_error *reterr);
int bed_dial_with(const struct bed *bed, const char *address, const struct ob_dial_params *params,
		  struct ob_stream **ret_stream, struct ob_error *reterr);
int bed_dial(const struct bed *bed, const char *address, struct ob_stream **ret_stream,
	     struct ob_error *reterr);

struct ob_listener *must_listen(const struct bed *bed, const char *address);
struct ob_stream *must_dial(const struct bed *bed, const char *address);
struct ob_stream *must_accept(const struct bed *bed, struct ob_listener *listener);

/* Wait at most 10 s for something to read, which must be exactly text. */
void must_read(const struct bed *bed, struct ob_stream *stream, const char *text);
void must_write(const struct bed *bed, struct ob_stream *stream, const char *text);

/* A listener and both ends of a connection to it. */
struct pair {
	struct ob_listener *listener;
	struct ob_stream *client;
	struct ob_stream *server;
};
struct pair must_connect(const struct bed *bed, const char *address);
void close_pair(const struct bed *bed, struct pair *pair);

#endif
