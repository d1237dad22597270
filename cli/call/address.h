/* SPDX-License-Identifier: MIT */
/* address - a server that is named by its address, and the token for it. */
#ifndef OBI_CLI_CALL_ADDRESS_H
#define OBI_CLI_CALL_ADDRESS_H

#include <outboard/outboard.h>

#include "base/buf.h"

enum { OBI_TOKEN_FILE_MAX = 4096 };

/* Read a token from a file, which contains only that, and perhaps a newline. It becomes a text in
 * out, which must be initialized. */
int obi_token_read(const char *path, struct obi_buf *out, struct ob_error *reterr);

/* How a server is reached. Each member but address may be NULL. */
struct obi_address {
	const char *address; /* URI */
	const char *codec;
	const char *auth; /* mechanisms, separated by commas */
	const char *token_file;
	const char *settings; /* of plugins */
	int64_t timeout_ms;
	bool allow_plaintext;
};

int obi_connect_address(ob_runtime *rt, const struct obi_address *to, ob_client **ret,
			struct ob_error *reterr);

#endif
