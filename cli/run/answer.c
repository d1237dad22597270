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
