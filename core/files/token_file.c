/* SPDX-License-Identifier: MIT */
#include "files/token_file.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "files/file.h"

enum { FILE_MAX = 128 };

static bool is_token(struct ob_bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')) {
			return false;
		}
	}
	return text.len == OBI_TOKEN_SIZE - 1;
}

static struct ob_bytes without_end(struct ob_bytes text)
{
	while (text.len > 0 && memchr(" \t\r\n", text.data[text.len - 1], 4) != NULL) {
		text.len--;
	}
	return text;
}

int obi_token_file_read(const char *path, char ret[OBI_TOKEN_SIZE], struct ob_error *reterr)
{
	uint8_t bytes[FILE_MAX];
	struct ob_sink out = ob_sink_fixed(bytes, sizeof bytes);
	int r = obi_file_read(AT_FDCWD, path, 0, &out, reterr);
	struct ob_bytes text = without_end(ob_bytes_of(bytes, out.len));
	if (r == OB_OK && !is_token(text)) {
		r = obi_fail(reterr, OB_EINVAL, 0, "%s: does not hold a token of 64 hex digits",
			     path);
	}
	if (r == OB_OK) {
		memcpy(ret, text.data, text.len);
		ret[text.len] = '\0';
	}
	explicit_bzero(bytes, sizeof bytes);
	return r;
}
