/* SPDX-License-Identifier: MIT */
/* A VMM's answer to CONNECT, parsed byte by byte: a result, once returned, is correct, and it is
 * returned in time. */
#include "vsock/reply.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same with the standard library. */
static int is_reply(const char *text, size_t len)
{
	char exact[32];
	unsigned long number = len > 3 ? strtoul(text + 3, NULL, 10) : 0;
	size_t zeros = 0;
	while (len > 4 && text[3 + zeros] == '0' && text[4 + zeros] >= '0' &&
	       text[4 + zeros] <= '9') {
		zeros++;
	}
	int n = snprintf(exact, sizeof exact, "OK %.*s%lu\n", (int)zeros, "0000000000", number);
	return number <= UINT32_MAX && (size_t)n == len && memcmp(exact, text, len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[OBI_HVSOCK_REPLY_MAX + 1] = "";
	for (size_t len = 1; len <= size; len++) {
		if (len > OBI_HVSOCK_REPLY_MAX) {
			abort(); /* no start of a reply is so long */
		}
		text[len - 1] = (char)data[len - 1];
		enum obi_hvsock_reply verdict = obi_hvsock_judge(text, len);
		if ((verdict == OBI_HVSOCK_GOOD) != is_reply(text, len)) {
			abort();
		}
		if (verdict != OBI_HVSOCK_MORE) {
			break;
		}
	}
	return 0;
}
