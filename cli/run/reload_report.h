/* SPDX-License-Identifier: MIT */
/* reload_report - what came of a reload: in the log, and as the answer to a call. */
#ifndef OBI_CLI_RUN_RELOAD_REPORT_H
#define OBI_CLI_RUN_RELOAD_REPORT_H

#include "cli/run/reload.h"

void obi_report_faults(struct obi_run_log *log, struct obi_faults *faults);
void obi_report_changes(struct obi_run_log *log, const struct obi_changes *changes);

/* Answer the call with {"faults": [{file, line, column, key, reason}, ...]}, as many as fit. */
void obi_answer_faults(ob_call *call, const struct obi_faults *faults);

#endif
