/* SPDX-License-Identifier: MIT */
/* connect - clients of a child, by its data directory alone, and of a running `outboard run`, by
 * its data_root. */
#ifndef OBI_CLI_CALL_CONNECT_H
#define OBI_CLI_CALL_CONNECT_H

#include <outboard/outboard.h>

#include "files/datadir.h"

/* "unix:///dir/file", percent-encoded, in the caller's memory. */
int obi_unix_address(const char *dir, const char *file, char *address, size_t size,
		     struct ob_error *reterr);

/* Open a data directory, whoever of the two it belongs to: us or its child. path may be relative.
 * OB_ENOENT: it is not there. */
int obi_open_child(const char *path, struct obi_datadir *ret, struct ob_error *reterr);

/*
 * Connect to the child that lives in dir, as its config says. The supervising parent is not
 * disturbed. OB_EDOWN: there is none, or it is not ready. timeout_ms: 0 is the default, negative no
 * limit.
 */
int obi_connect_child(ob_runtime *rt, const struct obi_datadir *dir, int64_t timeout_ms,
		      ob_client **ret, struct ob_error *reterr);

/* Connect to the `outboard run` of this data_root. OB_ENOENT or OB_EREFUSED: none runs there. */
int obi_connect_supervisor(ob_runtime *rt, const char *root, ob_client **ret,
			   struct ob_error *reterr);

#endif
