/* SPDX-License-Identifier: MIT */
#include "base/options.h"

#include <string.h>

#include "base/error.h"

int obi_options_copy(void *own, size_t own_size, const void *given, struct ob_error *reterr)
{
	uint32_t size;
	memset(own, 0, own_size);
	if (given == NULL) {
		return OB_OK;
	}
	memcpy(&size, given, sizeof size);
	if (size < sizeof size || size > 64 * 1024) {
		return obi_fail(reterr, OB_EINVAL, 0, "options: size is not set");
	}
	for (size_t i = own_size; i < size; i++) {
		if (((const unsigned char *)given)[i] != 0) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"options: a member is set that this library does not know");
		}
	}
	memcpy(own, given, size < own_size ? size : own_size);
	return OB_OK;
}
