/* SPDX-License-Identifier: MIT */
#include "cli/run/answer.h"

void obi_answer_built(ob_call *call, struct ob_builder *b)
{
	struct ob_value answer;
	if (ob_builder_finish(b, &answer) == OB_OK) {
		(void)ob_call_reply(call, &answer);
	} else {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	}
}

bool obi_find_names(const struct ob_value *params, const struct ob_value **ret)
{
	const struct ob_value *names = ob_params_get(params, 0, "names");
	*ret = NULL;
	if (ob_is_nil(names)) {
		return true;
	}
	if (names->type == OB_STRING && params->type == OB_ARRAY) {
		*ret = params;
	} else if (names->type == OB_ARRAY) {
		*ret = names;
	}
	return *ret != NULL;
}
