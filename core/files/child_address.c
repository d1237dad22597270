/* SPDX-License-Identifier: MIT */
#include "files/child_address.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/uri.h"

#include <stdio.h>
#include <string.h>

/* The host is not compared: listen may have a name, and rpc_addr has its number. What is dialled is
 * the host of listen in any case. */
static bool completes(const struct ob_uri *listen, const struct ob_uri *said)
{
	return ob_bytes_equal(listen->scheme, said->scheme) &&
	       ob_bytes_equal(listen->path, said->path) &&
	       (listen->port == 0 ? said->port > 0 : said->port == listen->port);
}

/* The end of the port's digits: of the whole, or of what stands before the query. */
static size_t without_query(const struct ob_uri *uri)
{
	return uri->query.data != NULL ? (size_t)(uri->query.data - uri->text.data) - 1
				       : uri->text.len;
}

/* listen with another port: the last colon before the path, or behind it, begins the old one. */
static bool put_with_port(const struct ob_uri *listen, int32_t port, struct ob_sink *out)
{
	const char *text = (const char *)listen->text.data;
	size_t end = without_query(listen), colon = end;
	char digits[16];
	while (colon > 0 && text[colon - 1] != ':') {
		colon--;
	}
	size_t rest = colon + strspn(text + colon, "0123456789");
	int n = snprintf(digits, sizeof digits, "%d", (int)port);
	return ob_sink_put(out, text, colon) && ob_sink_put(out, digits, (size_t)n) &&
	       ob_sink_put(out, text + rest, listen->text.len - rest);
}

static int write_address(const struct ob_uri *listen, const struct ob_uri *said,
			 struct ob_sink *out, struct ob_error *reterr)
{
	bool ok = listen->port == 0 ? put_with_port(listen, said->port, out)
				    : ob_sink_put(out, listen->text.data, listen->text.len);
	return ok ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "the address is too long");
}

static int judge(const char *listen, const char *rpc_addr, struct ob_arena *arena,
		 struct ob_sink *out, struct ob_error *reterr)
{
	struct ob_uri told, said;
	int r = obi_uri_parse(listen, arena, &told, reterr);
	if (r < 0) {
		return r;
	}
	if (rpc_addr == NULL && told.port != 0) {
		return write_address(&told, &told, out, reterr);
	}
	if (rpc_addr == NULL) {
		return obi_fail(reterr, OB_EPROTO, 0,
				"the child reported no port for its address %s", listen);
	}
	if (obi_uri_parse(rpc_addr, arena, &said, NULL) < 0 || !completes(&told, &said)) {
		return obi_fail(
		    reterr, OB_EPROTO, 0,
		    "the child reported the address %.200s, but its config says to listen on %s",
		    rpc_addr, listen);
	}
	return write_address(&told, &said, out, reterr);
}

int obi_child_address(const char *listen, const char *rpc_addr, struct ob_sink *out,
		      struct ob_error *reterr)
{
	struct obi_arena arena;
	obi_arena_init(&arena, 16 * 1024);
	int r = judge(listen, rpc_addr, &arena.ob, out, reterr);
	obi_arena_free(&arena);
	return r;
}
