/* SPDX-License-Identifier: MIT */
/* vsock/reply - what a VMM answers to CONNECT. */
#ifndef OB_TRANSPORTS_VSOCK_REPLY_H
#define OB_TRANSPORTS_VSOCK_REPLY_H

#include <stddef.h>

/* "OK 4294967295\n", and nothing is longer. */
enum { OBI_HVSOCK_REPLY_MAX = 14 };

enum obi_hvsock_reply { OBI_HVSOCK_MORE, OBI_HVSOCK_GOOD, OBI_HVSOCK_BAD };

/*
 * Judge the bytes that came so far: MORE when they are the beginning of "OK <u32>\n"; GOOD when
 * they are all of it; else BAD, at the first byte that does not belong there.
 */
enum obi_hvsock_reply obi_hvsock_judge(const char *line, size_t len);

#endif
