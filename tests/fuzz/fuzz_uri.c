/* SPDX-License-Identifier: MIT */
/* base/uri: any text is either split or refused; a path that came out can be written as a unix
 * URI. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static bool within(struct ob_bytes part, struct ob_bytes whole)
{
	return part.len == 0 ||
	       (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_parts(const struct ob_uri *uri, struct obi_arena *arena)
{
	struct obi_buf buf;
	struct ob_uri again;
	must(within(uri->scheme, uri->text) && within(uri->host, uri->text) &&
	     within(uri->query, uri->text));
	must(uri->scheme.len > 0 && uri->port >= -1);
	must(uri->path.data[uri->path.len] == '\0' &&
	     memchr(uri->path.data, 0, uri->path.len) == NULL);
	if (uri->path.len == 0) {
		return;
	}
	must(uri->path.data[0] == '/');
	obi_buf_init(&buf, 1 << 16);
	must(obi_uri_unix((const char *)uri->path.data, obi_buf_sink(&buf)));
	ob_sink_byte(obi_buf_sink(&buf), 0);
	if (obi_buf_len(&buf) <= 4096) {
		const char *text = (const char *)obi_buf_bytes(&buf).data;
		must(obi_uri_parse(text, &arena->ob, &again, NULL) == OB_OK);
		must(ob_bytes_equal(again.path, uri->path));
	}
	obi_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_arena arena;
	struct ob_uri uri;
	struct ob_error err = {0};
	obi_arena_init(&arena, 1 << 20);
	char *text = obi_arena_text(&arena, (const char *)data, size);
	if (text != NULL && obi_uri_parse(text, &arena.ob, &uri, &err) == OB_OK) {
		check_parts(&uri, &arena);
	} else if (text != NULL) {
		must(err.code == OB_EINVAL && strpbrk(err.text, "\r\n\t") == NULL);
	}
	obi_arena_free(&arena);
	return 0;
}
