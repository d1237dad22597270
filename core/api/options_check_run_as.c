/* SPDX-License-Identifier: MIT */
/* Whom the child is to be, where the command keeps our user. */
#include <stdlib.h>
#include <unistd.h>

#include "api/options_check.h"
#include "base/user_namespace.h"
#include "process/run_as.h"

static bool is_own_group(gid_t gid)
{
	int count = getgroups(0, NULL);
	gid_t *groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
	bool found = gid == getegid();
	count = groups != NULL ? getgroups(count, groups) : 0;
	for (int i = 0; i < count && !found; i++) {
		found = groups[i] == gid;
	}
	free(groups);
	return found;
}

void obi_options_check_run_as(const struct ob_connector_options *o,
			      struct obi_option_faults *faults)
{
	if (o->run_as == NULL) {
		return;
	}
	const struct obi_run_as_facts facts = {
	    .euid = geteuid(),
	    .own_group = is_own_group(o->run_as->gid),
	    .has_uid = obi_user_has_number(o->run_as->uid),
	    .has_gid = obi_group_has_number(o->run_as->gid),
	    .other_user = o->user != NULL || o->group != NULL,
	};
	const char *fault = obi_run_as_fault(o->run_as, &facts);
	if (fault != NULL) {
		obi_option_fault(faults, OB_FAULT_ERROR, "run_as", "%s", fault);
	}
}
