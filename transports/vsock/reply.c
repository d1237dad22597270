/* SPDX-License-Identifier: MIT */
#include "vsock/reply.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Judge the rest of the line: a u32 (the port on the host's side) and "\n". */
static enum obi_hvsock_reply judge_number(const char *digits, size_t len)
{
	uint64_t number = 0;
	for (size_t i = 0; i < len; i++) {
		if (digits[i] == '\n') {
			return i > 0 && i == len - 1 ? OBI_HVSOCK_GOOD : OBI_HVSOCK_BAD;
		}
		if (digits[i] < '0' || digits[i] > '9' || i == 10) {
			return OBI_HVSOCK_BAD;
		}
		number = number * 10 + (uint64_t)(digits[i] - '0');
		if (number > UINT32_MAX) {
			return OBI_HVSOCK_BAD;
		}
	}
	return OBI_HVSOCK_MORE;
}

enum obi_hvsock_reply obi_hvsock_judge(const char *line, size_t len)
{
	static const char ok[] = {'O', 'K', ' '};
	if (memcmp(line, ok, len < sizeof ok ? len : sizeof ok) != 0) {
		return OBI_HVSOCK_BAD;
	}
	return len <= sizeof ok ? OBI_HVSOCK_MORE : judge_number(line + sizeof ok, len - sizeof ok);
}
