/* SPDX-License-Identifier: MIT */
/* common/text - text that others have written, and that people will read. */
#ifndef OB_COMMON_TEXT_H
#define OB_COMMON_TEXT_H

#include <outboard/abi.h>

/* Whether a control character begins at text.data[i]: of ASCII, or U+0080 to U+009F, in UTF-8. */
static inline bool obi_is_control_at(struct ob_bytes text, size_t i)
{
	uint8_t byte = text.data[i];
	return byte < 0x20 || byte == 0x7f ||
	       (byte == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0);
}

static inline bool obi_has_control(struct ob_bytes text)
{
	size_t i = 0;
	while (i < text.len && !obi_is_control_at(text, i)) {
		i++;
	}
	return i < text.len;
}

#endif
