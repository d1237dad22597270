/* SPDX-License-Identifier: MIT */
#include "api/cgroup_options.h"

#include "base/error.h"
#include "base/options.h"
#include "process/cgroup_limits.h"
#include "process/cgroup_parent.h"

int obi_cgroup_options_copy(struct obi_arena *arena, const struct ob_cgroup *given,
			    const struct ob_cgroup **ret, struct ob_error *reterr)
{
	struct ob_cgroup own;
	*ret = NULL;
	if (given == NULL) {
		return OB_OK;
	}
	int r = obi_options_copy(&own, sizeof own, given, reterr);
	if (r < 0) {
		return r;
	}
	own.size = sizeof own;
	if (own.parent != NULL) {
		own.parent = obi_arena_text(arena, own.parent, strlen(own.parent));
	}
	struct ob_cgroup *copy = obi_arena_copy(arena, &own, sizeof own);
	*ret = copy;
	return copy != NULL && (own.parent != NULL) == (given->parent != NULL)
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

size_t obi_cgroup_options_numbers(const struct ob_cgroup *cgroup, uint64_t ret[OBI_CGROUP_NUMBERS])
{
	if (cgroup == NULL) {
		return 0;
	}
	const uint64_t numbers[OBI_CGROUP_NUMBERS] = {
	    cgroup->memory_max,	   cgroup->memory_high, cgroup->pids_max,  cgroup->cpu_max_us,
	    cgroup->cpu_period_us, cgroup->cpu_weight,	cgroup->io_weight, cgroup->oom_group};
	memcpy(ret, numbers, sizeof numbers);
	return OBI_CGROUP_NUMBERS;
}

/* The struct of a caller may be shorter than ours. */
static bool complete(const struct ob_cgroup *given, struct ob_cgroup *ret,
		     struct obi_option_faults *faults)
{
	struct ob_error err;
	if (obi_options_copy(ret, sizeof *ret, given, &err) < 0) {
		obi_option_fault(faults, OB_FAULT_ERROR, "cgroup", "%s", err.text);
		return false;
	}
	return true;
}

void obi_cgroup_options_check(const struct ob_cgroup *given, struct obi_option_faults *faults)
{
	struct ob_cgroup cgroup;
	struct ob_error err;
	if (given == NULL || !complete(given, &cgroup, faults)) {
		return;
	}
	if (obi_cgroup_limits_check(&cgroup, &err) < 0) {
		obi_option_fault(faults, OB_FAULT_ERROR, "cgroup", "%s", err.text);
	}
	if (cgroup.parent != NULL && cgroup.parent[0] != '/') {
		obi_option_fault(faults, OB_FAULT_ERROR, "cgroup",
				 "parent: must be an absolute path");
	}
}

void obi_cgroup_options_check_system(const struct ob_cgroup *given,
				     struct obi_option_faults *faults)
{
	struct obi_cgroup_parent parent;
	struct ob_cgroup cgroup;
	struct ob_error err;
	if (given == NULL || !complete(given, &cgroup, faults)) {
		return;
	}
	int r = obi_cgroup_parent_open(&cgroup, &parent, &err);
	r = r == OB_OK ? obi_cgroup_parent_check(&parent, &cgroup, &err) : r;
	obi_cgroup_parent_close(&parent);
	if (r < 0) {
		obi_option_fault(faults, OB_FAULT_FILE, "cgroup", "%s", err.text);
	}
}

int ob_cgroup_prepare(const struct ob_cgroup *given, struct ob_error *reterr)
{
	struct obi_cgroup_parent parent;
	struct ob_cgroup cgroup;
	int r = obi_options_copy(&cgroup, sizeof cgroup, given, reterr);
	r = r == OB_OK ? obi_cgroup_limits_check(&cgroup, reterr) : r;
	if (r < 0) {
		return r;
	}
	r = obi_cgroup_parent_open(&cgroup, &parent, reterr);
	r = r == OB_OK ? obi_cgroup_parent_prepare(&parent, &cgroup, reterr) : r;
	obi_cgroup_parent_close(&parent);
	return r < 0 && reterr != NULL ? obi_wrap(reterr, "cgroup") : r;
}
