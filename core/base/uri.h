/* SPDX-License-Identifier: MIT */
/* base/uri - addresses, split as RFC 3986 has it. */
#ifndef OBI_BASE_URI_H
#define OBI_BASE_URI_H

#include <outboard/abi.h>

/*
 * Split text (NUL-terminated, kept valid by the caller) into *ret. The scheme is checked
 * ([a-z][a-z0-9+.-]*) but any scheme is accepted; "hvsock:///path:port" and "chaos+hvsock:..." take
 * the port from the end of the path. The percent-decoded path is made in arena, NUL-terminated; %00
 * is refused. A unix or hvsock URI must have an absolute path and no host. Refused too: user names,
 * fragments, characters that RFC 3986 wants percent-encoded, an empty port, more than 4096 bytes.
 * OB_EINVAL with a text that quotes the URI; OB_ENOMEM.
 */
int obi_uri_parse(const char *text, struct ob_arena *arena, struct ob_uri *ret,
		  struct ob_error *reterr);

/* Append "unix://" and the path, percent-encoded where a URI needs it. */
bool obi_uri_unix(const char *path, struct ob_sink *out);

#endif
