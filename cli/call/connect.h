/* SPDX-License-Identifier: MIT */
/* connect - a client of a running `outboard run`. */
#ifndef OBI_CLI_CALL_CONNECT_H
#define OBI_CLI_CALL_CONNECT_H

#include <outboard/outboard.h>

/* Write "unix://DIR/FILE", percent-encoded, into address. */
int obi_unix_address(const char *dir, const char *file, char *address, size_t size,
		     struct ob_error *reterr);

/*
 * Connect to the `outboard run` of this data_root. *ret_runs (may be NULL), on failure: it runs all
 * the same, since it has the lock, and the error names its pid where that is known. Else OB_ENOENT
 * or OB_EREFUSED: none runs there.
 */
int obi_connect_supervisor(ob_runtime *rt, const char *root, ob_client **ret, bool *ret_runs,
			   struct ob_error *reterr);

/*
 * Whether the peer answers on a new connection. Without an exchange of its own, as with `peercred`
 * alone, a connection that is refused is open at first, and a call on it would be lost: was it
 * executed? So ask before the call. Not for servers of another make (mechanism "none").
 */
int obi_connection_confirm(ob_client *client, int64_t timeout_ms, struct ob_error *reterr);

/* Put who supervises this data_root before the error of a call to it, if the error is not an answer
 * of it. */
void obi_name_supervisor(const char *root, struct ob_error *err);

/* What is left of a limit that began at began_ms of obi_now_ms(), at least 1. Below 0: no limit. */
int64_t obi_time_left(int64_t limit_ms, int64_t began_ms);

#endif
