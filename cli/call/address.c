/* SPDX-License-Identifier: MIT */
#include "cli/call/address.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/string_list.h"

int obi_token_read(const char *path, struct obi_buf *out, struct ob_error *reterr)
{
	int r = ob_file_read(AT_FDCWD, path, (uint32_t)-1, obi_buf_sink(out), reterr);
	if (r < 0) {
		return r;
	}
	struct ob_bytes text = obi_buf_bytes(out);
	while (text.len > 0 &&
	       (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
		text.len--;
	}
	obi_buf_truncate(out, text.len);
	if (!ob_sink_byte(obi_buf_sink(out), '\0')) {
		return obi_fail(reterr, OB_ETOOBIG, 0, "%s is too long for a token", path);
	}
	return OB_OK;
}

int obi_connect_address(ob_runtime *rt, const struct obi_address *to, ob_client **ret,
			struct ob_error *reterr)
{
	struct obi_buf token;
	char **auth = to->auth != NULL ? obi_string_list_split(to->auth, ',') : NULL;
	struct ob_client_options options = {.size = sizeof options,
					    .address = to->address,
					    .codec = to->codec,
					    .auth = (const char *const *)auth,
					    .connect_timeout_ms = to->timeout_ms,
					    .allow_plaintext = to->allow_plaintext,
					    .settings = to->settings};
	obi_buf_init(&token, OBI_TOKEN_FILE_MAX);
	int r = to->token_file != NULL ? obi_token_read(to->token_file, &token, reterr) : OB_OK;
	if (r == OB_OK) {
		options.token =
		    to->token_file != NULL ? (const char *)obi_buf_bytes(&token).data : NULL;
		r = ob_client_connect(rt, &options, NULL, ret, reterr);
	}
	obi_buf_free(&token);
	obi_string_list_free(auth);
	return r;
}
