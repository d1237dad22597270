/* SPDX-License-Identifier: MIT */
#include "cli/run/reload_report.h"

#include "base/arena.h"
#include "cli/run/answer.h"

/* What the faults may take of a message of 4 MiB, and one of them beside its texts. */
enum { ANSWER_MEMORY = 64 << 20, ANSWER_BYTES = 1 << 20, ROW_BYTES = 64 };

void obi_report_faults(struct obi_run_log *log, struct obi_faults *faults)
{
	obi_faults_locate(faults);
	for (const struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		obi_run_log(log, NULL, OB_LOG_ERROR, "a fault in the config",
			    "{s:s,s:U,s:U,s:s,s:s}", "file", faults->file, "line",
			    (uint64_t)f->place.line, "column", (uint64_t)f->place.column, "key",
			    f->key, "reason", f->reason);
	}
	obi_run_log(log, NULL, OB_LOG_ERROR, "nothing was reloaded", "{s:U}", "faults",
		    (uint64_t)faults->count);
}

void obi_report_changes(struct obi_run_log *log, const struct obi_changes *changes)
{
	uint64_t counts[OBI_CHANGE_RESTARTED + 1] = {0};
	for (uint32_t i = 0; i < changes->count; i++) {
		counts[changes->changes[i]]++;
		if (changes->changes[i] == OBI_CHANGE_STALE) {
			obi_run_log(log, changes->members[i]->options->name, OB_LOG_INFO,
				    "its config has changed, and holds from a restart on", NULL);
		}
	}
	obi_run_log(log, NULL, OB_LOG_INFO, "reloaded the config", "{s:U,s:U,s:U,s:U,s:U,s:U}",
		    "started", counts[OBI_CHANGE_STARTED], "ended", counts[OBI_CHANGE_ENDED],
		    "stale", counts[OBI_CHANGE_STALE], "changed", counts[OBI_CHANGE_CHANGED],
		    "restarted", counts[OBI_CHANGE_RESTARTED], "unchanged",
		    (uint64_t)changes->unchanged);
}

void obi_answer_faults(ob_call *call, const struct obi_faults *faults)
{
	struct obi_arena arena;
	struct ob_builder b;
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	ob_build(&b, "{s:[", "faults");
	size_t used = 0;
	for (const struct obi_fault *f = faults->first; f != NULL && used < ANSWER_BYTES;
	     f = f->next) {
		obi_fault_build(&b, &arena, faults, f);
		used += strlen(faults->file) + strlen(f->key) + strlen(f->reason) + ROW_BYTES;
	}
	ob_build(&b, "]}");
	obi_answer_built(call, &b);
	obi_arena_free(&arena);
}
