/* SPDX-License-Identifier: MIT */
/* base/number_range - ranges of ports and of context ids, from which numbers are allocated. */
#ifndef OBI_BASE_NUMBER_RANGE_H
#define OBI_BASE_NUMBER_RANGE_H

#include <outboard/abi.h>

/* Both ends belong to it. Zeroed: none. */
struct obi_number_range {
	uint32_t first;
	uint32_t last;
};

static inline bool obi_range_has(const struct obi_number_range *range, uint32_t number)
{
	return number >= range->first && number <= range->last && number != 0;
}

/*
 * "20000-20999", or one number. Ports are from 1 to 65535; context ids from 3, since those below
 * are reserved, to 4294967294. A range has at most 65536 numbers. OB_EINVAL.
 */
int obi_range_of_ports(const char *text, struct obi_number_range *ret, struct ob_error *reterr);
int obi_range_of_cids(const char *text, struct obi_number_range *ret, struct ob_error *reterr);

#endif
