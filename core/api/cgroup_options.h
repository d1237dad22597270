/* SPDX-License-Identifier: MIT */
/* api/cgroup_options - the option `cgroup` of a connector. */
#ifndef OBI_API_CGROUP_OPTIONS_H
#define OBI_API_CGROUP_OPTIONS_H

#include <outboard/connector.h>

#include "api/options_check.h"
#include "base/arena.h"

/* A complete copy, in arena, of what the caller's library had of it. given may be NULL: *ret is
 * NULL then. */
int obi_cgroup_options_copy(struct obi_arena *arena, const struct ob_cgroup *given,
			    const struct ob_cgroup **ret, struct ob_error *reterr);

/* What of it a running child depends on, as numbers for the hash of its options; 0: none. */
enum { OBI_CGROUP_NUMBERS = 8 };
size_t obi_cgroup_options_numbers(const struct ob_cgroup *cgroup, uint64_t ret[OBI_CGROUP_NUMBERS]);

/* Report the faults that the option itself shows. */
void obi_cgroup_options_check(const struct ob_cgroup *cgroup, struct obi_option_faults *faults);

/* Report what stands in the way of such a cgroup on this machine. Nothing is made or changed. */
void obi_cgroup_options_check_system(const struct ob_cgroup *cgroup,
				     struct obi_option_faults *faults);

#endif
