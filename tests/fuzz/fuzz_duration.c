/* SPDX-License-Identifier: MIT */
/* base/duration: an accepted duration is written as a text that reads as the same. */
#include <stdlib.h>

#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t ms = -1, again = -1;
	char text[32];
	struct ob_error err = {0};
	if (obi_duration_parse(ob_bytes_of(data, size), &ms, &err) != OB_OK) {
		must(err.code == OB_EINVAL);
		return 0;
	}
	must(ms >= 0 && ms <= INT64_C(3660) * 24 * 3600 * 1000);
	obi_duration_text(ms, text, sizeof text);
	must(obi_duration_parse(ob_bytes_text(text), &again, NULL) == OB_OK);
	must(again == ms);
	return 0;
}
