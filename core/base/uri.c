/* SPDX-License-Identifier: MIT */
#include "base/uri.h"

#include "base/error.h"

/* The rest of the URI. Everything before `end` is printable ASCII. */
struct split {
	const char *at;
	const char *end;
	struct ob_uri *uri;
	const char *wrong; /* NULL: nothing yet */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
	if (is_digit(c)) {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The unreserved characters and sub-delims of RFC 3986, and those in extra, which a component
 * allows too. */
static bool is_plain(char c, const char *extra)
{
	return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL) ||
	       (c != '\0' && strchr(extra, c) != NULL);
}

/* Whether text holds only plain characters, extra ones, and well-formed %XX. */
static bool is_component(const char *text, const char *end, const char *extra)
{
	for (; text < end; text++) {
		if (*text == '%') {
			if (end - text < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) {
				return false;
			}
			text += 2;
		} else if (!is_plain(*text, extra)) {
			return false;
		}
	}
	return true;
}

static struct ob_bytes view(const char *from, const char *to)
{
	return ob_bytes_of(from, (size_t)(to - from));
}

static const char *find(const char *from, const char *end, const char *any)
{
	while (from < end && strchr(any, *from) == NULL) {
		from++;
	}
	return from;
}

/* ---- The components, front to back ---- */

static void split_scheme(struct split *split)
{
	const char *colon = find(split->at, split->end, ":/?#");
	if (colon == split->end || strncmp(colon, "://", 3) != 0) {
		split->wrong = "it does not begin with scheme://";
		return;
	}
	if (*split->at < 'a' || *split->at > 'z') {
		split->wrong = "a scheme must begin with a lower-case letter";
		return;
	}
	for (const char *c = split->at; c < colon; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !is_digit(*c) && strchr("+.-", *c) == NULL) {
			split->wrong = "a scheme may contain only lower-case letters, digits, '+', "
				       "'.' and '-'";
			return;
		}
	}
	split->uri->scheme = view(split->at, colon);
	split->at = colon + 3;
}

/* A port is decimal and has at most 31 bits, as vsock allows. Each transport has its own
 * maximum. */
static void set_port(struct split *split, const char *digits, const char *end)
{
	int64_t port = 0;
	if (digits == end) {
		split->wrong = "the port is empty";
		return;
	}
	for (; digits < end && is_digit(*digits) && port <= INT32_MAX; digits++) {
		port = port * 10 + (*digits - '0');
	}
	if (digits < end || port > INT32_MAX) {
		split->wrong = "the port is not a number of at most 31 bits";
		return;
	}
	split->uri->port = (int32_t)port;
}

static bool is_ip_literal(const char *from, const char *end)
{
	const char *zone = find(from, end, "%");
	for (const char *c = from; c < zone; c++) {
		if (hex_value(*c) < 0 && *c != ':' && *c != '.') {
			return false;
		}
	}
	return from < zone && is_component(zone, end, "");
}

/* [literal]:port; split->at is behind the bracket. */
static void split_literal(struct split *split, const char *end)
{
	const char *close = find(split->at, end, "]");
	if (close == end || !is_ip_literal(split->at, close)) {
		split->wrong = "[...] is not an IPv6 address";
		return;
	}
	split->uri->host = view(split->at, close);
	if (close + 1 < end && close[1] != ':') {
		split->wrong = "only a port may follow [...]";
	} else if (close + 1 < end) {
		set_port(split, close + 2, end);
	}
}

static void split_name(struct split *split, const char *end)
{
	const char *colon = find(split->at, end, ":");
	if (!is_component(split->at, colon, "")) {
		split->wrong = "the host has an invalid character";
		return;
	}
	split->uri->host = view(split->at, colon);
	if (colon < end) {
		set_port(split, colon + 1, end);
	}
}

static void split_authority(struct split *split)
{
	const char *end = find(split->at, split->end, "/?#");
	if (split->at < end && *split->at == '[') {
		split->at++;
		split_literal(split, end);
	} else {
		split_name(split, end);
	}
	split->at = end;
}

/* Compare the scheme behind the last '+': it determines the form of the address, whatever wraps
 * it. */
static bool is_scheme(const struct ob_uri *uri, const char *name)
{
	struct ob_bytes last = uri->scheme;
	for (size_t i = 0; i < uri->scheme.len; i++) {
		if (uri->scheme.data[i] == '+') {
			last = ob_bytes_of(uri->scheme.data + i + 1, uri->scheme.len - i - 1);
		}
	}
	return ob_bytes_is(last, name);
}

/* hvsock:///path:port */
static void split_path_port(struct split *split, const char **end)
{
	const char *colon = *end;
	while (colon > split->at && colon[-1] != ':' && colon[-1] != '/') {
		colon--;
	}
	if (colon > split->at && colon[-1] == ':') {
		set_port(split, colon, *end);
		*end = colon - 1;
	}
}

static void split_path(struct split *split)
{
	const char *end = find(split->at, split->end, "?#");
	const char *next = end;
	bool hybrid = is_scheme(split->uri, "hvsock");
	if (hybrid || is_scheme(split->uri, "unix")) {
		if (split->uri->host.len > 0 || split->uri->port >= 0 || split->at == end) {
			split->wrong = "an absolute path is required after scheme://, as in "
				       "unix:///run/x.sock";
			return;
		}
	}
	if (hybrid) {
		split_path_port(split, &end);
	}
	if (!is_component(split->at, end, "/:@")) {
		split->wrong = "the path has a character that must be percent-encoded";
	}
	split->uri->path = view(split->at, end);
	split->at = next;
}

static void split_query(struct split *split)
{
	if (split->at < split->end && *split->at == '?') {
		split->at++;
		const char *end = find(split->at, split->end, "#");
		if (!is_component(split->at, end, "/:@?")) {
			split->wrong = "the query has a character that must be percent-encoded";
		}
		split->uri->query = view(split->at, end);
		split->at = end;
	}
	if (split->at < split->end && split->wrong == NULL) {
		split->wrong = "a fragment is not allowed";
	}
}

/* ---- The whole URI ---- */

enum { URI_MAX = 4096 };

/* Replace the path by its decoded copy. */
static int decode_path(struct ob_uri *uri, struct ob_arena *arena, const char **ret_wrong)
{
	const char *raw = (const char *)uri->path.data;
	uint8_t *path = ob_arena_alloc(arena, uri->path.len + 1);
	size_t n = 0;
	if (path == NULL) {
		return OB_ENOMEM;
	}
	for (size_t i = 0; i < uri->path.len; i++) {
		int byte = raw[i];
		if (byte == '%') {
			byte = hex_value(raw[i + 1]) * 16 + hex_value(raw[i + 2]);
			i += 2;
		}
		if (byte == 0) {
			*ret_wrong = "the path contains %00";
			return OB_EINVAL;
		}
		path[n++] = (uint8_t)byte;
	}
	path[n] = '\0';
	uri->path = ob_bytes_of(path, n);
	return OB_OK;
}

/* The URI in the message is cut to the length of a line, and what is not printable becomes
 * '?'. */
static int refuse(const char *text, int code, const char *wrong, struct ob_error *reterr)
{
	char shown[160];
	size_t n = 0;
	for (; text[n] != '\0' && n < sizeof shown - 1; n++) {
		shown[n] = text[n] > ' ' && text[n] < 0x7f ? text[n] : '?';
	}
	shown[n] = '\0';
	return obi_fail(reterr, code, 0, "address \"%s%s\": %s", shown,
			text[n] != '\0' ? "..." : "", wrong);
}

static void split_all(struct split *split)
{
	static void (*const steps[])(struct split *) = {split_scheme, split_authority, split_path,
							split_query};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && split->wrong == NULL; i++) {
		steps[i](split);
	}
}

int obi_uri_parse(const char *text, struct ob_arena *arena, struct ob_uri *ret,
		  struct ob_error *reterr)
{
	struct ob_uri uri = {.size = sizeof uri, .port = -1};
	size_t len = strnlen(text, URI_MAX + 1);
	struct split split = {text, text + len, &uri, NULL};
	if (len > URI_MAX) {
		return refuse(text, OB_EINVAL, "it is longer than 4096 bytes", reterr);
	}
	split_all(&split);
	int rc = split.wrong != NULL ? OB_EINVAL : decode_path(&uri, arena, &split.wrong);
	if (rc < 0) {
		return refuse(text, rc, rc == OB_ENOMEM ? "out of memory" : split.wrong, reterr);
	}
	uri.text = ob_bytes_of(text, len);
	*ret = uri;
	return OB_OK;
}

bool obi_uri_path(const char *path, struct ob_sink *out)
{
	static const char hex[] = "0123456789ABCDEF";
	for (; *path != '\0'; path++) {
		uint8_t byte = (uint8_t)*path;
		if (is_plain(*path, "/:@")) {
			ob_sink_byte(out, byte);
		} else {
			char encoded[3] = {'%', hex[byte >> 4], hex[byte & 15]};
			ob_sink_put(out, encoded, sizeof encoded);
		}
	}
	return !out->failed;
}

bool obi_uri_unix(const char *path, struct ob_sink *out)
{
	return ob_sink_text(out, "unix://") && obi_uri_path(path, out);
}

/* ---- What it is of ---- */

struct ob_bytes obi_uri_socket(const struct ob_uri *uri)
{
	struct ob_bytes scheme = uri->scheme;
	const uint8_t *plus = memrchr(scheme.data, '+', scheme.len);
	size_t skipped = plus != NULL ? (size_t)(plus + 1 - scheme.data) : 0;
	return ob_bytes_of(scheme.data + skipped, scheme.len - skipped);
}

bool obi_uri_is_of_machine(const struct ob_uri *uri)
{
	struct ob_bytes socket = obi_uri_socket(uri);
	bool here = ob_bytes_is(uri->host, "local") || ob_bytes_is(uri->host, "1");
	return ob_bytes_is(socket, "hvsock") || (ob_bytes_is(socket, "vsock") && !here);
}
