/* SPDX-License-Identifier: MIT */
/* supervisor/await_dial - an instance whose child dials its parent: what it has to know, and what
 * is kept of it in the state. */
#ifndef OBI_SUPERVISOR_AWAIT_DIAL_H
#define OBI_SUPERVISOR_AWAIT_DIAL_H

#include "supervisor/instance.h"

/* Whether the options say that the child dials. */
static inline bool obi_is_home_dialer(const struct ob_connector_options *options)
{
	return options->ready == OB_READY_DIAL_HOME;
}

/* Before a start: listen, and note it in the state. Nothing to do for a child that is dialled. */
int obi_await_dial_start(struct obi_instance *instance, struct ob_error *reterr);

/* Before an adoption: listen where the child dials, by the state of its start. OB_EINVAL: the child
 * was started to be dialled and the options say the opposite, or the other way round. */
int obi_await_dial_adopt(struct obi_instance *instance, struct ob_error *reterr);

/* Instead of looking for an address to dial: set where the child dials, and where clients may dial
 * it, if it listens besides. Leads to the event `reachable`, or to this failure. */
void obi_await_dial_begin(struct obi_instance *instance, enum obi_life_event failure);

#endif
