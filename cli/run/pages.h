/* SPDX-License-Identifier: MIT */
/* pages - the answers of run.status and run.waiting. */
#ifndef OBI_CLI_RUN_PAGES_H
#define OBI_CLI_RUN_PAGES_H

#include "cli/run/members.h"

/* Answer a call of run.status with a page. */
void obi_page_answer(const struct obi_members *members, ob_call *call,
		     const struct ob_value *params);

/* Answer a call of run.waiting. */
void obi_waiting_answer(const struct obi_members *members, ob_call *call);

#endif
