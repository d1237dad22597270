/* SPDX-License-Identifier: MIT */
#include "supervisor/child_run.h"

#include <stdio.h>
#include <string.h>

enum { WHY_SIZE = 128, NS_PER_MS = 1000000 };

static bool is_known(const struct obi_child_run *run)
{
	return run->id[0] != '\0' || run->pid != 0 || run->uptime_ms != 0;
}

bool obi_child_run_read(const struct ob_value *health, struct obi_child_run *ret)
{
	struct obi_child_run run = {0};
	struct ob_bytes text = {NULL, 0};
	uint64_t number;
	if (health == NULL || health->type != OB_MAP) {
		return false;
	}
	if (ob_get_string(ob_value_find(health, "run"), &text)) {
		(void)obi_run_id_read(text, run.id);
	}
	if (ob_get_uint(ob_value_find(health, "pid"), &number) && number <= INT32_MAX) {
		run.pid = (int32_t)number;
	}
	if (ob_get_uint(ob_value_find(health, "uptime"), &number)) {
		run.uptime_ms =
		    (int64_t)(number / NS_PER_MS) + 1; /* 0 means that it is not known */
	}
	*ret = run;
	return is_known(&run);
}

static bool has_gone_back(const struct obi_child_run *before, const struct obi_child_run *now)
{
	return now->uptime_ms != 0 && now->uptime_ms < before->uptime_ms;
}

static void tell_uptimes(const struct obi_child_run *before, const struct obi_child_run *now,
			 const char *who, char why[WHY_SIZE])
{
	snprintf(why, WHY_SIZE, "%s process answers: its uptime went back from %lld ms to %lld ms",
		 who, (long long)before->uptime_ms, (long long)now->uptime_ms);
}

/* At least one of them has no `run`. */
static enum obi_run_change compare_without_run(const struct obi_child_run *before,
					       const struct obi_child_run *now, char why[WHY_SIZE])
{
	if (before->id[0] != now->id[0]) {
		snprintf(why, WHY_SIZE, "another process answers: it %s a run id",
			 now->id[0] != '\0' ? "has" : "lacks");
		return OBI_RUN_REPLACED;
	}
	if (before->pid != 0 && now->pid != 0 && before->pid != now->pid) {
		snprintf(why, WHY_SIZE, "another process answers: its pid was %d and is %d",
			 (int)before->pid, (int)now->pid);
		return OBI_RUN_REPLACED;
	}
	if (has_gone_back(before, now)) {
		tell_uptimes(before, now, "another", why);
		return OBI_RUN_REPLACED;
	}
	return OBI_RUN_SAME;
}

enum obi_run_change obi_child_run_compare(const struct obi_child_run *before,
					  const struct obi_child_run *now, char why[WHY_SIZE])
{
	why[0] = '\0';
	if (!is_known(before)) {
		return OBI_RUN_SAME;
	}
	if (before->id[0] == '\0' || now->id[0] == '\0') {
		return compare_without_run(before, now, why);
	}
	if (strcmp(before->id, now->id) != 0) {
		snprintf(why, WHY_SIZE, "another process answers: its run id has changed");
		return OBI_RUN_REPLACED;
	}
	if (has_gone_back(before, now)) {
		tell_uptimes(before, now, "the same", why);
		return OBI_RUN_REWOUND;
	}
	return OBI_RUN_SAME;
}

int32_t obi_child_run_inner_pid(const struct obi_child_run *run, int32_t pid)
{
	return pid != 0 && run->pid != pid ? run->pid : 0;
}
