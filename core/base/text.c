/* SPDX-License-Identifier: MIT */
#include "base/text.h"

/* Append n hexadecimal digits. */
static char *put_hex(char *to, uint32_t value, int n)
{
	static const char digits[] = "0123456789abcdef";
	while (n-- > 0) {
		*to++ = digits[value >> 4 * n & 15];
	}
	return to;
}

size_t obi_text_escape(const uint8_t *at, const uint8_t *end, char form[OBI_TEXT_ESCAPE_MAX],
		       size_t *ret_len)
{
	static const char from[] = "\n\t\r", into[] = "ntr";
	const char *found = *at != '\0' ? strchr(from, *at) : NULL;
	size_t step = obi_utf8_step(at, end);
	char *to = form;
	*to++ = '\\';
	if (found != NULL) {
		*to++ = into[found - from];
	} else if (step == 2 || step == 3) {
		*to++ = 'u';
		to = put_hex(to, obi_utf8_value(at, step), 4);
	} else {
		*to++ = 'x';
		to = put_hex(to, *at, 2);
		step = 1;
	}
	*ret_len = (size_t)(to - form);
	return step;
}

void obi_text_show(const char *from, char *to, size_t size)
{
	const uint8_t *at = (const uint8_t *)from, *end = at + strlen(from);
	size_t room = size - 1;
	while (at < end) {
		char form[OBI_TEXT_ESCAPE_MAX];
		size_t step = obi_text_shown(at, end), len = step;
		const void *shown = at;
		if (step == 0) {
			step = obi_text_escape(at, end, form, &len);
			shown = form;
		}
		if (len > room) {
			break;
		}
		memcpy(to, shown, len);
		to += len;
		at += step;
		room -= len;
	}
	*to = '\0';
}
