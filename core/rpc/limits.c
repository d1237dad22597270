/* SPDX-License-Identifier: MIT */
#include "rpc/limits.h"

#include "base/error.h"

static bool is_message_max(int64_t n)
{
	return n == 0 || (n >= OB_MESSAGE_MAX_LOWEST && n <= OB_MESSAGE_MAX_HIGHEST);
}

int obi_rpc_limits_message(int64_t config, int64_t option, uint32_t *ret, struct ob_error *reterr)
{
	if (!is_message_max(config) || !is_message_max(option)) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"message_max: must be from %d to %u bytes, and is %lld%s",
				OB_MESSAGE_MAX_LOWEST, OB_MESSAGE_MAX_HIGHEST,
				(long long)(is_message_max(config) ? option : config),
				is_message_max(config) ? "" : " in the outboard config");
	}
	int64_t n = config != 0 ? config : option;
	*ret = n != 0 ? (uint32_t)n : OB_MESSAGE_MAX_DEFAULT;
	return OB_OK;
}
