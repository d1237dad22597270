/* SPDX-License-Identifier: MIT */
#include "process/cgroup_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* What the kernel takes. */
enum { WEIGHT_MAX = 10000, PERIOD_US = 100000, PERIOD_LEAST = 1000, PERIOD_MOST = 1000000 };

static const char *const names[OBI_CGROUP_LIMITS][2] = {
    {"memory.max", "memory"}, {"memory.high", "memory"}, {"memory.oom.group", "memory"},
    {"pids.max", "pids"},     {"cpu.max", "cpu"},	 {"cpu.weight", "cpu"},
    {"io.weight", "io"},
};

static uint64_t number_of(const struct ob_cgroup *cgroup, int index)
{
	const uint64_t numbers[OBI_CGROUP_LIMITS] = {
	    cgroup->memory_max, cgroup->memory_high, cgroup->oom_group ? 1 : 0, cgroup->pids_max,
	    cgroup->cpu_max_us, cgroup->cpu_weight,  cgroup->io_weight};
	return numbers[index];
}

struct obi_cgroup_limit obi_cgroup_limit_at(const struct ob_cgroup *cgroup, int index)
{
	struct obi_cgroup_limit limit = {names[index][0], names[index][1], ""};
	uint64_t number = number_of(cgroup, index);
	if (number != 0 && strcmp(limit.file, "cpu.max") == 0) {
		uint64_t period = cgroup->cpu_period_us != 0 ? cgroup->cpu_period_us : PERIOD_US;
		snprintf(limit.value, sizeof limit.value, "%" PRIu64 " %" PRIu64, number, period);
	} else if (number != 0) {
		snprintf(limit.value, sizeof limit.value, "%" PRIu64, number);
	}
	return limit;
}

const char *obi_cgroup_needs(const struct ob_cgroup *cgroup, const char *controller)
{
	for (int i = 0; i < OBI_CGROUP_LIMITS; i++) {
		if (number_of(cgroup, i) != 0 && strcmp(names[i][1], controller) == 0) {
			return names[i][0];
		}
	}
	return NULL;
}

int obi_cgroup_limits_check(const struct ob_cgroup *cgroup, struct ob_error *reterr)
{
	const char *wrong = NULL;
	uint64_t period = cgroup->cpu_period_us;
	if (cgroup->memory_max > INT64_MAX || cgroup->memory_high > INT64_MAX) {
		wrong = "memory.max, memory.high: must be below 2^63 bytes";
	} else if (cgroup->pids_max > 4 * 1024 * 1024) {
		wrong = "pids.max: must be at most 4194304";
	} else if (cgroup->cpu_weight > WEIGHT_MAX || cgroup->io_weight > WEIGHT_MAX) {
		wrong = "cpu.weight, io.weight: must be from 1 to 10000";
	} else if (cgroup->cpu_max_us != 0 && cgroup->cpu_max_us < PERIOD_LEAST) {
		wrong = "cpu.max: must be at least 1000 µs";
	} else if (cgroup->cpu_max_us > UINT64_C(1) << 40) {
		wrong = "cpu.max: is too large";
	} else if (period != 0 && (period < PERIOD_LEAST || period > PERIOD_MOST)) {
		wrong = "cpu.max: the period must be from 1000 to 1000000 µs";
	} else if (period != 0 && cgroup->cpu_max_us == 0) {
		wrong = "cpu.max: there is a period, and no time";
	}
	return wrong == NULL ? OB_OK : obi_fail(reterr, OB_EINVAL, 0, "%s", wrong);
}
