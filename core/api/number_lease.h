/* SPDX-License-Identifier: MIT */
/*
 * api/number_lease - ports and context ids that are allocated to children.
 *
 * A number is held by an abstract unix socket that is bound to a name of it: so no two children of
 * any supervisors in this network namespace get the same one, and the kernel takes it back when the
 * process ends.
 */
#ifndef OBI_API_NUMBER_LEASE_H
#define OBI_API_NUMBER_LEASE_H

#include "base/number_range.h"

enum obi_number_kind { OBI_NUMBER_PORT = 0, OBI_NUMBER_CID };

struct obi_number_lease {
	int fd; /* -1: nothing is held */
	uint32_t number;
};

#define OBI_NUMBER_LEASE_NONE ((struct obi_number_lease){.fd = -1})

/*
 * Hold a number of the range: the one of before (0: none) if it is free; else the first free one
 * from a place that `seed` gives, so that children have their numbers in different places. What
 * the lease held is given back, unless it is the same. A port on which somebody listens, or that is
 * bound, is not free.
 *
 *   OB_EBUSY   none is free; the text says why
 */
int obi_number_take(struct obi_number_lease *lease, enum obi_number_kind kind,
		    const struct obi_number_range *range, uint32_t before, uint64_t seed,
		    struct ob_error *reterr);

/* Hold the number that a child has which runs already. It has it, whoever else holds it. */
void obi_number_keep(struct obi_number_lease *lease, enum obi_number_kind kind, uint32_t number);

void obi_number_give_back(struct obi_number_lease *lease);

#endif
