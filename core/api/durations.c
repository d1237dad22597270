/* SPDX-License-Identifier: MIT */
#include <outboard/runtime.h>

#include "base/duration.h"

int ob_duration_parse(const char *text, int64_t *ret_ms, struct ob_error *reterr)
{
	return obi_duration_parse(ob_bytes_text(text), ret_ms, reterr);
}

void ob_duration_format(int64_t ms, char *text, size_t size)
{
	obi_duration_text(ms, text, size);
}
