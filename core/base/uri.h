/* SPDX-License-Identifier: MIT */
/* base/uri - addresses, split as RFC 3986 says. */
#ifndef OBI_BASE_URI_H
#define OBI_BASE_URI_H

#include <outboard/abi.h>

/*
 * Split text into *ret, which points into text. Any scheme of the form [a-z][a-z0-9+.-]* is
 * accepted. "hvsock:///path:port" and "chaos+hvsock:..." take the port from the end of the path.
 * The path is percent-decoded into arena, with a NUL at the end.
 *
 * Refused, with OB_EINVAL and a text that quotes the URI: user names, fragments, characters that
 * RFC 3986 wants percent-encoded, %00, an empty port, more than 4096 bytes; a unix or hvsock URI
 * with a host, or with a path that is not absolute. OB_ENOMEM: the arena is full.
 */
int obi_uri_parse(const char *text, struct ob_arena *arena, struct ob_uri *ret,
		  struct ob_error *reterr);

/* The scheme of its socket: "vsock" of chaos+vsock. */
struct ob_bytes obi_uri_socket(const struct ob_uri *uri);

/* Whether it leads into a virtual machine, or out of one: hvsock, and vsock but for the CID of this
 * machine, which is "local" or "1". */
bool obi_uri_is_of_machine(const struct ob_uri *uri);

/* Append the path, percent-encoded as needed. */
bool obi_uri_path(const char *path, struct ob_sink *out);

/* Append "unix://" and the path, percent-encoded as needed. */
bool obi_uri_unix(const char *path, struct ob_sink *out);

#endif
