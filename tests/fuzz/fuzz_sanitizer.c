/* SPDX-License-Identifier: MIT */
/* plugin/sanitizer: any file may be looked at, and what it says is one of three. */
#include <stdlib.h>
#include <string.h>

#include "plugin/sanitizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of its own size, so that a sanitizer finds a read beyond it. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	if (copy == NULL) {
		abort();
	}
	if (size > 0) {
		memcpy(copy, data, size);
	}
	const struct obi_sanitizer *found = obi_sanitizer_of(ob_bytes_of(copy, size));
	if (found != NULL && strstr(found->name, "Sanitizer") == NULL) {
		abort();
	}
	free(copy);
	return 0;
}
