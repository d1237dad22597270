/* SPDX-License-Identifier: MIT */
/* support/asking - a server whose clients authenticate with ask, on a thread of its own, and its
 * clients. Failures fail the test. */
#ifndef OB_TESTS_SUPPORT_ASKING_H
#define OB_TESTS_SUPPORT_ASKING_H

#include "support/asked.h"

struct asking {
	char *dir, *address;
	char *parents; /* another address, where peercred is enough */
	ob_runtime *runtime;
	ob_server *server;
	struct ob_server_options options; /* may be changed before asking_serve() */
	struct asked helper;		  /* at dir/ask */
	int fds;			  /* open at the start */
};

/* The runtime, the directory and the helper, which has this key: see asked_begin(). */
void asking_begin(struct asking *a, const char *key);

/* Serve at dir/s with these settings of ask, without braces and socket: "\"timeout\": \"1s\"".
 * Offers who.am_i, which answers the subject. */
void asking_serve(struct asking *a, const char *more);
void asking_close(struct asking *a);

/* Free all. No descriptor may be left. */
void asking_end(struct asking *a);

/* Connect with these settings of ask, as JSON, and call who.am_i. *ret_subject, which may be NULL,
 * is the answer, to be freed. */
int asking_dial(const struct asking *a, const char *settings, char **ret_subject,
		struct ob_error *reterr);

/* The same with a message of the form of support/asked.py: user and password. */
int asking_log_in(const struct asking *a, const char *user, const char *password,
		  char **ret_subject, struct ob_error *reterr);

/* The settings of ask that send this message. Free them. */
char *asking_message(const char *user, const char *password);

/* Options of a client with these settings, which are borrowed: the whole, {"auth": ...}. */
struct ob_client_options asking_client(const struct asking *a, const char *settings);

#endif
