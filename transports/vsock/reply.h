/* SPDX-License-Identifier: MIT */
/* vsock/reply - the answer of a VMM to CONNECT. */
#ifndef OB_TRANSPORTS_VSOCK_REPLY_H
#define OB_TRANSPORTS_VSOCK_REPLY_H

#include <stddef.h>

/* "OK 4294967295\n" is the longest one. */
enum { OBI_HVSOCK_REPLY_MAX = 14 };

enum obi_hvsock_reply { OBI_HVSOCK_MORE, OBI_HVSOCK_GOOD, OBI_HVSOCK_BAD };

/*
 * Judge the bytes received so far: MORE for a beginning of "OK <u32>\n", GOOD for a complete one,
 * BAD from the first wrong byte on.
 */
enum obi_hvsock_reply obi_hvsock_judge(const char *line, size_t len);

#endif
