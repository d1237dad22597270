/* SPDX-License-Identifier: MIT */
/* supervisor/number_source - who chooses the numbers (${port}, ${cid}) that the options of a child
 * refer to, and completes the options with them. */
#ifndef OBI_SUPERVISOR_NUMBER_SOURCE_H
#define OBI_SUPERVISOR_NUMBER_SOURCE_H

#include "place/place.h"

/* Zeroed: the options refer to none. */
struct obi_number_source {
	/* Before a start: the numbers of the last start (0: none) become those of this one. */
	int (*choose)(void *user, struct obi_numbers *numbers, struct ob_error *reterr);
	/* What an earlier parent saved; its child may run. */
	void (*known)(void *user, const struct obi_statefile *state);
	void *user;
};

#endif
